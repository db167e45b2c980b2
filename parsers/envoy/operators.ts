import { COLUMN, type Column } from './columns.ts';

/**
 * What the printed value of an operator can look like (envoy 1.37 docs, configuration/observability/access_log):
 * `number`: digits or `-`; `protocol`: `HTTP/2` or `-`; `word`: no blank, no quote; `phrase`: blanks, but no quote, and
 * the proxy writes it; `header`: free text that seldom has blanks (path, authority, ids); `free`: anything at all;
 * `time`: as its argument says.
 */
export type Shape = 'number' | 'protocol' | 'word' | 'phrase' | 'header' | 'free' | 'time';

/** One command operator of a format string. */
export interface Operator {
  /** `REQ`. */
  readonly name: string;
  /** What stands in the parentheses; null: none. */
  readonly argument: string | null;
  readonly shape: Shape;
  /** The column it fills; null: read over. */
  readonly column: Column | null;
  /** False: no operator of this name is known here; its value is taken as free text. */
  readonly known: boolean;
}

type Kind = readonly [shape: Shape, column: Column | null];

/** Operators without argument that fill a column. */
const FILLING: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['START_TIME', ['time', COLUMN.time]],
  ['START_TIME_LOCAL', ['time', COLUMN.time]],
  ['PROTOCOL', ['protocol', COLUMN.protocol]],
  ['RESPONSE_CODE', ['number', COLUMN.status]],
  ['RESPONSE_FLAGS', ['word', COLUMN.flags]],
  ['RESPONSE_FLAGS_LONG', ['word', COLUMN.flags]],
  ['RESPONSE_CODE_DETAILS', ['word', COLUMN.details]],
  ['CONNECTION_TERMINATION_DETAILS', ['phrase', COLUMN.termination]],
  ['UPSTREAM_TRANSPORT_FAILURE_REASON', ['phrase', COLUMN.transportFailure]],
  ['BYTES_RECEIVED', ['number', COLUMN.bytesReceived]],
  ['BYTES_SENT', ['number', COLUMN.bytesSent]],
  ['DURATION', ['number', COLUMN.durationMs]],
  ['UPSTREAM_HOST', ['word', COLUMN.upstreamHost]],
  ['UPSTREAM_CLUSTER', ['word', COLUMN.cluster]],
  ['UPSTREAM_CLUSTER_RAW', ['word', COLUMN.cluster]],
  ['UPSTREAM_LOCAL_ADDRESS', ['word', COLUMN.upstreamLocal]],
  ['UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT', ['word', COLUMN.upstreamLocal]],
  ['DOWNSTREAM_LOCAL_ADDRESS', ['word', COLUMN.downstreamLocal]],
  ['DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT', ['word', COLUMN.downstreamLocal]],
  ['DOWNSTREAM_REMOTE_ADDRESS', ['word', COLUMN.downstreamRemote]],
  ['DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT', ['word', COLUMN.downstreamRemote]],
  ['DOWNSTREAM_DIRECT_REMOTE_ADDRESS', ['word', COLUMN.downstreamDirect]],
  ['DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT', ['word', COLUMN.downstreamDirect]],
  ['REQUESTED_SERVER_NAME', ['word', COLUMN.serverName]],
  ['ROUTE_NAME', ['phrase', COLUMN.route]],
  ['GRPC_STATUS', ['word', COLUMN.grpcStatus]],
  ['GRPC_STATUS_NUMBER', ['number', COLUMN.grpcStatus]],
  ['UPSTREAM_REQUEST_ATTEMPT_COUNT', ['number', COLUMN.attempts]],
  ['DOWNSTREAM_PEER_URI_SAN', ['word', COLUMN.sourceIdentity]],
  ['UPSTREAM_PEER_URI_SAN', ['word', COLUMN.destinationIdentity]],
  ['STREAM_ID', ['word', COLUMN.requestId]],
]);

/** All others, by shape. The first that fits. */
const OTHERS: readonly (readonly [name: RegExp, shape: Shape])[] = [
  [/^EMIT_TIME(?:_LOCAL)?$|_PEER_CERT_V_(?:START|END)$/, 'time'],
  [/^(?:REQ|RESP|TRAILER|STREAM_INFO_REQ|REQUEST_HEADER|RESPONSE_HEADER|RESPONSE_TRAILER|REQ_WITHOUT_QUERY)$/, 'free'],
  [/^(?:DYNAMIC_METADATA|CLUSTER_METADATA|UPSTREAM_METADATA|METADATA|(?:UPSTREAM_)?FILTER_STATE)$/, 'free'],
  [
    /^(?:CEL|TYPED_CEL|XFCC_VALUE|ENVIRONMENT|QUERY_PARAMS?|PATH|COALESCE|FILE_CONTENT|SECRET|LOCAL_REPLY_BODY)$/,
    'free',
  ],
  [/_(?:SUBJECT|ISSUER)$/, 'free'],
  [/^(?:VIRTUAL_CLUSTER_NAME|FILTER_CHAIN_NAME|DOWNSTREAM_TRANSPORT_FAILURE_REASON)$|_LOCAL_CLOSE_REASON$/, 'phrase'],
  [/^(?:UPSTREAM_PROTOCOL)$/, 'protocol'],
  [/BYTES(?:_SENT|_RECEIVED|_RETRANSMITTED)?$|PACKETS_RETRANSMITTED$|DURATION$|_PORT$|CONNECTION_ID$/, 'number'],
  [/_BYTES_(?:SENT|RECEIVED)$/, 'number'],
  [
    /^(?:UPSTREAM|DOWNSTREAM|TLS|RESPONSE|GRPC|HOSTNAME|UNIQUE_ID|TRACE_ID|SPAN_ID|CUSTOM_FLAGS|ACCESS_LOG_TYPE)/,
    'word',
  ],
];

/** Request headers that fill a column, by lower-case name. `:path` also as second choice of `X?Y`. */
const REQUEST_HEADERS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  [':method', ['word', COLUMN.method]],
  [':path', ['header', COLUMN.path]],
  ['x-envoy-original-path', ['header', COLUMN.path]],
  [':authority', ['header', COLUMN.authority]],
  ['host', ['header', COLUMN.authority]],
  ['x-forwarded-for', ['header', COLUMN.forwardedFor]],
  ['user-agent', ['free', COLUMN.userAgent]],
  ['x-request-id', ['header', COLUMN.requestId]],
]);

/** Istio's peer metadata and HBONE identities in filter state (istio/proxy extensions; keys before 1.24 start `wasm.`). */
const FILTER_STATES: ReadonlyMap<string, Column> = new Map([
  ['io.istio.peer_principal', COLUMN.sourceIdentity],
  ['downstream_peer:namespace', COLUMN.sourceNamespace],
  ['downstream_peer:workload', COLUMN.sourceWorkload],
  ['downstream_peer:name', COLUMN.sourceWorkload],
  ['upstream_peer:namespace', COLUMN.destinationNamespace],
  ['upstream_peer:workload', COLUMN.destinationWorkload],
  ['upstream_peer:name', COLUMN.destinationWorkload],
]);

/** Describes an operator by its name and argument. */
export function describeOperator(name: string, argument: string | null): Operator {
  const kind = filling(name, argument);
  if (kind !== null) return { name, argument, shape: kind[0], column: kind[1], known: true };
  const other = OTHERS.find(([pattern]) => pattern.test(name));
  return { name, argument, shape: other?.[1] ?? 'free', column: null, known: other !== undefined };
}

function filling(name: string, argument: string | null): Kind | null {
  if (name === 'FILTER_STATE') return filterState(argument ?? '');
  if (argument === null || name.endsWith('_TIME') || name.endsWith('_TIME_LOCAL')) return FILLING.get(name) ?? null;
  const value = argument.toLowerCase();
  if (/^(?:REQ|REQUEST_HEADER|REQ_WITHOUT_QUERY)$/.test(name)) return requestHeader(value);
  if (/^(?:RESP|RESPONSE_HEADER)$/.test(name)) {
    return value === 'x-envoy-upstream-service-time' ? ['number', COLUMN.upstreamServiceMs] : null;
  }
  if (name === 'PATH') return ['header', COLUMN.path];
  if (name === 'RESPONSE_CODE_DETAILS') return ['phrase', COLUMN.details];
  return FILLING.get(name) ?? null;
}

function requestHeader(value: string): Kind | null {
  const [first = '', second = ''] = value.split('?');
  return REQUEST_HEADERS.get(first) ?? REQUEST_HEADERS.get(second) ?? null;
}

function filterState(argument: string): Kind | null {
  const [key = '', field = ''] = argument.split(':');
  const object = key.replace(/^wasm\./, '');
  const column = FILTER_STATES.get(object) ?? FILTER_STATES.get(`${object}:${field.toLowerCase()}`);
  return column === undefined ? null : ['free', column];
}
