import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { dialledAddress } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { wordOr, ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

/** The CONNECT of a waypoint or sidecar was refused by policy: a ztunnel answers 401, an Envoy in the path 403. */
export const rule: Rule = {
  meta: {
    id: 'envoy-tunnel-denied',
    category: 'authorization',
    level: 'error',
    title: 'The destination refused the tunnel of the waypoint',
    page: {
      meaning:
        'This proxy (mostly a waypoint) opened an HBONE tunnel to an ambient pod and the ztunnel there refused it: an AuthorizationPolicy that applies at the pod does not admit the identity of this proxy. Behind a waypoint the pod sees the waypoint as caller, not the client.',
      printedBy:
        'The proxy that opens the tunnel, as a line with the cluster connect_originate and the reason tunnel_response:401 (a ztunnel refused) or tunnel_response:403 (an Envoy did; Envoy 1.39.3 and later; older ones print no reason). The ztunnel on the node of the destination names the policy.',
      confirm: [
        'kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix | grep POD_IP',
        'kubectl -n NAMESPACE get authorizationpolicies -o yaml',
      ],
      change:
        'Let the policy at the pod admit the identity of the waypoint, and move the rules that name clients to a policy with targetRefs at the waypoint. Both together.',
      never:
        'Do not admit only the waypoint at the pod without a policy at the waypoint: then everybody behind it passes.',
    },
    cites: [
      'envoy 1.39 source/common/tcp_proxy/tcp_proxy.cc',
      'istio/ztunnel 62d82653 src/proxy/inbound.rs',
      'istio/istio.io#16586',
    ],
  },
  on: ['envoy/request', 'envoy/connection'],
  match(flow) {
    const failure = envoyFailure(flow.record);
    if (failure?.kind !== 'tunnel-denied') return null;
    return {
      certainty: failure.certainty,
      cause: `The ztunnel of ${dialledAddress(flow.record) ?? 'the destination'} refused the tunnel (${failure.text}): no policy at that pod admits the identity of this proxy.`,
      enforcedBy: 'ztunnel',
      intended: 'unknown',
      unchecked: ['Which policy denied: the ztunnel on the node of the destination names it.'],
    };
  },
  propose(finding, mesh) {
    const namespace = wordOr(finding.destination.namespace, 'DESTINATION_NAMESPACE');
    return [
      step(
        'policy-change',
        'Let the policy at the pod admit the identity of the waypoint, and keep the rules about clients in a policy with targetRefs at the waypoint. Both together: with one alone either everybody behind the waypoint passes, or nobody.',
        {
          risk: 'Until both policies are in force the destination is either closed or open to all clients of the waypoint.',
          confirm: [
            ztunnelLogs(mesh, finding.destination.address),
            `kubectl -n ${namespace} get authorizationpolicies -o yaml`,
          ],
        },
      ),
    ];
  },
};
