import type { Rule } from '../src/model/finding.ts';
import { rule as agentgatewayRequestFailed } from './agentgateway-request-failed.ts';
import { rule as envoyApplicationFailed } from './envoy-application-failed.ts';
import { rule as envoyApplicationRefused } from './envoy-application-refused.ts';
import { rule as envoyAuthorizerDenied } from './envoy-authorizer-denied.ts';
import { rule as envoyAuthorizerFailed } from './envoy-authorizer-failed.ts';
import { rule as envoyAuthorizerMisconfigured } from './envoy-authorizer-misconfigured.ts';
import { rule as envoyCertificateNotSupplied } from './envoy-certificate-not-supplied.ts';
import { rule as envoyClientCertificateMissed } from './envoy-client-certificate-missed.ts';
import { rule as envoyClientLeft } from './envoy-client-left.ts';
import { rule as envoyClusterMissed } from './envoy-cluster-missed.ts';
import { rule as envoyConfigRejected } from './envoy-config-rejected.ts';
import { rule as envoyConnectionDrained } from './envoy-connection-drained.ts';
import { rule as envoyDebugDenied } from './envoy-debug-denied.ts';
import { rule as envoyDebugJwtRefused } from './envoy-debug-jwt-refused.ts';
import { rule as envoyDirectResponseSent } from './envoy-direct-response-sent.ts';
import { rule as envoyDnsFailed } from './envoy-dns-failed.ts';
import { rule as envoyEgressBlocked } from './envoy-egress-blocked.ts';
import { rule as envoyEndpointsMissed } from './envoy-endpoints-missed.ts';
import { rule as envoyFaultInjected } from './envoy-fault-injected.ts';
import { rule as envoyFilterAnswered } from './envoy-filter-answered.ts';
import { rule as envoyFilterChainMissed } from './envoy-filter-chain-missed.ts';
import { rule as envoyFilterFailed } from './envoy-filter-failed.ts';
import { rule as envoyHboneUnreached } from './envoy-hbone-unreached.ts';
import { rule as envoyJwksFetchFailed } from './envoy-jwks-fetch-failed.ts';
import { rule as envoyJwtAudienceRefused } from './envoy-jwt-audience-refused.ts';
import { rule as envoyJwtExpired } from './envoy-jwt-expired.ts';
import { rule as envoyJwtIssuerUnknown } from './envoy-jwt-issuer-unknown.ts';
import { rule as envoyJwtKeyMissed } from './envoy-jwt-key-missed.ts';
import { rule as envoyJwtKeysUnusable } from './envoy-jwt-keys-unusable.ts';
import { rule as envoyJwtMissed } from './envoy-jwt-missed.ts';
import { rule as envoyJwtRefused } from './envoy-jwt-refused.ts';
import { rule as envoyJwtSignatureRefused } from './envoy-jwt-signature-refused.ts';
import { rule as envoyLoadShed } from './envoy-load-shed.ts';
import { rule as envoyOwnCertificateRejected } from './envoy-own-certificate-rejected.ts';
import { rule as envoyPeerCertificateRejected } from './envoy-peer-certificate-rejected.ts';
import { rule as envoyPeerDenied } from './envoy-peer-denied.ts';
import { rule as envoyPeerProxyFailed } from './envoy-peer-proxy-failed.ts';
import { rule as envoyRateLimited } from './envoy-rate-limited.ts';
import { rule as envoyRbacDeniedNone } from './envoy-rbac-denied-none.ts';
import { rule as envoyRbacDeniedRule } from './envoy-rbac-denied-rule.ts';
import { rule as envoyRbacDeniedUnnamed } from './envoy-rbac-denied-unnamed.ts';
import { rule as envoyRequestFailed } from './envoy-request-failed.ts';
import { rule as envoyRequestLimited } from './envoy-request-limited.ts';
import { rule as envoyRequestMalformed } from './envoy-request-malformed.ts';
import { rule as envoyResponseCut } from './envoy-response-cut.ts';
import { rule as envoyRouteMissed } from './envoy-route-missed.ts';
import { rule as envoyShadowDenied } from './envoy-shadow-denied.ts';
import { rule as envoyStreamTimedOut } from './envoy-stream-timed-out.ts';
import { rule as envoyTlsAnsweredInPlaintext } from './envoy-tls-answered-in-plaintext.ts';
import { rule as envoyTlsHandshakeFailed } from './envoy-tls-handshake-failed.ts';
import { rule as envoyTunnelClosed } from './envoy-tunnel-closed.ts';
import { rule as envoyTunnelDenied } from './envoy-tunnel-denied.ts';
import { rule as envoyTunnelFailed } from './envoy-tunnel-failed.ts';
import { rule as envoyTunnelTargetMissed } from './envoy-tunnel-target-missed.ts';
import { rule as envoyUpstreamClosed } from './envoy-upstream-closed.ts';
import { rule as envoyUpstreamConnectFailed } from './envoy-upstream-connect-failed.ts';
import { rule as envoyUpstreamGarbled } from './envoy-upstream-garbled.ts';
import { rule as envoyUpstreamOverflowed } from './envoy-upstream-overflowed.ts';
import { rule as envoyUpstreamRefused } from './envoy-upstream-refused.ts';
import { rule as envoyUpstreamStreamReset } from './envoy-upstream-stream-reset.ts';
import { rule as envoyUpstreamTimedOut } from './envoy-upstream-timed-out.ts';
import { rule as envoyUpstreamUnreached } from './envoy-upstream-unreached.ts';
import { rule as envoyWorkloadCertificateFailed } from './envoy-workload-certificate-failed.ts';
import { rule as envoyXdsDisconnected } from './envoy-xds-disconnected.ts';
import { rule as gatewaySecretMissed } from './gateway-secret-missed.ts';
import { rule as knativeAutoscalerUnreached } from './knative-autoscaler-unreached.ts';
import { rule as knativeForwardFailed } from './knative-forward-failed.ts';
import { rule as knativePlaintextRefused } from './knative-plaintext-refused.ts';
import { rule as knativeRequestDenied } from './knative-request-denied.ts';
import { rule as knativeRevisionUnreached } from './knative-revision-unreached.ts';
import { rule as kserveIngressMisconfigured } from './kserve-ingress-misconfigured.ts';
import { rule as kserveRoutesSkipped } from './kserve-routes-skipped.ts';
import { rule as kubeflowLoginFailed } from './kubeflow-login-failed.ts';
import { rule as kubeletProbeBlocked } from './kubelet-probe-blocked.ts';
import { rule as kubeletProbeClosed } from './kubelet-probe-closed.ts';
import { rule as kubeletProbeFailed } from './kubelet-probe-failed.ts';
import { rule as platformBindFailed } from './platform-bind-failed.ts';
import { rule as platformCertificateUnissued } from './platform-certificate-unissued.ts';
import { rule as platformCniUnreachable } from './platform-cni-unreachable.ts';
import { rule as platformDnsFailed } from './platform-dns-failed.ts';
import { rule as platformDrainExpired } from './platform-drain-expired.ts';
import { rule as platformJwksUnfetched } from './platform-jwks-unfetched.ts';
import { rule as platformPolicyNacked } from './platform-policy-nacked.ts';
import { rule as platformPolicySkipped } from './platform-policy-skipped.ts';
import { rule as platformProxyUnstarted } from './platform-proxy-unstarted.ts';
import { rule as platformTunnelDied } from './platform-tunnel-died.ts';
import { rule as platformWorkloadAwaited } from './platform-workload-awaited.ts';
import { rule as platformXdsDisconnected } from './platform-xds-disconnected.ts';
import { rule as platformZtunnelMissing } from './platform-ztunnel-missing.ts';
import { rule as webhookCertificateRefused } from './webhook-certificate-refused.ts';
import { rule as webhookUnreached } from './webhook-unreached.ts';
import { rule as ztunnelAllowMissed } from './ztunnel-allow-missed.ts';
import { rule as ztunnelApplicationRefused } from './ztunnel-application-refused.ts';
import { rule as ztunnelApplicationUnreachable } from './ztunnel-application-unreachable.ts';
import { rule as ztunnelCertificateExpired } from './ztunnel-certificate-expired.ts';
import { rule as ztunnelCertificateRefused } from './ztunnel-certificate-refused.ts';
import { rule as ztunnelCertificateRevoked } from './ztunnel-certificate-revoked.ts';
import { rule as ztunnelCertificateUnavailable } from './ztunnel-certificate-unavailable.ts';
import { rule as ztunnelCertificateUntrusted } from './ztunnel-certificate-untrusted.ts';
import { rule as ztunnelConnectDenied } from './ztunnel-connect-denied.ts';
import { rule as ztunnelConnectionDrained } from './ztunnel-connection-drained.ts';
import { rule as ztunnelConnectionFailed } from './ztunnel-connection-failed.ts';
import { rule as ztunnelDescriptorsExhausted } from './ztunnel-descriptors-exhausted.ts';
import { rule as ztunnelDestinationUnroutable } from './ztunnel-destination-unroutable.ts';
import { rule as ztunnelDryRunDenied } from './ztunnel-dry-run-denied.ts';
import { rule as ztunnelGatewayFailed } from './ztunnel-gateway-failed.ts';
import { rule as ztunnelGatewayUnknown } from './ztunnel-gateway-unknown.ts';
import { rule as ztunnelHboneBlocked } from './ztunnel-hbone-blocked.ts';
import { rule as ztunnelHboneClosed } from './ztunnel-hbone-closed.ts';
import { rule as ztunnelHboneNotSpoken } from './ztunnel-hbone-not-spoken.ts';
import { rule as ztunnelHboneRefused } from './ztunnel-hbone-refused.ts';
import { rule as ztunnelHboneRejected } from './ztunnel-hbone-rejected.ts';
import { rule as ztunnelIdentityMismatched } from './ztunnel-identity-mismatched.ts';
import { rule as ztunnelMtlsRequired } from './ztunnel-mtls-required.ts';
import { rule as ztunnelPathLost } from './ztunnel-path-lost.ts';
import { rule as ztunnelPeerUnavailable } from './ztunnel-peer-unavailable.ts';
import { rule as ztunnelPlaintextRefused } from './ztunnel-plaintext-refused.ts';
import { rule as ztunnelPlaintextUnreachable } from './ztunnel-plaintext-unreachable.ts';
import { rule as ztunnelPolicyChanged } from './ztunnel-policy-changed.ts';
import { rule as ztunnelPolicyDenied } from './ztunnel-policy-denied.ts';
import { rule as ztunnelPolicyRejected } from './ztunnel-policy-rejected.ts';
import { rule as ztunnelPortProbed } from './ztunnel-port-probed.ts';
import { rule as ztunnelPortsExhausted } from './ztunnel-ports-exhausted.ts';
import { rule as ztunnelRecursionRefused } from './ztunnel-recursion-refused.ts';
import { rule as ztunnelRequestMalformed } from './ztunnel-request-malformed.ts';
import { rule as ztunnelRequestMisrouted } from './ztunnel-request-misrouted.ts';
import { rule as ztunnelStreamAborted } from './ztunnel-stream-aborted.ts';
import { rule as ztunnelStreamInterrupted } from './ztunnel-stream-interrupted.ts';
import { rule as ztunnelTrustDomainMismatched } from './ztunnel-trust-domain-mismatched.ts';
import { rule as ztunnelTunnelFailed } from './ztunnel-tunnel-failed.ts';
import { rule as ztunnelTunnelRejected } from './ztunnel-tunnel-rejected.ts';
import { rule as ztunnelUpstreamUnhealthy } from './ztunnel-upstream-unhealthy.ts';
import { rule as ztunnelWaypointDenied } from './ztunnel-waypoint-denied.ts';
import { rule as ztunnelWaypointUnknown } from './ztunnel-waypoint-unknown.ts';
import { rule as ztunnelWaypointUnsupported } from './ztunnel-waypoint-unsupported.ts';
import { rule as ztunnelWorkloadUnknown } from './ztunnel-workload-unknown.ts';

/** All diagnoses, sorted by id. `test/rules.test.ts` fails when a file of this folder is missing here. */
export const rules: readonly Rule[] = [
  agentgatewayRequestFailed,
  envoyApplicationFailed,
  envoyApplicationRefused,
  envoyAuthorizerDenied,
  envoyAuthorizerFailed,
  envoyAuthorizerMisconfigured,
  envoyCertificateNotSupplied,
  envoyClientCertificateMissed,
  envoyClientLeft,
  envoyClusterMissed,
  envoyConfigRejected,
  envoyConnectionDrained,
  envoyDebugDenied,
  envoyDebugJwtRefused,
  envoyDirectResponseSent,
  envoyDnsFailed,
  envoyEgressBlocked,
  envoyEndpointsMissed,
  envoyFaultInjected,
  envoyFilterAnswered,
  envoyFilterChainMissed,
  envoyFilterFailed,
  envoyHboneUnreached,
  envoyJwksFetchFailed,
  envoyJwtAudienceRefused,
  envoyJwtExpired,
  envoyJwtIssuerUnknown,
  envoyJwtKeyMissed,
  envoyJwtKeysUnusable,
  envoyJwtMissed,
  envoyJwtRefused,
  envoyJwtSignatureRefused,
  envoyLoadShed,
  envoyOwnCertificateRejected,
  envoyPeerCertificateRejected,
  envoyPeerDenied,
  envoyPeerProxyFailed,
  envoyRateLimited,
  envoyRbacDeniedNone,
  envoyRbacDeniedRule,
  envoyRbacDeniedUnnamed,
  envoyRequestFailed,
  envoyRequestLimited,
  envoyRequestMalformed,
  envoyResponseCut,
  envoyRouteMissed,
  envoyShadowDenied,
  envoyStreamTimedOut,
  envoyTlsAnsweredInPlaintext,
  envoyTlsHandshakeFailed,
  envoyTunnelClosed,
  envoyTunnelDenied,
  envoyTunnelFailed,
  envoyTunnelTargetMissed,
  envoyUpstreamClosed,
  envoyUpstreamConnectFailed,
  envoyUpstreamGarbled,
  envoyUpstreamOverflowed,
  envoyUpstreamRefused,
  envoyUpstreamStreamReset,
  envoyUpstreamTimedOut,
  envoyUpstreamUnreached,
  envoyWorkloadCertificateFailed,
  envoyXdsDisconnected,
  gatewaySecretMissed,
  knativeAutoscalerUnreached,
  knativeForwardFailed,
  knativePlaintextRefused,
  knativeRequestDenied,
  knativeRevisionUnreached,
  kserveIngressMisconfigured,
  kserveRoutesSkipped,
  kubeflowLoginFailed,
  kubeletProbeBlocked,
  kubeletProbeClosed,
  kubeletProbeFailed,
  platformBindFailed,
  platformCertificateUnissued,
  platformCniUnreachable,
  platformDnsFailed,
  platformDrainExpired,
  platformJwksUnfetched,
  platformPolicyNacked,
  platformPolicySkipped,
  platformProxyUnstarted,
  platformTunnelDied,
  platformWorkloadAwaited,
  platformXdsDisconnected,
  platformZtunnelMissing,
  webhookCertificateRefused,
  webhookUnreached,
  ztunnelAllowMissed,
  ztunnelApplicationRefused,
  ztunnelApplicationUnreachable,
  ztunnelCertificateExpired,
  ztunnelCertificateRefused,
  ztunnelCertificateRevoked,
  ztunnelCertificateUnavailable,
  ztunnelCertificateUntrusted,
  ztunnelConnectDenied,
  ztunnelConnectionDrained,
  ztunnelConnectionFailed,
  ztunnelDescriptorsExhausted,
  ztunnelDestinationUnroutable,
  ztunnelDryRunDenied,
  ztunnelGatewayFailed,
  ztunnelGatewayUnknown,
  ztunnelHboneBlocked,
  ztunnelHboneClosed,
  ztunnelHboneNotSpoken,
  ztunnelHboneRefused,
  ztunnelHboneRejected,
  ztunnelIdentityMismatched,
  ztunnelMtlsRequired,
  ztunnelPathLost,
  ztunnelPeerUnavailable,
  ztunnelPlaintextRefused,
  ztunnelPlaintextUnreachable,
  ztunnelPolicyChanged,
  ztunnelPolicyDenied,
  ztunnelPolicyRejected,
  ztunnelPortProbed,
  ztunnelPortsExhausted,
  ztunnelRecursionRefused,
  ztunnelRequestMalformed,
  ztunnelRequestMisrouted,
  ztunnelStreamAborted,
  ztunnelStreamInterrupted,
  ztunnelTrustDomainMismatched,
  ztunnelTunnelFailed,
  ztunnelTunnelRejected,
  ztunnelUpstreamUnhealthy,
  ztunnelWaypointDenied,
  ztunnelWaypointUnknown,
  ztunnelWaypointUnsupported,
  ztunnelWorkloadUnknown,
];
