import { decodeBase64Url } from '../../text/base64url.ts';
import { isRecord } from '../../text/kube-object.ts';
import type { JwtSpec } from '../decode-spec.ts';
import type { JwtToken } from './jwt-token.ts';
import type { EnvoySettings, JsonWebKey } from './settings.ts';

/** Where a token may stand. */
export interface TokenLocations {
  /** Names in lower case. */
  readonly headers: readonly { readonly name: string; readonly prefix: string }[];
  readonly params: readonly string[];
  readonly cookies: readonly string[];
}

/** The keys of one issuer. `substitute`: istiod could not fetch them; `unknown`: nobody told us what it fetched. */
export type KeySet =
  | { readonly kind: 'keys'; readonly keys: readonly JsonWebKey[] }
  | { readonly kind: 'substitute' }
  | { readonly kind: 'unknown' };

/** One `jwtRules` entry, compiled. */
export interface JwtProvider {
  /** '': any. */
  readonly issuer: string;
  /** Sanitised; empty: any. */
  readonly audiences: readonly string[];
  readonly keys: KeySet;
  readonly locations: TokenLocations;
  /** False: the token is taken out of the request once it has verified. */
  readonly forward: boolean;
  readonly payloadHeader: string | null;
  readonly claimHeaders: readonly { readonly header: string; readonly claim: string }[];
  /** Claims whose text is split at blanks. */
  readonly listClaims: readonly string[];
}

const DEFAULT_LOCATIONS: TokenLocations = {
  headers: [{ name: 'authorization', prefix: 'Bearer ' }],
  params: ['access_token'],
  cookies: [],
};

/** Compiles one rule (istio 86c9f01f pilot/pkg/security/authn/policy_applier.go convertToEnvoyJwtConfig). */
export function compileProvider(rule: JwtSpec, settings: EnvoySettings): JwtProvider {
  const { fromHeaders, fromParams, fromCookies } = rule;
  const usual = fromHeaders.length + fromParams.length + fromCookies.length === 0;
  const headers = fromHeaders.map(({ name, prefix }) => ({ name: name.toLowerCase(), prefix }));
  return {
    issuer: rule.issuer,
    audiences: rule.audiences.map(sanitizeAudience),
    keys: keysOf(rule, settings),
    // Envoy keeps each kind of location in a sorted map, headers by name and prefix.
    locations: usual
      ? DEFAULT_LOCATIONS
      : {
          headers: headers.sort((a, b) => (a.name + a.prefix < b.name + b.prefix ? -1 : 1)),
          params: [...new Set(fromParams)].sort(),
          cookies: [...new Set(fromCookies)].sort(),
        },
    forward: rule.forwardOriginalToken,
    payloadHeader: rule.outputPayloadToHeader === '' ? null : rule.outputPayloadToHeader.toLowerCase(),
    claimHeaders: rule.outputClaimToHeaders.map(({ header, claim }) => ({ header: header.toLowerCase(), claim })),
    listClaims: ['permission', 'scope', ...rule.spaceDelimitedClaims],
  };
}

function keysOf(rule: JwtSpec, settings: EnvoySettings): KeySet {
  if (rule.jwks !== '') return { kind: 'keys', keys: readKeys(rule.jwks) };
  const fetched = settings.fetchedKeys.get(rule.jwksUri);
  if (fetched === undefined) return { kind: 'unknown' };
  return fetched === null ? { kind: 'substitute' } : { kind: 'keys', keys: readKeys(fetched) };
}

/** Fields without which a key is none. */
const KEY_FIELDS: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['EC', ['x', 'y']],
  ['RSA', ['n', 'e']],
  ['oct', ['k']],
  ['OKP', ['crv', 'x']],
]);

/** Reads a key set; keys that lack a field are left out, as Envoy does (envoy 1.40 jwks.cc). Untrusted. */
function readKeys(text: string): readonly JsonWebKey[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  const keys: unknown = isRecord(value) ? value['keys'] : null;
  if (!Array.isArray(keys)) return [];
  return keys.filter(isRecord).filter((key) => {
    const fields = KEY_FIELDS.get(key['kty']);
    return fields?.every((name) => typeof key[name] === 'string' && decodeBase64Url(String(key[name])) !== '') ?? false;
  });
}

/** Without scheme and one trailing slash (google/jwt_verify_lib src/check_audience.cc). */
function sanitizeAudience(audience: string): string {
  return audience.replace(/\/$/, '').replace(/^https?:\/\//, '');
}

/** Whether one of the token's audiences is wanted; without a list all are. */
export function isAudienceAllowed({ audiences }: JwtProvider, token: Pick<JwtToken, 'audiences'>): boolean {
  return audiences.length === 0 || token.audiences.some((audience) => audiences.includes(sanitizeAudience(audience)));
}
