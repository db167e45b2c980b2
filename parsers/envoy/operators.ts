import { COLUMN, type Column } from './columns.ts';
import type { Shape } from './shapes.ts';

/** One command operator of a format string. */
export interface Operator {
  /** `REQ`. */
  readonly name: string;
  /** What stands in the parentheses; null: none. */
  readonly argument: string | null;
  /** Bytes that the value is cut to (`:20`); null: it is printed whole. */
  readonly maxBytes: number | null;
  readonly shape: Shape;
  /** The column it fills; null: read over. */
  readonly column: Column | null;
  /** True: it fills its column only where no other operator of the format does, because it says less or another thing. */
  readonly isSubstitute: boolean;
  /** False: no operator of this name is known here; its value is taken as free text. */
  readonly known: boolean;
}

/** What is known of an operator, whatever its place. */
type Kind = readonly [shape: Shape, column: Column | null, isSubstitute?: true];

/** Operators that fill a column, whatever their argument. */
const FILLING: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['START_TIME', ['time', COLUMN.time]],
  ['START_TIME_LOCAL', ['time', COLUMN.time]],
  ['EMIT_TIME', ['time', COLUMN.time, true]],
  ['EMIT_TIME_LOCAL', ['time', COLUMN.time, true]],
  ['PROTOCOL', ['protocol', COLUMN.protocol]],
  ['RESPONSE_CODE', ['code', COLUMN.status]],
  ['RESPONSE_FLAGS', ['flags', COLUMN.flags]],
  ['RESPONSE_FLAGS_LONG', ['flags', COLUMN.flags]],
  ['RESPONSE_CODE_DETAILS', ['details', COLUMN.details]],
  ['CONNECTION_TERMINATION_DETAILS', ['phrase', COLUMN.termination]],
  ['UPSTREAM_TRANSPORT_FAILURE_REASON', ['phrase', COLUMN.transportFailure]],
  ['BYTES_RECEIVED', ['number', COLUMN.bytesReceived]],
  ['BYTES_SENT', ['number', COLUMN.bytesSent]],
  ['DURATION', ['number', COLUMN.durationMs]],
  ['UPSTREAM_HOST', ['address', COLUMN.upstreamHost]],
  ['UPSTREAM_REMOTE_ADDRESS', ['address', COLUMN.upstreamHost, true]],
  ['UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT', ['host', COLUMN.upstreamHost, true]],
  ['UPSTREAM_CLUSTER', ['cluster', COLUMN.cluster]],
  ['UPSTREAM_CLUSTER_RAW', ['cluster', COLUMN.cluster]],
  ['UPSTREAM_LOCAL_ADDRESS', ['address', COLUMN.upstreamLocal]],
  ['UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT', ['host', COLUMN.upstreamLocal, true]],
  ['DOWNSTREAM_LOCAL_ADDRESS', ['address', COLUMN.downstreamLocal]],
  ['DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT', ['host', COLUMN.downstreamLocal, true]],
  ['DOWNSTREAM_REMOTE_ADDRESS', ['address', COLUMN.downstreamRemote]],
  ['DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT', ['host', COLUMN.downstreamRemote, true]],
  ['DOWNSTREAM_DIRECT_REMOTE_ADDRESS', ['address', COLUMN.downstreamDirect]],
  ['DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT', ['host', COLUMN.downstreamDirect, true]],
  ['REQUESTED_SERVER_NAME', ['word', COLUMN.serverName]],
  ['ROUTE_NAME', ['phrase', COLUMN.route]],
  ['GRPC_STATUS', ['grpc', COLUMN.grpcStatus]],
  ['GRPC_STATUS_NUMBER', ['number', COLUMN.grpcStatus, true]],
  ['UPSTREAM_REQUEST_ATTEMPT_COUNT', ['number', COLUMN.attempts]],
  ['DOWNSTREAM_PEER_URI_SAN', ['word', COLUMN.sourceIdentity]],
  ['UPSTREAM_PEER_URI_SAN', ['word', COLUMN.destinationIdentity]],
  ['STREAM_ID', ['id', COLUMN.requestId, true]],
  // None of Envoy's: the place-holder for a word in a format that was learnt from lines.
  ['_', ['word', null]],
]);

/** All others that Envoy has had up to 1.40, by shape. The first that fits. */
const OTHERS: readonly (readonly [name: RegExp, shape: Shape])[] = [
  [/_PEER_CERT_V_(?:START|END)$/, 'time'],
  [/^(?:REQ|RESP|TRAILER|STREAM_INFO_REQ|REQUEST_HEADER|RESPONSE_HEADER|RESPONSE_TRAILER|REQ_WITHOUT_QUERY)$/, 'free'],
  [/^(?:DYNAMIC_METADATA|CLUSTER_METADATA|UPSTREAM_METADATA|METADATA|(?:UPSTREAM_)?FILTER_STATE)$/, 'free'],
  [/^(?:CEL|TYPED_CEL|XFCC_VALUE|ENVIRONMENT|QUERY_PARAMS?|COALESCE|FILE_CONTENT|SECRET|LOCAL_REPLY_BODY)$/, 'free'],
  [/^(?:DOWNSTREAM|UPSTREAM)_(?:PEER|LOCAL)_(?:SUBJECT|ISSUER)$/, 'free'],
  [
    /^(?:VIRTUAL_CLUSTER_NAME|FILTER_CHAIN_NAME|DOWNSTREAM_TRANSPORT_FAILURE_REASON|(?:UP|DOWN)STREAM_LOCAL_CLOSE_REASON)$/,
    'phrase',
  ],
  [/^UPSTREAM_PROTOCOL$/, 'protocol'],
  [
    /^(?:(?:UP|DOWN)STREAM_)?(?:WIRE_|HEADER_|DECOMPRESSED_HEADER_)?(?:BYTES|PACKETS)_(?:SENT|RECEIVED|RETRANSMITTED)$/,
    'number',
  ],
  [/^(?:REQUEST_HEADERS|RESPONSE_HEADERS|RESPONSE_TRAILERS)_BYTES$/, 'number'],
  [
    /^(?:COMMON|REQUEST|REQUEST_TX|RESPONSE|RESPONSE_TX|ROUNDTRIP|DOWNSTREAM_HANDSHAKE|UPSTREAM_CONNECTION_POOL_READY)_DURATION$/,
    'number',
  ],
  [/^(?:UPSTREAM_)?CONNECTION_ID$/, 'number'],
  [/^(?:UP|DOWN)STREAM_(?:DIRECT_)?(?:LOCAL|REMOTE)_PORT$/, 'port'],
  [/^DOWNSTREAM_DIRECT_LOCAL_ADDRESS$/, 'address'],
  [/^DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT$/, 'host'],
  [
    /^(?:UPSTREAM|DOWNSTREAM|TLS|HOSTNAME|UNIQUE_ID|TRACE_ID|SPAN_ID|CUSTOM_FLAGS|ACCESS_LOG_TYPE)(?:_|$)|^(?:HOSTNAME|UNIQUE_ID|TRACE_ID|SPAN_ID|CUSTOM_FLAGS|ACCESS_LOG_TYPE)$/,
    'word',
  ],
];

/** Request headers, by lower-case name. Also as second choice of `X?Y`. */
const REQUEST_HEADERS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  [':method', ['method', COLUMN.method]],
  [':path', ['path', COLUMN.path]],
  ['x-envoy-original-path', ['path', COLUMN.path]],
  [':authority', ['authority', COLUMN.authority]],
  ['host', ['authority', COLUMN.authority, true]],
  [':scheme', ['word', null]],
  ['x-forwarded-proto', ['word', null]],
  ['x-forwarded-for', ['forwarded', COLUMN.forwardedFor]],
  ['user-agent', ['free', COLUMN.userAgent]],
  ['x-request-id', ['id', COLUMN.requestId]],
  ['content-length', ['word', null]],
]);

/** Response headers and trailers, by lower-case name. */
const RESPONSE_HEADERS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['x-envoy-upstream-service-time', ['number', COLUMN.upstreamServiceMs]],
  [':status', ['code', COLUMN.status, true]],
  ['grpc-status', ['grpc', COLUMN.grpcStatus, true]],
  ['content-length', ['word', null]],
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

/** Describes an operator by its name, its argument and the bytes it is cut to. */
export function describeOperator(name: string, argument: string | null, maxBytes: number | null): Operator {
  const kind = kindOf(name, argument ?? '');
  const [shape, column, isSubstitute = false] = kind ?? ['free', null];
  return {
    name,
    argument,
    maxBytes,
    shape,
    column,
    isSubstitute: isSubstitute || maxBytes !== null,
    known: kind !== null,
  };
}

function kindOf(name: string, argument: string): Kind | null {
  const special = byArgument(name, argument) ?? FILLING.get(name) ?? null;
  if (special !== null) return special;
  const other = OTHERS.find(([pattern]) => pattern.test(name));
  return other === undefined ? null : [other[1], null];
}

/** Operators that mean another thing with each argument; null: nothing special, or no such operator. */
function byArgument(name: string, argument: string): Kind | null {
  switch (name) {
    case 'REQ':
    case 'REQUEST_HEADER':
    case 'STREAM_INFO_REQ':
      return headerKind(REQUEST_HEADERS, argument);
    case 'REQ_WITHOUT_QUERY':
      return asSubstitute(headerKind(REQUEST_HEADERS, argument));
    case 'RESP':
    case 'RESPONSE_HEADER':
    case 'TRAILER':
    case 'RESPONSE_TRAILER':
      return headerKind(RESPONSE_HEADERS, argument);
    case 'FILTER_STATE':
      return filterState(argument);
    case 'PATH':
      return argument.startsWith('NQ') ? ['path', COLUMN.path, true] : ['path', COLUMN.path];
    case 'RESPONSE_CODE_DETAILS':
      // With ALLOW_WHITESPACES it is printed as it was set (envoy 1.37 source/common/formatter/stream_info_formatter.cc).
      return argument === '' ? null : ['phrase', COLUMN.details];
    default:
      return null;
  }
}

/** A header with an alternative that says more than itself prints either. */
function headerKind(headers: ReadonlyMap<string, Kind>, argument: string): Kind | null {
  const [first = '', second = ''] = argument.toLowerCase().split('?');
  return headers.get(first) ?? asSubstitute(headers.get(second) ?? null, second !== ':path');
}

function asSubstitute(kind: Kind | null, is: boolean = true): Kind | null {
  return kind === null || !is ? kind : [kind[0] === 'path' ? 'path' : 'free', kind[1], true];
}

function filterState(argument: string): Kind | null {
  const parts = argument.split(':');
  const object = (parts[0] ?? '').replace(/^wasm\./, '');
  const column = FILTER_STATES.get(object) ?? FILTER_STATES.get(`${object}:${(parts.at(-1) ?? '').toLowerCase()}`);
  return column === undefined ? null : ['free', column];
}
