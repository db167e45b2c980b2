/** What came of asking an external authorizer, in the words of the details that the access line then has. */
export type AuthorizerVerdict = 'ext_authz_denied' | 'ext_authz_error';

/**
 * How the filter ends a request, at trace (envoy 1.37 source/extensions/filters/http/ext_authz/ext_authz.cc), at debug in old
 * releases. The first that fits.
 */
const MESSAGES: readonly (readonly [pattern: RegExp, verdict: AuthorizerVerdict])[] = [
  [/^ext_authz filter rejected the request with an error\b/, 'ext_authz_error'],
  [/^ext_authz filter rejected the request\b/, 'ext_authz_denied'],
];

/** Reads a message of the logger `ext_authz`; null: it does not end a request. */
export function authorizerVerdict(scope: string, message: string): AuthorizerVerdict | null {
  if (!/\bext_authz\b/.test(scope)) return null;
  return MESSAGES.find(([pattern]) => pattern.test(message))?.[1] ?? null;
}
