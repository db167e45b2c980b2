import { COLUMN, type Column } from './columns.ts';
import { areKnownFlags, isKnownDetails, readGrpcStatus } from './details.ts';
import { isAbsent } from './shapes.ts';

/** What a column of an unknown format can only be, by its values. */
export type Class =
  | 'time'
  | 'method'
  | 'path'
  | 'url'
  | 'protocol'
  | 'code'
  | 'number'
  | 'flags'
  | 'details'
  | 'termination'
  | 'failure'
  | 'cluster'
  | 'address'
  | 'forwarded'
  | 'uuid'
  | 'agent'
  | 'sni'
  | 'identity'
  | 'grpc'
  | 'absent'
  | 'other';

const METHOD = /^(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PROPFIND|REPORT)$/;
const IPV4 = String.raw`\d{1,3}(?:\.\d{1,3}){3}`;
const FAILURE = /^(?:TLS_error|(?:delayed|immediate)_connect_error|tunnel_response|failed_to_bind|TLS error:)/;
const CLUSTER =
  /^(?:(?:in|out)bound(?:-vip)?\|\d{0,5}\|[^|\s]*\|\S*|(?:in|out)bound_\.\d+_\.\S*|PassthroughCluster|BlackHoleCluster|InboundPassthroughCluster\w*|connect_originate)$/;
const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;
const TERMINATION =
  /^(?:rbac_access_denied_matched_policy\[|transport socket timeout|filter_chain_not_found$|ext_authz_)/;

/** The first that fits all values that are there. */
const TESTS: readonly (readonly [name: Class, test: (value: string) => boolean])[] = [
  ['method', (value) => METHOD.test(value)],
  ['protocol', (value) => /^HTTP\/\d(?:\.\d)?$/.test(value)],
  ['time', (value) => timeNotation(value) !== null],
  ['code', (value) => /^(?:0|[1-5]\d\d)$/.test(value)],
  ['number', (value) => /^\d{1,19}$/.test(value)],
  ['flags', areKnownFlags],
  ['failure', (value) => FAILURE.test(value)],
  ['cluster', (value) => CLUSTER.test(value)],
  ['sni', (value) => /^outbound_\.\d+_\.[^_\s]*_\.\S+$/.test(value)],
  ['uuid', (value) => UUID.test(value)],
  ['identity', (value) => /^spiffe:\/\/[^\s/]+\/ns\/\S+$/.test(value)],
  ['address', (value) => ADDRESS.test(value)],
  ['forwarded', (value) => FORWARDED.test(value)],
  ['details', (value) => isKnownDetails(value)],
  ['termination', (value) => TERMINATION.test(value)],
  ['grpc', (value) => /^[A-Z][A-Za-z_]+$/.test(value) && readGrpcStatus(value) !== null],
  ['path', (value) => /^\/[^\s"]*$/.test(value)],
  ['agent', (value) => AGENT.test(value)],
  ['url', (value) => /^(?:[a-z]+:\/\/)?(?=[^/]*[A-Za-z])[\w.-]+(?::\d{1,5})?\/[^\s"]*$/.test(value)],
];

const ADDRESS = new RegExp(String.raw`^(?:${IPV4}:\d{1,5}|\[[\da-fA-F:.]+\]:\d{1,5}|envoy:\/\/[^\s"]*)$`);
const FORWARDED = new RegExp(
  String.raw`^(?:${IPV4}|[\da-f]{0,4}(?::[\da-f]{0,4}){2,7})(?:, ?(?:${IPV4}|[\da-f:]{3,39}))*$`,
);
const AGENT =
  /^(?:curl|Wget|Mozilla|Go-http-client|kube-probe|okhttp|python-requests|Python|PostmanRuntime|fortio\.org|grpc-[\w-]+|Envoy|Prometheus|axios|node-fetch|Java|Apache-HttpClient|hey|k6|Blackbox[\w-]*|ELB-HealthChecker|GoogleHC|[A-Za-z][\w.-]*-(?:client|agent|exporter|probe|(?=[A-Za-z][\w.-]*\/v?\d)[\w.-]+))(?:\/[\w.+-]+)?(?: .*)?$/;

/** Columns in which so many values may be of another class: an odd one of a filter's own. */
const TOLERANCE = 0.05;

/**
 * What all values (at least 95 % of those that are there) can only be; `absent`: none has a value; `other`: nothing that is
 * known here.
 */
export function classOf(values: readonly string[]): Class {
  const there = values.filter((value) => !isAbsent(value));
  if (there.length === 0) return 'absent';
  const limit = there.length * TOLERANCE;
  for (const [name, test] of TESTS) {
    let wrong = 0;
    for (const value of there) if (!test(value) && ++wrong > limit) break;
    if (wrong <= limit && (wrong === 0 || name === 'details')) return name;
  }
  return 'other';
}

const TIMES: readonly (readonly [pattern: RegExp, notation: string])[] = [
  [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, ''],
  [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, '%Y-%m-%dT%H:%M:%SZ'],
  [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, '%Y-%m-%dT%H:%M:%S.%6fZ'],
  [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/, '%Y-%m-%dT%H:%M:%S.%9fZ'],
  [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}$/, '%Y-%m-%dT%H:%M:%S%z'],
  [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}$/, '%Y-%m-%dT%H:%M:%S.%3f%z'],
  [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$/, '%Y-%m-%dT%H:%M:%S%Ez'],
  [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d$/, '%Y-%m-%dT%H:%M:%S.%3f%Ez'],
  [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$/, '%Y-%m-%dT%H:%M:%S.%3f'],
  [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/, '%Y-%m-%dT%H:%M:%S'],
  [/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/, '%Y-%m-%d %H:%M:%S'],
  [/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/, '%Y-%m-%d %H:%M:%S.%3f'],
  [/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}$/, '%Y-%m-%d %H:%M:%S %z'],
  [/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [+-]\d{4}$/, '%Y-%m-%d %H:%M:%S.%3f %z'],
  [/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d$/, '%Y/%m/%d %H:%M:%S'],
  [/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}$/, '%d/%b/%Y:%H:%M:%S %z'],
  [/^1\d{9}$/, '%s'],
  [/^1\d{9}\.\d{3}$/, '%s.%3f'],
  [/^1\d{9}\.\d{6}$/, '%s.%6f'],
  [/^1\d{12}$/, '%s%3f'],
];

/** The notation (as START_TIME takes it; '': the default) that prints such a time; null: it is none. */
export function timeNotation(value: string): string | null {
  return TIMES.find(([pattern]) => pattern.test(value))?.[1] ?? null;
}

const OPERATORS: ReadonlyMap<Column, string> = new Map<Column, string>([
  [COLUMN.time, '%START_TIME%'],
  [COLUMN.method, '%REQ(:METHOD)%'],
  [COLUMN.path, '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%'],
  [COLUMN.authority, '%REQ(:AUTHORITY)%'],
  [COLUMN.protocol, '%PROTOCOL%'],
  [COLUMN.status, '%RESPONSE_CODE%'],
  [COLUMN.flags, '%RESPONSE_FLAGS%'],
  [COLUMN.details, '%RESPONSE_CODE_DETAILS%'],
  [COLUMN.termination, '%CONNECTION_TERMINATION_DETAILS%'],
  [COLUMN.transportFailure, '%UPSTREAM_TRANSPORT_FAILURE_REASON%'],
  [COLUMN.bytesReceived, '%BYTES_RECEIVED%'],
  [COLUMN.bytesSent, '%BYTES_SENT%'],
  [COLUMN.durationMs, '%DURATION%'],
  [COLUMN.upstreamServiceMs, '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%'],
  [COLUMN.forwardedFor, '%REQ(X-FORWARDED-FOR)%'],
  [COLUMN.userAgent, '%REQ(USER-AGENT)%'],
  [COLUMN.requestId, '%REQ(X-REQUEST-ID)%'],
  [COLUMN.upstreamHost, '%UPSTREAM_HOST%'],
  [COLUMN.cluster, '%UPSTREAM_CLUSTER_RAW%'],
  [COLUMN.upstreamLocal, '%UPSTREAM_LOCAL_ADDRESS%'],
  [COLUMN.downstreamLocal, '%DOWNSTREAM_LOCAL_ADDRESS%'],
  [COLUMN.downstreamRemote, '%DOWNSTREAM_REMOTE_ADDRESS%'],
  [COLUMN.downstreamDirect, '%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%'],
  [COLUMN.serverName, '%REQUESTED_SERVER_NAME%'],
  [COLUMN.route, '%ROUTE_NAME%'],
  [COLUMN.grpcStatus, '%GRPC_STATUS%'],
  [COLUMN.attempts, '%UPSTREAM_REQUEST_ATTEMPT_COUNT%'],
  [COLUMN.sourceIdentity, '%DOWNSTREAM_PEER_URI_SAN%'],
  [COLUMN.destinationIdentity, '%UPSTREAM_PEER_URI_SAN%'],
]);

/**
 * The operator that prints such values of a column; of a column that is not known a place-holder: `%_%` for a word, `%REQ(_)%`
 * for any text.
 */
export function operatorOf(column: Column | null, values: readonly string[], isQuoted: boolean): string {
  if (column === null) return isQuoted || values.some((value) => /[\s"]/.test(value)) ? '%REQ(_)%' : '%_%';
  if (column === COLUMN.time) {
    const notation = timeNotation(values.find((value) => !isAbsent(value)) ?? '');
    return notation ? `%START_TIME(${notation})%` : '%START_TIME%';
  }
  const hasPort = values.some((value) => /:\d+$/.test(value));
  if (column === COLUMN.downstreamRemote && !hasPort) return '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%';
  return OPERATORS.get(column) ?? '%_%';
}
