/** Response codes details that are one fixed word (envoy 1.37 envoy/stream_info/stream_info.h, and the filters). */
const WORDS: ReadonlySet<string> = new Set([
  'absolute_path_rejected',
  'admin_filter_response',
  'cluster_not_found',
  'cors_response',
  'csrf_origin_mismatch',
  'direct_response',
  'dns_cache_overflow',
  'downstream_header_timeout',
  'downstream_remote_disconnect',
  'drop_overload',
  'duration_timeout',
  'dynamic_forward_proxy_cluster_is_gone',
  'dynamic_forward_proxy_pending_request_overflow',
  'early_connect_data',
  'early_grpc_json_transcode_failure',
  'empty_host_header',
  'ext_authz_denied',
  'ext_authz_error',
  'ext_authz_invalid',
  'fault_filter_abort',
  'filter_added_invalid_request_data',
  'filter_added_invalid_response_data',
  'filter_chain_not_found',
  'filter_removed_required_request_headers',
  'filter_removed_required_response_headers',
  'internal_redirect',
  'invalid_path',
  'local_rate_limited',
  'low_version',
  'maintenance_mode',
  'max_duration_timeout',
  'missing_host_header',
  'missing_path_rejected',
  'no_healthy_upstream',
  'overload',
  'path_normalization_failed',
  'rate_limiter_error',
  'rejecting_because_detection_failed',
  'request_header_timeout',
  'request_overall_timeout',
  'request_payload_exceeded_retry_buffer_limit',
  'request_payload_too_large',
  'request_rate_limited',
  'response_payload_too_large',
  'response_timeout',
  'route_configuration_not_found',
  'route_not_found',
  'stream_idle_timeout',
  'sub_cluster_overflow',
  'sub_cluster_warming_timeout',
  'unconditional_drop_overload',
  'upgrade_failed',
  'upstream_max_stream_duration_reached',
  'upstream_per_try_idle_timeout',
  'upstream_per_try_timeout',
  'upstream_response_timeout',
  'via_upstream',
  'websocket_handshake_unsuccessful',
]);

/** Details that carry a reason of their own behind a fixed start. */
const STARTS =
  /^(?:rbac_access_denied_matched_policy\[|jwt_authn_access_denied\{|upstream_reset_(?:before|after)_response_started\{|downstream_local_disconnect\(|request_headers_failed_strict_check\{|ext_proc_error_|codec_error:|overload_error:|https?[123]?\.[a-z])/;

/** True for a RESPONSE_CODE_DETAILS that Envoy or one of its filters prints. Others exist: Lua and Wasm set any text. */
export function isKnownDetails(text: string): boolean {
  return WORDS.has(text) || STARTS.test(text);
}

/** Filters that decide before a host is chosen, and only on the server side of Istio: sidecar inbound, gateway, waypoint. */
const ACCESS_DENIED = /^(?:rbac_access_denied_matched_policy|jwt_authn_access_denied|ext_authz_)/;

/** True for a denial by RBAC, JWT or the external authorizer (`details` of HTTP, `termination` of TCP). */
export function isAccessDenied(text: string | null): boolean {
  return text !== null && ACCESS_DENIED.test(text);
}

/** Long names of the response flags by their short ones (envoy 1.37 source/common/stream_info/utility.h). */
const SHORT_FLAGS: ReadonlyMap<string, string> = new Map([
  ['FailedLocalHealthCheck', 'LH'],
  ['NoHealthyUpstream', 'UH'],
  ['UpstreamRequestTimeout', 'UT'],
  ['LocalReset', 'LR'],
  ['UpstreamRemoteReset', 'UR'],
  ['UpstreamConnectionFailure', 'UF'],
  ['UpstreamConnectionTermination', 'UC'],
  ['UpstreamOverflow', 'UO'],
  ['NoRouteFound', 'NR'],
  ['DelayInjected', 'DI'],
  ['FaultInjected', 'FI'],
  ['RateLimited', 'RL'],
  ['UnauthorizedExternalService', 'UAEX'],
  ['RateLimitServiceError', 'RLSE'],
  ['DownstreamConnectionTermination', 'DC'],
  ['UpstreamRetryLimitExceeded', 'URX'],
  ['StreamIdleTimeout', 'SI'],
  ['InvalidEnvoyRequestHeaders', 'IH'],
  ['DownstreamProtocolError', 'DPE'],
  ['UpstreamMaxStreamDurationReached', 'UMSDR'],
  ['ResponseFromCacheFilter', 'RFCF'],
  ['NoFilterConfigFound', 'NFCF'],
  ['DurationTimeout', 'DT'],
  ['UpstreamProtocolError', 'UPE'],
  ['NoClusterFound', 'NC'],
  ['OverloadManagerTerminated', 'OM'],
  ['DnsResolutionFailed', 'DF'],
  ['DropOverload', 'DO'],
  ['DownstreamRemoteReset', 'DR'],
  ['UnconditionalDropOverload', 'UDO'],
]);
const KNOWN_FLAGS: ReadonlySet<string> = new Set(SHORT_FLAGS.values());

/** RESPONSE_FLAGS as a list of short names, order as printed; unknown tokens are kept (filters register their own). */
export function readFlags(text: string): readonly string[] {
  if (text === '-' || text === '') return NO_FLAGS;
  return text.split(',').map((flag) => SHORT_FLAGS.get(flag) ?? flag);
}

const NO_FLAGS: readonly string[] = [];

/** True when every token is a flag of Envoy's own; `-` (no flag) is not. */
export function areKnownFlags(text: string): boolean {
  const flags = readFlags(text);
  return flags.length > 0 && flags.every((flag) => KNOWN_FLAGS.has(flag));
}

/** Names of gRPC status codes, by code (google.golang.org/grpc/codes). */
const GRPC_NAMES = [
  'ok',
  'canceled',
  'unknown',
  'invalidargument',
  'deadlineexceeded',
  'notfound',
  'alreadyexists',
  'permissiondenied',
  'resourceexhausted',
  'failedprecondition',
  'aborted',
  'outofrange',
  'unimplemented',
  'internal',
  'unavailable',
  'dataloss',
  'unauthenticated',
];

/** GRPC_STATUS in any of its three forms (`PermissionDenied`, `PERMISSION_DENIED`, `7`) as a number; null: none of them. */
export function readGrpcStatus(text: string | null): number | null {
  if (text === null) return null;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const code = GRPC_NAMES.indexOf(text.replaceAll('_', '').toLowerCase());
  return code < 0 ? null : code;
}
