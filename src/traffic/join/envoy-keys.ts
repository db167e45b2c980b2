import type { ConnectionRecord, DiagnosticRecord, EnvoyFacts, LogRecord, RequestRecord } from '../../model/record.ts';
import { parseHostPort } from '../../text/address.ts';
import { parseKnativeCall } from '../../text/knative-line.ts';
import { pathShape } from '../../text/path-shape.ts';
import { printerOf } from '../key.ts';
import { marksOf } from '../marks.ts';
import { type KeyOf, keyOf } from './key.ts';

/** A request at the caller's sidecar or gateway, keyed by pod and port that were called, method, path and status. */
export function outboundRequest(accepts: (record: RequestRecord) => boolean): KeyOf {
  return (record) =>
    record.kind === 'request' && isCaller(record) && accepts(record)
      ? requestKey(record.envoy.upstreamHost, record)
      : null;
}

/** The same at the sidecar of the pod that was called. */
export function inboundRequest(accepts: (record: RequestRecord) => boolean): KeyOf {
  return (record) =>
    record.kind === 'request' && record.reporter === 'destination' && accepts(record)
      ? requestKey(record.envoy.downstreamLocal, record)
      : null;
}

function requestKey(called: string | null, { method, path, status }: RequestRecord): string | null {
  return path === null ? null : keyOf(called, method, pathShape(path), status);
}

/** Adds the caller's own address to the key of a line: a sidecar's or gateway's own end, or who called the pod. */
export function fromCaller(key: KeyOf): KeyOf {
  return (record) => {
    if (record.kind === 'diagnostic' || record.envoy === null) return null;
    const own = isCaller(record) ? parseHostPort(record.envoy.upstreamLocal)?.host : null;
    return keyOf(own ?? record.source.address, key(record));
  };
}

/** A connection or request of the caller's sidecar or gateway that the other end cut, keyed by pod and port. */
export function outboundCut(record: LogRecord): string | null {
  if (record.kind === 'diagnostic' || record.envoy === null || !isCaller(record)) return null;
  const { flags, upstreamHost } = record.envoy;
  return flags?.some((flag) => flag === 'UC' || flag === 'UR') ? keyOf(upstreamHost) : null;
}

/**
 * A connection that the listener of the pod that was called refused, by its chains or its policies. A format without details
 * shows the first by a flag: a listener that found no chain knows no cluster.
 */
export function inboundRefusal(record: LogRecord): string | null {
  if (record.kind !== 'connection' || record.envoy === null || isCaller(record)) return null;
  const { details, detailsKnown, termination, downstreamLocal, flags, cluster } = record.envoy;
  const isUnmatched = detailsKnown
    ? details === 'filter_chain_not_found'
    : cluster === null && flags?.includes('NR') === true;
  return isUnmatched || DENIAL.test(details ?? termination ?? '') ? keyOf(downstreamLocal) : null;
}

/** A 502 that came from a proxy of Knative, by its ports, keyed by its pod (knative/networking pkg/constants.go). */
export function knativeAnswer(record: LogRecord): string | null {
  if (record.kind !== 'request' || record.status !== 502 || !isCaller(record)) return null;
  const called = parseHostPort(record.envoy.upstreamHost);
  return called !== null && KNATIVE_PORTS.has(called.port ?? 0) ? keyOf(called.host) : null;
}

/** Ports of activator and queue-proxy: HTTP/1, HTTP/2 and TLS. */
const KNATIVE_PORTS: ReadonlySet<number> = new Set([8012, 8013, 8112]);

/** An error of Knative's own log about a connection that broke, keyed by the end that printed it. */
export function knativeError(record: LogRecord): string | null {
  if (record.kind !== 'diagnostic' || record.proxy !== 'knative') return null;
  const [, address] = /^socket (\S+) /.exec(marksOf(record)[0] ?? '') ?? [];
  return keyOf(address);
}

/** A request that came from a proxy of Knative, by its ports: that passes the answer of the revision on, with its status. */
export function throughKnative(record: LogRecord): string | null {
  if (record.kind !== 'request' || !isCaller(record)) return null;
  const called = parseHostPort(record.envoy.upstreamHost);
  return called !== null && KNATIVE_PORTS.has(called.port ?? 0) ? passedRequest(record) : null;
}

/** The same at the proxy of the revision, which refused it or had no answer for it itself. */
export function behindKnative(record: LogRecord): string | null {
  return record.kind === 'request' && !isCaller(record) ? passedRequest(record) : null;
}

/** A request that the caller's sidecar passed on to the address it was sent to, which is a Service's as a rule, and no pod's. */
export function passedThrough(accepts: (record: RequestRecord) => boolean): KeyOf {
  return (record) =>
    record.kind === 'request' && isCaller(record) && record.envoy.cluster === 'PassthroughCluster' && accepts(record)
      ? passedRequest(record)
      : null;
}

/** The same at the sidecar of the pod behind that address, which refused it. */
export function refusedRequest(accepts: (record: RequestRecord) => boolean): KeyOf {
  return (record) =>
    record.kind === 'request' && record.reporter === 'destination' && accepts(record) ? passedRequest(record) : null;
}

function passedRequest({ method, path, status }: RequestRecord): string | null {
  return path === null || (status ?? 0) < 400 ? null : keyOf(method, pathShape(path), status);
}

/** A probe or scrape of Knative, keyed by what was asked for and the status of the answer. */
export function knativeCall(record: LogRecord): string | null {
  if (record.kind !== 'diagnostic' || record.proxy !== 'knative') return null;
  const { scope, message, fields } = record;
  const call = parseKnativeCall(scope, message, fields);
  const text = `${fields['error'] ?? ''} ${message}`;
  const status =
    PROXY_ANSWERS.find(([pattern]) => pattern.test(text))?.[1] ?? /\b(?:got|HTTP status) (\d{3})\b/.exec(text)?.[1];
  return call === null ? null : keyOf(call.host, call.port, call.path, status);
}

/** The same in an access log: the probe's own host stands in its header. */
export function askedByHost(record: LogRecord): string | null {
  if (record.kind !== 'request' || (record.status ?? 0) < 400) return null;
  const [, host, port] = AUTHORITY.exec(record.authority ?? '') ?? [];
  return keyOf(host, port ?? '80', record.path?.split('?', 1)[0], record.status);
}

const AUTHORITY = /^([^:]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(?::(\d{1,5}))?$/;
/** Bodies of Envoy's own answers, which Knative prints in place of the status. */
const PROXY_ANSWERS: readonly (readonly [RegExp, number])[] = [
  [/RBAC: access denied/, 403],
  [/disconnect\/reset before headers|no healthy upstream/, 503],
];

/** Who printed a line; logs that tell nothing of that are taken for those of one proxy. */
function proxyOf(record: LogRecord): string {
  const printer = printerOf(record);
  return printer === '' ? 'a proxy' : printer;
}

const ORIGINATED = /^envoy:\/\/connect_originate\/(.+)$/;

/** A request or connection that a waypoint sent into a tunnel of its own, keyed by pod and port that were called. */
export function intoTunnel(record: LogRecord): string | null {
  if (record.kind === 'diagnostic' || record.envoy === null) return null;
  const { envoy } = record;
  if (envoy.flags?.length === 0) return null;
  return keyOf(proxyOf(record), ORIGINATED.exec(envoy.upstreamHost ?? '')?.[1]);
}

/** The line of that tunnel. */
export function waypointTunnel(record: LogRecord): string | null {
  return isWaypointTunnel(record) ? keyOf(proxyOf(record), record.envoy.downstreamLocal) : null;
}

/** The same, keyed by the waypoint's pod as far as the log tells it, and the next hop. */
export function waypointCall(record: LogRecord): string | null {
  if (!isWaypointTunnel(record) || !/^tunnel_response:(?:401|403|503)/.test(record.envoy.transportFailure ?? ''))
    return null;
  const hop = parseHostPort(record.envoy.upstreamHost);
  return keyOf(record.origin.pod ?? 'a waypoint', hop?.host, record.envoy.downstreamLocal);
}

function isWaypointTunnel(record: LogRecord): record is ConnectionRecord & { readonly envoy: EnvoyFacts } {
  return record.kind === 'connection' && record.envoy?.cluster === 'connect_originate';
}

/** A CONNECT that a sidecar or waypoint refused on its HBONE port, keyed by caller, pod and status. */
export function refusedConnect(record: LogRecord): string | null {
  if (record.kind !== 'request' || record.method !== 'CONNECT') return null;
  const own = parseHostPort(record.envoy.downstreamLocal);
  return own?.port === 15008 ? keyOf(record.source.address, own.host, record.status) : null;
}

/** A line of a filter's debug log, keyed by the pod and what `part` finds. */
export function envoyLine(part: (record: DiagnosticRecord) => string | null | undefined): KeyOf {
  return (record) =>
    record.kind === 'diagnostic' && record.proxy === 'envoy' ? inPod(record, part(record) ?? null) : null;
}

/** A denial in the access log, keyed by the pod and what the pattern finds in its details. */
export function deniedBy(pattern: RegExp): KeyOf {
  return (record) => {
    if (record.kind === 'diagnostic' || record.envoy === null) return null;
    const { details, termination } = record.envoy;
    return inPod(record, pattern.exec(details ?? termination ?? '')?.[1] ?? null);
  };
}

/** Details are printed with underscores for blanks (envoy 1.37 source/common/common/utility.h, replaceAllEmptySpace). */
function inPod(record: LogRecord, told: string | null): string | null {
  return keyOf(proxyOf(record), told?.replaceAll(' ', '_'));
}

function isCaller({ reporter }: LogRecord): boolean {
  return reporter === 'source' || reporter === 'gateway';
}

const DENIAL = /^rbac_access_denied_matched_policy\[/;
