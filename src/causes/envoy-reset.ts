import type { ConnectionRecord, EnvoyFacts, LogRecord, RequestRecord } from '../model/record.ts';
import { type ConnectFailure, readConnectFailure } from './connect-failure.ts';
import type { EnvoyFailure, EnvoyFailureKind } from './envoy-failure-table.ts';
import { isInbound } from './envoy-record.ts';

/** `{REASON}` or `{REASON|TRANSPORT}`; the separator was a comma up to Envoy 1.30 (envoy source/common/router/router.cc). */
const RESET = /^upstream_reset_(before|after)_response_started\{?([^|,}]*)(?:[|,](.*?))?\}?$/;

/** Reasons and flags that say it all; those of a failed connect go through the transport failure. */
const REASONS: readonly (readonly [RegExp, EnvoyFailureKind])[] = [
  [/^overflow$|^UO$/, 'overflow'],
  [/^protocol_error$|^UPE$/, 'protocol-error'],
  [/^overload_manager_reset$|^OM$/, 'load-shed'],
  [/^local_(?:refused_stream_)?reset$|^LR$/, 'local-reset'],
  [/reset$|^remote_error|half_close$|^UR$/, 'stream-reset'],
  [/^connection_termination$|^UC$/, 'closed'],
];
const CONNECT = /connection_failure$|^connection_timeout$|^UF$/;

/** How long a connect must have hung, in ms, to be taken for one without an answer where no reason is printed. */
const HUNG_MS = 900;

/** Kinds of a connect whose packets did not arrive, and all kinds that lie below TLS. */
const UNARRIVED: ReadonlySet<EnvoyFailureKind> = new Set(['unreachable', 'rejected', 'forbidden']);
const NETWORK: ReadonlySet<EnvoyFailureKind> = new Set([...UNARRIVED, 'refused', 'connect-failed']);

const CONNECT_KINDS: Readonly<Record<ConnectFailure, EnvoyFailureKind>> = {
  'tls-to-plaintext': 'tls-to-plaintext',
  'client-certificate-missing': 'client-certificate-missing',
  'tls-parameters': 'tls-parameters',
  'peer-certificate': 'peer-certificate',
  'own-certificate': 'own-certificate',
  'certificate-absent': 'certificate-absent',
  refused: 'refused',
  unreachable: 'unreachable',
  rejected: 'rejected',
  forbidden: 'forbidden',
  'tls-broken': 'tls-broken',
  failed: 'connect-failed',
};

/** True for details about an upstream connection or stream that broke. */
export function isReset(details: string): boolean {
  return details.startsWith('upstream_reset_');
}

/** The failure behind a reset. `printed`: the details, or the flag where there are none. */
export function readReset(record: LogRecord, printed: string): EnvoyFailure | null {
  if (record.kind === 'diagnostic' || record.envoy === null) return null;
  const [, moment, reason = printed, inner = null] = RESET.exec(printed) ?? [];
  const facts = record.envoy;
  if (moment === 'after' || hasAnswered(record, printed)) return readCut(record, printed);
  const transport = facts.transportFailure ?? inner;
  const tunnel = readTunnel(facts, transport, reason, hasHung(record, reason));
  if (tunnel !== null) return tunnel;
  const known = readConnectFailure(transport);
  if (CONNECT.test(reason) || (known !== null && known !== 'failed'))
    return readConnect(record, reason, transport, known);
  const kind = REASONS.find(([pattern]) => pattern.test(reason))?.[1] ?? 'closed';
  return { kind, certainty: 'certain', text: printed };
}

/** Without details only the status tells whether a response had begun; a gRPC failure prints 200 and has no body. */
function hasAnswered(record: ConnectionRecord | RequestRecord, printed: string): boolean {
  if (record.kind !== 'request' || isReset(printed) || record.status === null) return false;
  return record.status >= 100 && record.status < 400 && (record.status === 101 || (record.bytesSent ?? 0) > 0);
}

/** An upgraded connection (101) ends by somebody closing it: no failure. */
function readCut(record: LogRecord, printed: string): EnvoyFailure | null {
  if (record.kind === 'request' && record.status === 101) return null;
  return { kind: 'response-cut', certainty: 'certain', text: printed };
}

/**
 * Lines of an HBONE tunnel: `connect_originate` dials the tunnel and says what became of it; the request inside only sees
 * it end; `main_internal` is a waypoint's own inner listener (istio 86c9f01f pilot/pkg/networking/core/waypoint.go). A
 * tunnel that nobody answered hangs until the connect timeout; one that was refused is answered within milliseconds.
 */
function readTunnel(facts: EnvoyFacts, transport: string | null, reason: string, hung: boolean): EnvoyFailure | null {
  const host = facts.upstreamHost ?? '';
  if (host.startsWith('envoy://main_internal')) return { kind: 'tunnel-target', certainty: 'likely', text: host };
  if (host.startsWith('envoy://connect_originate')) {
    return reason === 'connection_timeout'
      ? { kind: 'hbone-unreachable', certainty: 'likely', text: reason }
      : { kind: 'tunnel-closed', certainty: 'possible', text: host };
  }
  const status = /^tunnel_response:_?(\d{3})/.exec(transport ?? '')?.[1];
  if (status !== undefined && transport !== null) {
    const denied = status === '401' || status === '403';
    return { kind: denied ? 'tunnel-denied' : 'tunnel-failed', certainty: 'certain', text: transport };
  }
  return facts.cluster === 'connect_originate' && transport === null && !hung
    ? { kind: 'tunnel-failed', certainty: 'possible', text: 'connect_originate' }
    : null;
}

/** True for a connect that says by its reason, or where that is missing by its duration, that nobody answered. */
function hasHung(record: ConnectionRecord | RequestRecord, reason: string): boolean {
  return reason === 'connection_timeout' || (CONNECT.test(reason) && (record.durationMs ?? 0) >= HUNG_MS);
}

function readConnect(
  record: ConnectionRecord | RequestRecord,
  reason: string,
  transport: string | null,
  known: ConnectFailure | null,
): EnvoyFailure {
  const text = transport ?? reason;
  const timedOut = reason === 'connection_timeout';
  const hung = known === null && !timedOut && hasHung(record, reason);
  const kind = timedOut || hung ? 'unreachable' : CONNECT_KINDS[known ?? 'failed'];
  const certainty = hung || (known === null && !timedOut) ? 'possible' : 'certain';
  if (NETWORK.has(kind) && record.envoy?.upstreamHost?.endsWith(':15008') === true)
    return { kind: 'hbone-unreachable', certainty, text };
  // A proxy and its application share a pod: nothing between them can swallow packets.
  if (UNARRIVED.has(kind) && isInbound(record) === true) return { kind: 'connect-failed', certainty: 'likely', text };
  return { kind, certainty, text };
}
