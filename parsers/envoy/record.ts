import type { Envelope, Instant } from '../../src/model/line.ts';
import type { ConnectionRecord, EnvoyFacts, Peer, Reporter, RequestRecord } from '../../src/model/record.ts';
import { type HostPort, parseHostPort } from '../../src/text/address.ts';
import { redactQuery, redactSecrets } from '../../src/text/redact.ts';
import { parseSpiffeId } from '../../src/text/spiffe.ts';
import { parseInstant } from '../../src/text/time.ts';
import { COLUMN, type Column, cell, hasColumn, numericCell, type Row } from './columns.ts';
import { isAccessDenied, readFlags, readGrpcStatus } from './details.ts';

/**
 * Makes the record of one access log line. HTTP gives a request, anything without method and protocol a connection
 * (envoy 1.37 prints code 0 for TCP). `time` null: taken from the row's START_TIME as RFC 3339 or epoch, else from the
 * collector. Tokens are masked: JSON web tokens anywhere, others in the query of the path.
 */
export function toRecord(
  printed: Row,
  envelope: Envelope,
  parser: string,
  time: Instant | null = null,
): ConnectionRecord | RequestRecord {
  const hasToken = envelope.payload.includes('eyJ');
  const row = hasToken ? printed.map((text) => (text === null ? null : redactSecrets(text))) : printed;
  const envoy = factsOf(row);
  const reporter = reporterOf(envoy, hasColumn(row, COLUMN.cluster));
  const path = cell(row, COLUMN.path);
  const shown = path === null ? null : redactQuery(path);
  const base = {
    at: envelope.at,
    parser,
    proxy: 'envoy',
    reporter,
    origin: envelope.origin,
    time: time ?? readTime(cell(row, COLUMN.time)) ?? envelope.time,
    raw: hasToken || shown !== path ? redactSecrets(envelope.payload) : envelope.payload,
    source: sourceOf(row, envoy),
    destination: destinationOf(row, envoy, reporter),
    service: serviceOf(envoy),
    bytesSent: numericCell(row, COLUMN.bytesSent),
    bytesReceived: numericCell(row, COLUMN.bytesReceived),
    durationMs: numericCell(row, COLUMN.durationMs),
  } as const;
  if (!isRequest(row, envoy)) {
    const hboneAddress = envoy.cluster === CONNECT_ORIGINATE ? envoy.downstreamLocal : null;
    return { kind: 'connection', phase: 'complete', ...base, hboneAddress, error: null, envoy };
  }
  return {
    kind: 'request',
    ...base,
    method: cell(row, COLUMN.method),
    path: shown,
    authority: cell(row, COLUMN.authority),
    protocol: cell(row, COLUMN.protocol),
    status: numericCell(row, COLUMN.status),
    envoy,
  };
}

const ISO_MILLIS_LENGTH = 24;
const EPOCH = /^(\d{10})(\d{3})?(?:\.(\d{1,9}))?$/;

/** START_TIME in its default notation, or as seconds (or milliseconds) since 1970; null: neither. */
export function readTime(text: string | null): Instant | null {
  if (text === null) return null;
  // The default has milliseconds and Z: appending digits is cheaper than parsing.
  if (text.length === ISO_MILLIS_LENGTH && ISO_MILLIS.test(text)) return `${text.slice(0, 23)}000Z`;
  const epoch = EPOCH.exec(text);
  if (epoch === null) return parseInstant(text);
  const [, seconds = '', millis = '', fraction = ''] = epoch;
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${`${millis}${fraction}000000`.slice(0, 6)}Z`;
}

const ISO_MILLIS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const CONNECT_ORIGINATE = 'connect_originate';

function factsOf(row: Row): EnvoyFacts {
  const flags = row[COLUMN.flags] ?? null;
  const [details, termination] = detailsOf(cell(row, COLUMN.details), cell(row, COLUMN.termination));
  const cluster = cell(row, COLUMN.cluster);
  return {
    flags: flags === null ? null : readFlags(flags),
    details,
    detailsKnown: hasColumn(row, COLUMN.details),
    upstreamKnown: UPSTREAM_COLUMNS.some((column) => hasColumn(row, column)),
    termination,
    transportFailure: cell(row, COLUMN.transportFailure),
    upstreamHost: cell(row, COLUMN.upstreamHost),
    // Since Istio 1.23 UPSTREAM_CLUSTER prints the delimited stat prefix (istio 86c9f01f pilot/pkg/networking/telemetry).
    cluster: cluster?.endsWith(';') ? cluster.slice(0, -1) : cluster,
    upstreamLocal: cell(row, COLUMN.upstreamLocal),
    downstreamLocal: cell(row, COLUMN.downstreamLocal),
    downstreamRemote: cell(row, COLUMN.downstreamRemote),
    downstreamDirect: cell(row, COLUMN.downstreamDirect),
    serverName: cell(row, COLUMN.serverName),
    route: cell(row, COLUMN.route),
    grpcStatus: readGrpcStatus(cell(row, COLUMN.grpcStatus)),
    attempts: numericCell(row, COLUMN.attempts),
    forwardedFor: cell(row, COLUMN.forwardedFor),
    userAgent: cell(row, COLUMN.userAgent),
    requestId: cell(row, COLUMN.requestId),
    upstreamServiceMs: numericCell(row, COLUMN.upstreamServiceMs),
  };
}

/** Columns that are empty where the proxy answered by itself. */
const UPSTREAM_COLUMNS: readonly Column[] = [COLUMN.upstreamHost, COLUMN.upstreamServiceMs, COLUMN.upstreamLocal];

/** Before Envoy 1.34 details of codec errors may hold blanks; the text format then leaves their rest to the column after. */
function detailsOf(details: string | null, termination: string | null): readonly [string | null, string | null] {
  return details !== null && termination?.endsWith(' -')
    ? [`${details} ${termination.slice(0, -2)}`, null]
    : [details, termination];
}

/** Columns that only HTTP fills. */
const HTTP_COLUMNS: readonly Column[] = [
  COLUMN.method,
  COLUMN.protocol,
  COLUMN.path,
  COLUMN.authority,
  COLUMN.requestId,
];

/**
 * TCP lines have neither method nor protocol and the code 0. Formats without these two columns are judged by the rest:
 * on TCP only the listener and ext_authz set details (envoy 1.37 source/extensions/filters/network).
 */
function isRequest(row: Row, envoy: EnvoyFacts): boolean {
  if (HTTP_COLUMNS.some((column) => cell(row, column) !== null)) return true;
  if ((numericCell(row, COLUMN.status) ?? 0) > 0) return true;
  if (hasColumn(row, COLUMN.method) || hasColumn(row, COLUMN.protocol) || envoy.details === null) return false;
  return envoy.details !== 'filter_chain_not_found' && !envoy.details.startsWith('ext_authz_');
}

/** Clusters that only one kind of proxy has, by the start of their names. */
const REPORTERS: readonly (readonly [start: string, reporter: Reporter])[] = [
  ['inbound|', 'destination'],
  ['inbound-vip|', 'waypoint'],
  [CONNECT_ORIGINATE, 'waypoint'],
  ['main_internal', 'waypoint'],
  ['InboundPassthrough', 'destination'],
  // East-west gateways route by SNI to clusters named after it.
  ['outbound_.', 'gateway'],
  ['PassthroughCluster', 'source'],
  ['BlackHoleCluster', 'source'],
];

/** Which end printed the line, from the cluster. Null: cannot be told. */
function reporterOf(envoy: EnvoyFacts, hasCluster: boolean): Reporter {
  const { cluster } = envoy;
  const denied = isAccessDenied(envoy.details) || isAccessDenied(envoy.termination);
  if (cluster === null) return clusterlessReporter(envoy, denied && hasCluster);
  // Sidecars have no policy filters on the way out (istio 86c9f01f pilot/pkg/networking/core/listener_builder.go).
  if (cluster.startsWith('outbound|')) return denied || isForwarding(envoy) ? 'gateway' : 'source';
  if (cluster === 'PassthroughCluster' && isInboundPassthrough(envoy)) return 'destination';
  return REPORTERS.find(([start]) => cluster.startsWith(start))?.[1] ?? null;
}

/** Without a cluster (absent, not missing in the format) a denial is inbound. */
function clusterlessReporter(envoy: EnvoyFacts, denied: boolean): Reporter {
  if (denied) return 'destination';
  // The catch-all route of REGISTRY_ONLY exists outbound only (istio 86c9f01f pilot/pkg/networking/util/util.go).
  return envoy.route === 'block_all' ? 'source' : null;
}

/**
 * UPSTREAM_CLUSTER names the passthrough clusters of both directions alike. The inbound one binds to 127.0.0.6 or ::6 and
 * has the route `default`, the outbound one `allow_any` (istio 86c9f01f pilot/pkg/networking/core/cluster.go).
 */
function isInboundPassthrough(envoy: EnvoyFacts): boolean {
  const own = parseHostPort(envoy.upstreamLocal)?.host;
  return own === '127.0.0.6' || own === '::6' || envoy.route === 'default';
}

/**
 * True when the proxy calls out from another address than it was called from: a sidecar is called by its own pod. Port 0
 * means that the caller's address was read from X-Forwarded-For, which applications pass on; then only a line whose own
 * address is both called and calling is a gateway's.
 */
function isForwarding(envoy: EnvoyFacts): boolean {
  const own = parseHostPort(envoy.upstreamLocal);
  const caller = parseHostPort(envoy.downstreamDirect ?? envoy.downstreamRemote);
  if (own === null || caller === null || own.host === caller.host) return false;
  if (own.host.includes(':') !== caller.host.includes(':')) return false;
  if (caller.port !== 0) return true;
  return parseHostPort(envoy.downstreamLocal)?.host === own.host;
}

function sourceOf(row: Row, envoy: EnvoyFacts): Peer {
  return peerOf(
    parseHostPort(envoy.downstreamDirect ?? envoy.downstreamRemote),
    cell(row, COLUMN.sourceWorkload),
    cell(row, COLUMN.sourceNamespace),
    cell(row, COLUMN.sourceIdentity),
  );
}

function destinationOf(row: Row, envoy: EnvoyFacts, reporter: Reporter): Peer {
  const own = parseHostPort(envoy.downstreamLocal);
  const next = upstreamAddress(envoy.upstreamHost);
  return peerOf(
    // Inbound the upstream is the application in the own pod, and was called by 127.0.0.1 up to Istio 1.9.
    reporter === 'destination' ? (own ?? (next?.host.startsWith('127.') ? null : next)) : (next ?? own),
    cell(row, COLUMN.destinationWorkload),
    cell(row, COLUMN.destinationNamespace),
    cell(row, COLUMN.destinationIdentity),
  );
}

function peerOf(
  address: HostPort | null,
  workload: string | null,
  namespace: string | null,
  identity: string | null,
): Peer {
  return {
    address: address?.host ?? null,
    // 0: the address was taken from X-Forwarded-For, where no port stands.
    port: address?.port ?? null,
    workload,
    namespace,
    identity: identity === null ? null : parseSpiffeId(identity.split(',', 1)[0] ?? null),
    cluster: null,
  };
}

/** `ip:port`, also behind an internal listener: `envoy://connect_originate/10.0.0.1:80`. */
function upstreamAddress(host: string | null): HostPort | null {
  if (host === null) return null;
  return parseHostPort(host.startsWith('envoy://') ? host.slice(host.indexOf('/', 'envoy://'.length) + 1) : host);
}

/** Host of the Service, from `outbound|PORT|SUBSET|HOST` or the SNI `outbound_.PORT_.SUBSET_.HOST`; null: not told. */
function serviceOf(envoy: EnvoyFacts): string | null {
  return clusterHost(envoy.cluster) ?? serverNameHost(envoy.serverName);
}

function clusterHost(cluster: string | null): string | null {
  if (cluster === null) return null;
  if (!cluster.startsWith('outbound|') && !cluster.startsWith('inbound')) return serverNameHost(cluster);
  const host = cluster.slice(cluster.lastIndexOf('|') + 1);
  // Up to Istio 1.9 `mgmtCluster` stood there for the ports of probes.
  return host === '' || host === 'mgmtCluster' || host === cluster ? null : host;
}

const SERVER_NAME = /^outbound_\.\d+_\.[^_]*_\.(.+)$/;

function serverNameHost(name: string | null): string | null {
  return name?.startsWith('outbound_.') ? (SERVER_NAME.exec(name)?.[1] ?? null) : null;
}
