import { isPlaintextToTls, proxyReplyOfSize } from '../causes/envoy-reply.ts';
import { jwtMessagesOfLength } from '../causes/jwt-refusal.ts';
import { proberOf } from '../causes/prober.ts';
import type { ConnectionRecord, DiagnosticRecord, EnvoyFacts, LogRecord, RequestRecord } from '../model/record.ts';
import { pathShape } from '../text/path-shape.ts';
import { isPrivateAddress } from '../text/private-address.ts';

const SEPARATOR = '\u0001';

/**
 * What is equal in all records of one flow. Times, source ports, request ids, sizes and durations stand in no key; in
 * paths, queries are left out and segments that look like ids are masked; public client addresses are one class, so that
 * an internet full of clients is one flow.
 */
export function flowKey(record: LogRecord): string {
  switch (record.kind) {
    case 'connection':
      return connectionKey(record);
    case 'request':
      return requestKey(record);
    case 'diagnostic':
      return diagnosticKey(record);
  }
}

function connectionKey(record: ConnectionRecord): string {
  const { source, destination, envoy } = record;
  const outcome = envoy === null ? maskVolatile(record.error) : envoyKey(envoy);
  return `c${record.proxy}${SEPARATOR}${record.phase}${SEPARATOR}${record.reporter}${SEPARATOR}${clientAddress(source.address)}${SEPARATOR}${source.workload}${SEPARATOR}${source.namespace}${SEPARATOR}${source.identity}${SEPARATOR}${destination.address}${SEPARATOR}${destination.port}${SEPARATOR}${destination.workload}${SEPARATOR}${destination.namespace}${SEPARATOR}${destination.identity}${SEPARATOR}${record.hboneAddress}${SEPARATOR}${record.service}${SEPARATOR}${printerOf(record)}${SEPARATOR}${outcome}`;
}

function requestKey(record: RequestRecord): string {
  const { source, destination, envoy } = record;
  return `r${record.reporter}${SEPARATOR}${clientAddress(source.address)}${SEPARATOR}${source.identity}${SEPARATOR}${destination.address}${SEPARATOR}${destination.port}${SEPARATOR}${record.service}${SEPARATOR}${record.method}${SEPARATOR}${pathShape(record.path)}${SEPARATOR}${record.authority}${SEPARATOR}${record.status}${SEPARATOR}${answerOf(record)}${SEPARATOR}${proberKey(record)}${SEPARATOR}${printerOf(record)}${SEPARATOR}${envoyKey(envoy)}`;
}

/** Which proxy's standard answer an error may be by its size; an application's own answers are one class. */
function answerOf(record: RequestRecord): string {
  const { status, bytesSent } = record;
  if (status === null || status < 400 || bytesSent === null) return '';
  if (status === 401) return jwtMessagesOfLength(status, bytesSent).join();
  if (isPlaintextToTls(status, bytesSent)) return 'tls';
  return proxyReplyOfSize(status, bytesSent) ?? '';
}

/** Who asked only to see whether something answers, of what failed: that is no failure of another caller. */
function proberKey(record: RequestRecord): string {
  return record.status === null || record.status < 400 ? '' : (proberOf(record)?.told ?? '');
}

function envoyKey(envoy: EnvoyFacts): string {
  const failure = envoy.transportFailure === null ? '' : maskVolatile(envoy.transportFailure);
  return `${envoy.flags === null ? '?' : envoy.flags.join(',')}${SEPARATOR}${envoy.details}${SEPARATOR}${envoy.termination}${SEPARATOR}${failure}${SEPARATOR}${envoy.upstreamHost}${SEPARATOR}${envoy.cluster}${SEPARATOR}${envoy.downstreamLocal}${SEPARATOR}${envoy.serverName}${SEPARATOR}${envoy.route}${SEPARATOR}${envoy.grpcStatus}`;
}

function diagnosticKey(record: DiagnosticRecord): string {
  const fields = Object.keys(record.fields)
    .sort()
    .filter((name) => !VOLATILE_FIELDS.has(name))
    .map((name) => `${name}=${maskVolatile(record.fields[name] ?? null)}`);
  return `d${record.proxy}${SEPARATOR}${record.severity}${SEPARATOR}${record.scope}${SEPARATOR}${printerOf(record)}${SEPARATOR}${maskVolatile(record.message)}${SEPARATOR}${fields.join(SEPARATOR)}`;
}

/**
 * Who printed a record, as far as its log tells: the pod with its namespace and cluster, or the node. Two clusters may have pods
 * of one name, and their archives or folders are told apart by their own names.
 */
export function printerOf({ origin, at }: Pick<LogRecord, 'origin' | 'at'>): string {
  const { cluster, namespace, pod, node } = origin;
  const who = pod === null ? `${cluster}//${node}` : `${cluster}/${namespace}/${pod}`;
  const bundle = BUNDLE_ENDS.map((mark) => at.input.indexOf(mark)).find((end) => end >= 0);
  return bundle === undefined ? who : `${at.input.slice(0, bundle)} ${who}`;
}

/** What stands behind the name of an archive, and behind the folder of `istioctl bug-report` or must-gather. */
const BUNDLE_ENDS = ['!', '/proxies/', '/namespaces/'] as const;

/** Span ids, peers with their ports, threads and tags that differ from line to line. */
const VOLATILE_FIELDS: ReadonlySet<string> = new Set([
  'id',
  'peer',
  'uid',
  'thread',
  'connection',
  'stream',
  'nonce',
  'caller',
]);

/**
 * A text with what differs between two prints of the same thing masked: ports after addresses, hexadecimal ids, times,
 * durations and long numbers. Short numbers stay (status codes, names such as `policy-2`).
 */
export function maskVolatile(text: string | null): string {
  if (text === null) return '';
  if (!VOLATILE.test(text)) return text;
  return text.replace(VOLATILE_ALL, maskMatch);
}

/** Address with port (4 or more digits of port, so `:80` stays), unix time and long number, hex id, duration, date. */
const PATTERN =
  /(\b\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]{2,45}\]):\d{4,5}(?!\d)|\b\d{4}-\d{2}-\d{2}T[0-9:.]+Z|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b(?=[0-9a-f]*\d)[0-9a-f]{16,}\b|\b\d+(?:\.\d+)?(?:ns|µs|us|ms|s)\b|\b\d+ seconds|\b\d{6,}\b/;
const VOLATILE = new RegExp(PATTERN);
const VOLATILE_ALL = new RegExp(PATTERN, 'g');

function maskMatch(match: string, address: string | undefined): string {
  // Well-known ports say what failed; others behind an address are ephemeral.
  if (address === undefined) return '#';
  return Number(match.slice(address.length + 1)) < 32768 ? match : `${address}:#`;
}

/** Private and special addresses as they are; every public one as `public`. */
function clientAddress(address: string | null): string {
  if (address === null) return '';
  return isPrivateAddress(address) ? address : 'public';
}
