/** Why a token was refused, in groups that have one remedy each. `key-set`: what was fetched as keys is no usable set. */
export type JwtReason =
  | 'missing'
  | 'expired'
  | 'not-yet-valid'
  | 'issuer'
  | 'audience'
  | 'signature'
  | 'key'
  | 'key-set'
  | 'fetch'
  | 'malformed'
  | 'several';

const DETAIL = 'jwt_authn_access_denied{';

/**
 * Status texts that meshes really see and their reason (google/jwt_verify_lib src/status.cc). Anything else about a
 * `Jwks` or the making of a key is `key-set`, about the token `malformed`.
 */
const REASONS: Readonly<Record<string, JwtReason>> = {
  'Jwt is missing': 'missing',
  'Jwt is expired': 'expired',
  'Jwt not yet valid': 'not-yet-valid',
  'Jwt issuer is not configured': 'issuer',
  'Audiences in Jwt are not allowed': 'audience',
  'Jwt verification fails': 'signature',
  "Jwks doesn't have key to match kid or alg from Jwt": 'key',
  'Jwks remote fetch is failed': 'fetch',
  'Found multiple Jwt tokens': 'several',
  'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections': 'malformed',
  'Jwt header [alg] is not supported': 'malformed',
  'Jwt payload is an invalid JSON': 'malformed',
  'Jwt header is an invalid JSON': 'malformed',
  'Jwt header is an invalid Base64url encoded': 'malformed',
  'Jwt payload is an invalid Base64url encoded': 'malformed',
  'Jwt signature is an invalid Base64url encoded': 'malformed',
};

/**
 * The status text of a refused token with its blanks back, from RESPONSE_CODE_DETAILS, also where the format cut the end
 * off; null: no such refusal. (envoy 1.37 source/extensions/filters/http/jwt_authn/filter.cc)
 */
export function parseJwtDetail(details: string | null): string | null {
  if (details === null || !details.startsWith(DETAIL)) return null;
  const message = details.endsWith('}') ? details.slice(DETAIL.length, -1) : details.slice(DETAIL.length);
  return message.replaceAll('_', ' ');
}

/** The group of a status text. */
export function jwtReason(message: string): JwtReason {
  const known = Object.hasOwn(REASONS, message) ? REASONS[message] : undefined;
  if (known !== undefined) return known;
  return ABOUT_KEYS.test(message) ? 'key-set' : 'malformed';
}

const ABOUT_KEYS = /^(?:Jwks|\[|X509|PEM|Failed to create BIO)/;

/**
 * The status texts that a body of this many bytes may be, for formats without details: the body is the text itself. Only the
 * audience is refused with 403, all else with 401. Several texts may be equally long; empty: none is.
 */
export function jwtMessagesOfLength(status: number, bytes: number): readonly string[] {
  return Object.keys(REASONS).filter(
    (message) => message.length === bytes && (status === 403) === (REASONS[message] === 'audience'),
  );
}
