import type { Certainty } from '../model/finding.ts';

/** What went wrong on one Envoy access line. Each kind belongs to exactly one rule. */
export type EnvoyFailureKind =
  // Policies.
  | 'rbac-none'
  | 'rbac-rule'
  | 'rbac-unnamed'
  | 'rbac-peer'
  | 'jwt-refused'
  | 'authorizer-denied'
  | 'authorizer-failed'
  | 'authorizer-misconfigured'
  | 'tunnel-denied'
  // Listeners and routes.
  | 'filter-chain'
  | 'route'
  | 'cluster'
  | 'egress-blocked'
  | 'tunnel-target'
  // The connection to the upstream did not come about.
  | 'tls-to-plaintext'
  | 'client-certificate-missing'
  | 'tls-parameters'
  | 'tls-broken'
  | 'peer-certificate'
  | 'own-certificate'
  | 'certificate-absent'
  | 'unreachable'
  | 'rejected'
  | 'forbidden'
  | 'refused'
  | 'connect-failed'
  | 'hbone-unreachable'
  | 'dns'
  | 'no-endpoint'
  | 'overflow'
  // It did, and then broke.
  | 'closed'
  | 'stream-reset'
  | 'local-reset'
  | 'response-cut'
  | 'protocol-error'
  | 'upstream-timeout'
  | 'stream-timeout'
  | 'peer-proxy-failed'
  | 'tunnel-failed'
  | 'tunnel-closed'
  // The caller.
  | 'client-left'
  | 'request-malformed'
  | 'request-limit'
  // Answers somebody gave on purpose.
  | 'application-refused'
  | 'application-failed'
  | 'application-unhealthy'
  | 'filter-answered'
  | 'rate-limited'
  | 'fault'
  | 'direct-response'
  // The proxy itself.
  | 'load-shed'
  | 'filter-failed'
  | 'drained'
  | 'unexplained';

/** The failure on one access line. */
export interface EnvoyFailure {
  readonly kind: EnvoyFailureKind;
  /** How sure the kind is; a rule may be less sure of the cause. */
  readonly certainty: Certainty;
  /** What the proxy printed that decided it: a detail, a status text, a transport failure, a flag. Untrusted. */
  readonly text: string;
}

/**
 * RESPONSE_CODE_DETAILS that mean one thing (envoy 1.37 envoy/stream_info/stream_info.h, source/extensions/filters). The
 * docs write `upstream_response_timeout` where the code prints `response_timeout`.
 */
export const DETAILS: readonly (readonly [RegExp, EnvoyFailureKind])[] = [
  [/^route(?:_configuration)?_not_found$/, 'route'],
  [/^filter_chain_not_found$/, 'filter-chain'],
  [/^cluster_not_found$|^sub_cluster_warming_timeout$|^dynamic_forward_proxy_cluster_is_gone$/, 'cluster'],
  [/^no_healthy_upstream/, 'no-endpoint'],
  [/^(?:upstream_)?response_timeout$|^upstream_per_try_(?:idle_)?timeout$/, 'upstream-timeout'],
  [/^stream_idle_timeout$|^upstream_max_stream_duration_reached$|^(?:max_)?duration_timeout$/, 'stream-timeout'],
  [/^ext_authz_denied$/, 'authorizer-denied'],
  [/^ext_authz_(?:error|invalid)$/, 'authorizer-failed'],
  [/^request_rate_limited$|^local_rate_limited$|^rate_limiter_error$/, 'rate-limited'],
  [/^fault_filter_abort$/, 'fault'],
  [/^overload$|^overload_error:|^(?:unconditional_)?drop_overload$/, 'load-shed'],
  [/^maintenance_mode$|^(?:dns_cache|sub_cluster|dynamic_forward_proxy_pending_request)_overflow$/, 'overflow'],
  [/^health_check_failed$/, 'application-unhealthy'],
  [/^downstream_local_disconnect\(rbac_deny_close/, 'rbac-unnamed'],
  [/^downstream_local_disconnect\(ext_authz_close/, 'authorizer-denied'],
  [/^downstream_local_disconnect/, 'drained'],
  [/^downstream_remote_disconnect$|^http[23]\.remote_(?:reset|refuse)$/, 'client-left'],
  [/^(?:request|response)_payload_|^request_overall_timeout$|^(?:request|downstream)_header_timeout$/, 'request-limit'],
  [
    /^http[123]?\.|^codec_error:|^low_version$|^missing_(?:host_header|path_rejected)$|^absolute_path_rejected$|^invalid_path$/,
    'request-malformed',
  ],
  [
    /^path_normalization_failed$|^request_headers_failed_strict_check|^empty_host_header$|^early_connect_data$|^upgrade_failed$|^websocket_handshake_unsuccessful$|^rejecting_because_detection_failed$/,
    'request-malformed',
  ],
  [/^ext_proc_error|^filter_(?:added|removed)_/, 'filter-failed'],
  [/^dns_resolution_failure/, 'dns'],
];

/**
 * Flags by precedence, for lines without details (TCP, Istio up to 1.8, custom formats): what a proxy decided itself comes
 * before what broke under it. `reset`: the transport failure decides further (envoy 1.37 source/common/stream_info/utility.h).
 */
export const FLAGS: readonly (readonly [string, EnvoyFailureKind | 'reset'])[] = [
  ['UAEX', 'authorizer-denied'],
  ['NC', 'cluster'],
  ['NR', 'route'],
  ['RLSE', 'rate-limited'],
  ['RL', 'rate-limited'],
  ['FI', 'fault'],
  ['DPE', 'request-malformed'],
  ['IH', 'request-malformed'],
  ['NFCF', 'filter-failed'],
  ['OM', 'load-shed'],
  ['DO', 'load-shed'],
  ['UDO', 'load-shed'],
  ['LH', 'application-unhealthy'],
  ['DF', 'dns'],
  ['UH', 'no-endpoint'],
  ['UO', 'overflow'],
  ['UT', 'upstream-timeout'],
  ['SI', 'stream-timeout'],
  ['UMSDR', 'stream-timeout'],
  ['UF', 'reset'],
  ['UPE', 'reset'],
  ['UC', 'reset'],
  ['UR', 'reset'],
  ['LR', 'reset'],
  ['DT', 'stream-timeout'],
  ['DR', 'client-left'],
  ['DC', 'client-left'],
  ['DI', 'fault'],
];
