import type { RequestRecord } from '../model/record.ts';
import type { EnvoyFailure, EnvoyFailureKind } from './envoy-failure-table.ts';
import { isInbound } from './envoy-record.ts';
import { isPlaintextToTls, proxyReplyOfSize } from './envoy-reply.ts';
import { jwtMessagesOfLength } from './jwt-refusal.ts';

/** gRPC status codes that mean the call was refused, and those that mean it broke (grpc doc/statuscodes.md). */
const GRPC_REFUSED: ReadonlySet<number> = new Set([7, 16]);
const GRPC_FAILED: ReadonlySet<number> = new Set([2, 4, 8, 13, 14, 15]);

/**
 * The failure in an answer that came from the upstream. On a line of the own sidecar that is the application; on any other
 * line the peer's proxy may have given it, whose answers are known by status and size. Null: no failure of the mesh (1xx
 * to 3xx, and 4xx that only the application understands).
 */
export function readAnswer(record: RequestRecord): EnvoyFailure | null {
  const inbound = isInbound(record) === true;
  const status = record.status ?? 0;
  const reply = inbound ? null : proxyReplyOfSize(status, record.bytesSent);
  if (reply === 'rbac') return { kind: 'rbac-peer', certainty: 'likely', text: '403, 19 bytes' };
  if (reply === 'rate-limit') return { kind: 'rate-limited', certainty: 'possible', text: '429, 18 bytes' };
  if (reply !== null)
    return { kind: 'peer-proxy-failed', certainty: 'likely', text: `${status}, ${record.bytesSent} bytes` };
  if (isPlaintextToTls(status, record.bytesSent))
    return { kind: 'application-refused', certainty: 'possible', text: PLAINTEXT_TO_TLS };
  const kind = answerKind(status, record.envoy.grpcStatus);
  if (kind === null) return null;
  const text = status < 400 ? `grpc-status ${record.envoy.grpcStatus}` : `status ${status}`;
  return { kind, certainty: answerCertainty(inbound, kind), text };
}

/** The text of the failure of plaintext that a TLS server refused. */
export const PLAINTEXT_TO_TLS = 'status 400, 48 bytes';

function answerKind(status: number, grpc: number | null): EnvoyFailureKind | null {
  if (status >= 500) return 'application-failed';
  if (status === 401 || status === 403) return 'application-refused';
  if (grpc === null || status >= 400) return null;
  if (GRPC_REFUSED.has(grpc)) return 'application-refused';
  return GRPC_FAILED.has(grpc) ? 'application-failed' : null;
}

/** On the caller's line a refusal may as well be the policy of the peer's proxy. */
function answerCertainty(inbound: boolean, kind: EnvoyFailureKind): EnvoyFailure['certainty'] {
  if (inbound) return 'certain';
  return kind === 'application-refused' ? 'possible' : 'likely';
}

/**
 * What can be said when neither details nor flags explain a request: an upstream host or its time means that somebody
 * behind the proxy answered, otherwise the proxy did and the size of the body is the last hint.
 */
export function readUnexplained(record: RequestRecord): EnvoyFailure | null {
  const { details, upstreamHost, upstreamServiceMs } = record.envoy;
  const status = record.status ?? 0;
  if (details === 'direct_response') return readDirectResponse(record, status);
  if (details === 'via_upstream') return null;
  if (details !== null) return status >= 400 ? guess('filter-answered', 'certain', details) : null;
  if (upstreamHost !== null || upstreamServiceMs !== null) return readAnswer(record);
  if (record.status === 0) return guess('client-left', 'possible', 'no response was sent');
  if (status < 400) return null;
  return record.envoy.upstreamKnown ? guessLocal(record, status) : guessEither(record, status);
}

/**
 * A format that does not show whether an upstream was asked: this proxy, the one of the destination or the application may
 * have answered. Only the size of a denial is telling.
 */
function guessEither(record: RequestRecord, status: number): EnvoyFailure | null {
  const sized = guessBySize(record, status, 'possible');
  if (sized !== null) return sized;
  return status >= 500 || isRefusal(status) ? guess('unexplained', 'possible', `status ${status}`) : null;
}

/** Formats without route names: the route for unknown destinations is the one that answers 502 with an empty body. */
function readDirectResponse({ envoy, bytesSent }: RequestRecord, status: number): EnvoyFailure | null {
  if (status === 502 && envoy.route === null && (bytesSent ?? 0) === 0)
    return guess('egress-blocked', 'likely', 'direct_response');
  return status >= 400 ? guess('direct-response', 'certain', 'direct_response') : null;
}

function guessLocal(record: RequestRecord, status: number): EnvoyFailure | null {
  const text = `status ${status}`;
  const sized = guessBySize(record, status, 'likely');
  if (sized !== null) return sized;
  // Without flags an external authorizer cannot be told from a policy, nor either from another filter.
  if (isRefusal(status) && record.envoy.flags === null) return guess('unexplained', 'possible', text);
  if (status === 401) return guess('jwt-refused', 'possible', '');
  if (status === 408 || status === 413) return guess('request-limit', 'likely', text);
  if (isConfiguredAnswer(record)) return guess('direct-response', 'likely', text);
  if (status === 400 && record.envoy.cluster === null) return guess('request-malformed', 'likely', text);
  if (status === 403) return guess('filter-answered', 'possible', text);
  return status >= 500 ? guess('unexplained', 'possible', text) : null;
}

/** A refusal that is as long as one of this proxy's own, and as no other. */
function guessBySize(record: RequestRecord, status: number, certainty: EnvoyFailure['certainty']): EnvoyFailure | null {
  const [message, ...others] = jwtMessagesOfLength(status, record.bytesSent ?? -1);
  if (message !== undefined && others.length === 0 && isRefusal(status))
    return guess('jwt-refused', certainty, message);
  return proxyReplyOfSize(status, record.bytesSent) === 'rbac' ? guess('rbac-unnamed', certainty, '') : null;
}

function isRefusal(status: number): boolean {
  return status === 401 || status === 403;
}

/** A route that was found and has no cluster answers itself. */
function isConfiguredAnswer({ envoy }: RequestRecord): boolean {
  return envoy.cluster === null && envoy.route !== null && envoy.route !== 'default';
}

function guess(kind: EnvoyFailureKind, certainty: EnvoyFailure['certainty'], text: string): EnvoyFailure {
  return { kind, certainty, text };
}
