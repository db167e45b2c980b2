/** Operators that a real Envoy is asked to print of HTTP requests and, most of them, of TCP connections. */
const OPERATORS: readonly string[] = (
  '%START_TIME% %START_TIME(%Y-%m-%dT%H:%M:%S%z)% %START_TIME(%s.%3f)% %START_TIME_LOCAL% %REQ(:METHOD)% ' +
  '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %REQ(:PATH):7% %REQ(:AUTHORITY)% %REQ(USER-AGENT)% %REQ(USER-AGENT):9% ' +
  '%REQ(X-REQUEST-ID)% %REQ(X-FORWARDED-FOR)% %REQ(X-NOTE)% %REQ(X-NOTE?X-REQUEST-ID):12% %REQUEST_HEADER(:SCHEME)% ' +
  '%REQ_WITHOUT_QUERY(:PATH)% %PATH(NQ:ORIG)% %PATH(WQ:PATH)% %QUERY_PARAM(x)% %QUERY_PARAM(x):2% %PROTOCOL% ' +
  '%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG% %RESPONSE_CODE_DETAILS% %RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)% ' +
  '%CONNECTION_TERMINATION_DETAILS% %UPSTREAM_TRANSPORT_FAILURE_REASON% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% ' +
  '%REQUEST_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION% %COMMON_DURATION(DS_RX_BEG:DS_RX_END:us)% ' +
  '%COMMON_DURATION(US_TX_BEG:US_RX_BEG:ns)% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% %RESP(CONTENT-TYPE)% %RESP(:STATUS)% ' +
  '%TRAILER(GRPC-STATUS)% %UPSTREAM_HOST% %UPSTREAM_CLUSTER% %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% ' +
  '%UPSTREAM_REMOTE_ADDRESS% %UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_REMOTE_PORT% %UPSTREAM_LOCAL_PORT% ' +
  '%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_PORT% ' +
  '%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT% ' +
  '%DOWNSTREAM_DIRECT_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% %REQUESTED_SERVER_NAME% ' +
  '%ROUTE_NAME% %VIRTUAL_CLUSTER_NAME% %FILTER_CHAIN_NAME% %GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS_NUMBER% ' +
  '%UPSTREAM_REQUEST_ATTEMPT_COUNT% %CONNECTION_ID% %UPSTREAM_CONNECTION_ID% %STREAM_ID% %HOSTNAME% %UPSTREAM_PROTOCOL% ' +
  '%DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_SUBJECT% %DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_TLS_CIPHER% %ACCESS_LOG_TYPE% ' +
  '%DYNAMIC_METADATA(envoy.filters.http.rbac)% %DYNAMIC_METADATA(envoy.filters.http.rbac:shadow_engine_result):4% ' +
  '%CLUSTER_METADATA(a:b)% %UPSTREAM_METADATA(a:b)% %METADATA(ROUTE:meshmend:owner)% %FILTER_STATE(some.key:PLAIN)% ' +
  '%CEL(request.path)% %CEL(has(request.headers.x))% %ENVIRONMENT(MESHMEND_REAL)% %ENVIRONMENT(MESHMEND_NONE)% ' +
  '%DOWNSTREAM_WIRE_BYTES_RECEIVED% %UPSTREAM_HEADER_BYTES_SENT% %REQUEST_HEADERS_BYTES% %RESPONSE_HEADERS_BYTES% ' +
  '%BYTES_RETRANSMITTED% %PACKETS_RETRANSMITTED% %UPSTREAM_HOST_NAME% %UPSTREAM_HOST_NAME_WITHOUT_PORT% %CUSTOM_FLAGS% ' +
  '%DOWNSTREAM_TRANSPORT_FAILURE_REASON% %ROUNDTRIP_DURATION% %TRACE_ID% %TLS_JA3_FINGERPRINT% ' +
  '%DOWNSTREAM_PEER_CERT_V_START% %DOWNSTREAM_HANDSHAKE_DURATION% %UPSTREAM_CONNECTION_POOL_READY_DURATION%'
).split(' ');

/** What stands between operators. */
const LITERALS: readonly string[] = [
  ' ',
  ' ',
  ' ',
  '|',
  ',',
  ';',
  ':',
  '-',
  '/',
  '\t',
  ' "',
  '" ',
  '" "',
  ' [',
  '] [',
  ' a=',
  '="',
  '%%',
  ' | ',
  ', ',
  ' -> ',
  '',
];

/** Numbers below 1, the same ones for the same seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function pick<T>(list: readonly T[], next: () => number): T {
  const item = list[Math.floor(next() * list.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

/** A text format: up to twelve operators with texts before, between and behind them. */
export function randomText(next: () => number): string {
  const count = 1 + Math.floor(next() * 12);
  const parts = Array.from({ length: count }, () => pick(OPERATORS, next) + pick(LITERALS, next));
  return pick(['', '[', '"', 'access: ', '100%% '], next) + parts.join('');
}

/** A JSON format, nested at times: values of one operator, and of several in a text. */
export function randomJson(next: () => number): Record<string, unknown> {
  const format: Record<string, unknown> = { constant: 'x' };
  const count = 1 + Math.floor(next() * 10);
  for (let index = 0; index < count; index++) {
    const value = next() < 0.8 ? pick(OPERATORS, next) : `${pick(OPERATORS, next)} <> ${pick(OPERATORS, next)}`;
    format[`k${index}`] = next() < 0.2 ? { inner: value } : value;
  }
  return format;
}

/** The reference: all operators, and between them a character that no value holds. */
export const SEPARATOR = '\u001f';

/** All operators in one format. */
export const REFERENCE: string = OPERATORS.join(SEPARATOR);

/** Number of an operator in the reference, by its text in a format. */
export const PLACES: ReadonlyMap<string, number> = new Map(OPERATORS.map((operator, index) => [operator, index]));
