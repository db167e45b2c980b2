const MASK = '[redacted]';

/** A JSON web token, or the start of one: base64url of `{"`. Matches whole, so it never runs twice over one text. */
const JWT = /eyJ[\w-]{8,}(?:\.[\w-]*)*/g;
const BEARER = /\b(bearer +)(?!realm|token\b|\[redacted)[^\s'",;]{4,}/gi;
const BASIC = /\b(basic +)(?=[^\s'",;]*[\d=])[\w+/=-]{4,}/gi;
/** `'authorization', 'Basic …'`: a header in Envoy's RBAC dump (envoy 1.37 source/extensions/filters/http/rbac). */
const DUMPED_HEADER = /^(.*?'(?:(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-auth-token)', ').*$/gim;
/** `authorization: …`, `"cookie":"…"`, `cookie=…`: the same in other notations. */
const NAMED_HEADER =
  /\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-auth-token)("?\s?[:=]\s?)("(?:[^"\\]|\\.)*"|[^\s"'][^\n"']*)/gi;
/** Envoy's JWT filter prints the token as it came (envoy 1.37 source/extensions/filters/http/jwt_authn/authenticator.cc). */
const PARSED_TOKEN = /\b(Parse Jwt )[^\s]+/g;
const QUERY_TOKEN =
  /([?&;](?:access_token|id_token|refresh_token|token|jwt|api_?key|apikey|client_secret|password|passwd|secret|sig|signature)=)[^&#\s"']+/gi;

/** The text with credentials masked: tokens, authorization and cookie headers, secrets in query strings. Linear time. */
export function redactSecrets(text: string): string {
  return redactQuery(text)
    .replace(DUMPED_HEADER, `$1${MASK}'`)
    .replace(NAMED_HEADER, (_whole, name: string, sign: string, value: string) =>
      value.startsWith('"') ? `${name}${sign}"${MASK}"` : `${name}${sign}${MASK}`,
    )
    .replace(PARSED_TOKEN, `$1${MASK}`)
    .replace(BEARER, `$1${MASK}`)
    .replace(BASIC, `$1${MASK}`)
    .replace(JWT, MASK);
}

/** A path with query, or a line that holds one, with tokens in the query masked. Cheap when there is nothing to mask. */
export function redactQuery(text: string): string {
  return text.includes('=') ? text.replace(QUERY_TOKEN, `$1${MASK}`) : text;
}
