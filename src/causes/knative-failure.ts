import type { DiagnosticRecord } from '../model/record.ts';

/**
 * Why Knative's activator could not probe a revision, or its autoscaler could not scrape one. `denied`: a policy answered
 * 403. `plaintext`: the proxy of the pod ended the connection or answered as proxies do when mutual TLS is missing on one
 * side. `unreached`: no answer in time. `failed`: anything else.
 */
export type KnativeFailure = 'denied' | 'plaintext' | 'unreached' | 'failed';

const WHAT = /Failed to probe|Failed probing pods|Failed to scrape|Failed scraping pod|unsuccessful scrape/i;
const ERRORS: readonly (readonly [RegExp, KnativeFailure])[] = [
  [/RBAC: access denied|(?:HTTP status|got) 403\b/, 'denied'],
  [/disconnect\/reset before headers|(?:HTTP status|got) 50[23]\b|connection reset by peer|\bEOF\b/, 'plaintext'],
  [/context deadline exceeded|i\/o timeout|no route to host/, 'unreached'],
];

/**
 * Reads a line of Knative (knative/serving pkg/activator/net/revision_backends.go, pkg/autoscaler/metrics); null: it is
 * about something else. The error stands in a field of its own.
 */
export function knativeFailure(record: DiagnosticRecord): KnativeFailure | null {
  const error = record.fields['error'] ?? '';
  if (!WHAT.test(record.message) && !WHAT.test(error)) return null;
  const text = `${record.message} ${error}`;
  return ERRORS.find(([pattern]) => pattern.test(text))?.[1] ?? 'failed';
}

/**
 * Why activator or queue-proxy could not pass a request on. `cut`: the connection was closed before an answer. `not-listening`:
 * the application in the same pod does not take connections; `refused`: another pod does not.
 */
export type ForwardFailure = 'cut' | 'not-listening' | 'refused' | 'timed-out' | 'client-left' | 'other';

const FORWARDING = /^error reverse proxying request\b/;
const FORWARD_ERRORS: readonly (readonly [RegExp, ForwardFailure])[] = [
  [/context canceled|client disconnected/, 'client-left'],
  [/dial tcp (?:127\.0\.0\.1|\[::1\]):\d+: connect: connection refused/, 'not-listening'],
  [/connection refused/, 'refused'],
  [/context deadline exceeded|i\/o timeout|no route to host|timeout awaiting/, 'timed-out'],
  [/connection reset by peer|\bEOF\b|broken pipe|server closed idle connection/, 'cut'],
];

/** Reads what Knative's reverse proxies say when they answer 502 (knative/pkg network/error_handler.go); null: something else. */
export function forwardFailure(record: DiagnosticRecord): ForwardFailure | null {
  if (!FORWARDING.test(record.message)) return null;
  const error = record.fields['error'] ?? '';
  return FORWARD_ERRORS.find(([pattern]) => pattern.test(error))?.[1] ?? 'other';
}

/**
 * Why the activator has no connection to the autoscaler, to which it reports what waits. `cut`: it was closed while it was opened,
 * as plaintext is by a STRICT workload and any caller by a denial at layer 4. `unnamed`: the line only says that there is none.
 */
export type ReportFailure = 'cut' | 'refused' | 'unresolved' | 'unreached' | 'denied' | 'unnamed';

const REPORTING =
  /^(?:Websocket connection could not be established|Failed to send ping message to wss?:\/\/|Healthcheck failed: connection has not yet been established)/;
const REPORT_ERRORS: readonly (readonly [RegExp, ReportFailure])[] = [
  [/no such host|server misbehaving/, 'unresolved'],
  [/connection refused/, 'refused'],
  [/context deadline exceeded|i\/o timeout|no route to host/, 'unreached'],
  [/\b403\b|RBAC: access denied/, 'denied'],
  [/connection reset by peer|\bEOF\b|bad handshake/, 'cut'],
];

/** Reads what the activator says of its connection to the autoscaler (knative/pkg websocket/connection.go); null: something else. */
export function reportFailure(record: DiagnosticRecord): ReportFailure | null {
  if (!REPORTING.test(record.message)) return null;
  const text = `${record.message} ${record.fields['error'] ?? ''}`;
  return REPORT_ERRORS.find(([pattern]) => pattern.test(text))?.[1] ?? 'unnamed';
}
