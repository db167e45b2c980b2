import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { envoyFacts, requestName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';
import { ownSideOf } from '../src/remedy/edits/own-side.ts';

/** REGISTRY_ONLY: an unknown destination went to BlackHoleCluster or the route block_all. */
export const rule: Rule = {
  meta: {
    id: 'envoy-egress-blocked',
    category: 'routing',
    level: 'warning',
    title: 'The destination is not in the registry of the mesh',
    page: {
      meaning:
        'outboundTrafficPolicy is REGISTRY_ONLY for this workload, and the destination belongs to no Service or ServiceEntry that it can see. HTTP gets 502, other connections are closed.',
      printedBy: 'The sidecar of the caller: cluster BlackHoleCluster, or route block_all.',
      confirm: [
        'kubectl -n istio-system get configmap istio -o yaml | grep -A2 outboundTrafficPolicy # confirmed if the mode is REGISTRY_ONLY',
        'kubectl get serviceentries -A',
        'kubectl get sidecars -A -o yaml',
      ],
      change:
        'If the workload may go there, add a ServiceEntry for exactly this host and port, visible to this namespace only. If a Sidecar limits the known hosts, add the host there.',
      never:
        'Do not switch the whole mesh to ALLOW_ANY and do not put */* into the mesh-wide Sidecar for one destination.',
    },
    cites: [
      'istio 86c9f01f pilot/pkg/networking/util/util.go',
      'istio 86c9f01f pilot/pkg/networking/core/listener_builder.go',
    ],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }, mesh) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'egress-blocked') return null;
    const authority = record.kind === 'request' ? record.authority : null;
    const facts = envoyFacts(record);
    const target = authority ?? facts?.serverName ?? facts?.downstreamLocal ?? 'an unknown address';
    const own = ownSideOf(record, mesh);
    return {
      certainty: failure.certainty,
      cause: `${requestName(record)} goes to ${target}, which no Service and no ServiceEntry visible here has; the proxy lets nothing else out (REGISTRY_ONLY).${own === null ? '' : ` ${own.because}`}`,
      policies: own?.policies ?? [],
      intended: 'unknown',
      subject: [target],
    };
  },
  propose({ flows }, mesh) {
    const own = flows[0] === undefined ? null : ownSideOf(flows[0].record, mesh);
    if (own !== null) return [own.repair];
    return [
      step(
        'configuration',
        'If the workload may call this destination, add a ServiceEntry for exactly that host and port, exported to its namespace only.',
        {
          risk: 'The workload can then reach the destination.',
          confirm: [
            'kubectl get serviceentries -A',
            'kubectl get sidecars -A -o yaml',
            'istioctl proxy-config cluster POD.NAMESPACE',
          ],
        },
      ),
    ];
  },
};
