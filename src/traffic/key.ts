import { isPlaintextToTls, proxyReplyOfSize } from '../causes/envoy-reply.ts';
import { jwtMessagesOfLength } from '../causes/jwt-refusal.ts';
import { proberOf } from '../causes/prober.ts';
import type { Origin } from '../model/line.ts';
import type { ConnectionRecord, DiagnosticRecord, EnvoyFacts, LogRecord, RequestRecord } from '../model/record.ts';
import { parseHostPort } from '../text/address.ts';
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

/** Behind all others in the order of keys: of two flows of one event the one that tells more comes first. */
const UNTOLD = '~';

/** Puts what tells a flow from others together. Faster than a template, which is made piece by piece. */
function keyOf(parts: readonly (string | number | null)[]): string {
  return parts.map((part) => part ?? UNTOLD).join(SEPARATOR);
}

function connectionKey(record: ConnectionRecord): string {
  const { source, destination, envoy } = record;
  return keyOf([
    `c${record.proxy}`,
    record.phase,
    record.reporter,
    clientAddress(source.address),
    source.workload,
    source.namespace,
    source.identity,
    destination.address,
    destination.port,
    destination.workload,
    destination.namespace,
    destination.identity,
    record.hboneAddress,
    record.service,
    printerOf(record),
    ...(envoy === null ? [maskVolatile(record.error)] : envoyKey(envoy)),
  ]);
}

function requestKey(record: RequestRecord): string {
  const { source, destination, envoy } = record;
  return keyOf([
    'r',
    record.reporter,
    clientAddress(source.address),
    source.identity,
    destination.address,
    destination.port,
    record.service,
    record.method,
    pathShape(record.path),
    record.authority,
    record.status,
    answerOf(record),
    proberKey(record),
    printerOf(record),
    ...envoyKey(envoy),
  ]);
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
  return proberOf(record)?.told ?? '';
}

function envoyKey(envoy: EnvoyFacts): readonly (string | number | null)[] {
  return [
    envoy.flags === null ? '?' : envoy.flags.join(),
    envoy.details,
    envoy.termination,
    maskVolatile(envoy.transportFailure),
    envoy.upstreamHost,
    envoy.cluster,
    envoy.downstreamLocal,
    envoy.serverName,
    envoy.route,
    envoy.grpcStatus,
  ];
}

function diagnosticKey(record: DiagnosticRecord): string {
  const fields = Object.keys(record.fields)
    .sort()
    .filter((name) => !VOLATILE_FIELDS.has(name))
    .map((name) => `${name}=${fieldKey(name, record.fields[name] ?? null)}`);
  const { proxy, severity, scope } = record;
  return keyOf([`d${proxy}`, severity, scope, printerOf(record), maskVolatile(record.message), ...fields]);
}

/** What Envoy's RBAC filter prints of a request is read as in an access log. */
function fieldKey(name: string, value: string | null): string {
  if (name === ':path') return pathShape(value) ?? '';
  return ADDRESS_FIELDS.has(name) ? clientAddress(parseHostPort(value)?.host ?? value) : maskVolatile(value);
}

const ADDRESS_FIELDS: ReadonlySet<string> = new Set(['sourceIP', 'directRemoteIP', 'remoteIP', 'remoteAddress']);

/**
 * Who printed a record, as far as its log tells: the pod with its namespace and cluster, or the node. Two clusters may have pods
 * of one name, and their archives or folders are told apart by their own names.
 */
export function printerOf({ origin, at }: Pick<LogRecord, 'origin' | 'at'>): string {
  const bundle = bundleOf(at.input);
  const who = whoIn(origin);
  return bundle === '' ? who : `${bundle} ${who}`;
}

function whoIn({ cluster, namespace, pod, node }: Origin): string {
  if (pod !== null) return `${cluster}/${namespace}/${pod}`;
  return cluster === null && node === null ? '' : `${cluster}//${node}`;
}

function bundleOf(input: string): string {
  for (const mark of BUNDLE_ENDS) {
    const end = input.indexOf(mark);
    if (end >= 0) return input.slice(0, end);
  }
  return '';
}

/** What stands behind the name of an archive, and behind the folder of `istioctl bug-report` or must-gather. */
const BUNDLE_ENDS = ['!', '/proxies/', '/namespaces/'] as const;

/** Span ids, peers with their ports, threads, tags and headers that differ from line to line. */
const VOLATILE_FIELDS: ReadonlySet<string> = new Set([
  'id',
  'peer',
  'uid',
  'thread',
  'connection',
  'stream',
  'nonce',
  'caller',
  'x-request-id',
  'x-forwarded-for',
  'user-agent',
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
