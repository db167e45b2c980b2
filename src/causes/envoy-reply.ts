/** What an Envoy says in the body of an answer that it made itself. */
export type ProxyReply = 'rbac' | 'rate-limit' | 'upstream-failed' | 'no-healthy-upstream' | 'timeout';

/** What Go's net/http answers to plaintext on a port that speaks TLS (go src/net/http/server.go). */
const HTTP_TO_HTTPS = 'Client sent an HTTP request to an HTTPS server.\n';

/** True for an answer as long as that of a TLS server that was spoken to in plaintext. A guess, as any by size. */
export function isPlaintextToTls(status: number | null, bytes: number | null): boolean {
  return status === 400 && bytes === HTTP_TO_HTTPS.length;
}

const RESET = 'upstream connect error or disconnect/reset before headers. ';
const CAUSES: readonly string[] = [
  'connection termination',
  'connection timeout',
  'connection failure',
  'remote connection failure',
  'local connection failure',
  'remote reset',
  'local reset',
  'overflow',
  'protocol error',
];

/** Bodies by status and length (envoy 1.37 source/common/router/router.cc, source/extensions/filters/http/{rbac,local_ratelimit}). */
const REPLIES: ReadonlyMap<string, ProxyReply> = new Map<string, ProxyReply>([
  [sizeKey(403, 'RBAC: access denied'.length), 'rbac'],
  [sizeKey(429, 'local_rate_limited'.length), 'rate-limit'],
  [sizeKey(503, 'no healthy upstream'.length), 'no-healthy-upstream'],
  [sizeKey(504, 'upstream request timeout'.length), 'timeout'],
  ...CAUSES.flatMap((cause): [string, ProxyReply][] =>
    [`${RESET}reset reason: ${cause}`, `${RESET}retried and the latest reset reason: ${cause}`].flatMap(
      (body): [string, ProxyReply][] => [
        [sizeKey(cause === 'protocol error' ? 502 : 503, body.length), 'upstream-failed'],
        [sizeKey(503, `${body}, transport failure reason: delayed connect error: 111`.length), 'upstream-failed'],
      ],
    ),
  ),
]);

/**
 * Which answer of a proxy has this status and size, for lines on which nothing else tells who answered. A guess: an
 * application's body may be as long. Null: no such answer.
 */
export function proxyReplyOfSize(status: number | null, bytes: number | null): ProxyReply | null {
  return status === null || bytes === null ? null : (REPLIES.get(sizeKey(status, bytes)) ?? null);
}

function sizeKey(status: number, bytes: number): string {
  return `${status}/${bytes}`;
}
