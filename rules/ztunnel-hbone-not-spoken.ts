import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { listPods, WORKLOADS } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName } from '../src/text/ends.ts';

/** Something that is not TLS, or not ztunnel's TLS, answers on 15008. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-hbone-not-spoken',
    category: 'platform',
    level: 'error',
    title: 'Something else than a mesh proxy answered on port 15008',
    page: {
      meaning:
        'The next hop answered on port 15008, but not with the TLS that ztunnel speaks. The mesh believes that the destination is enrolled, but its traffic reaches the application or another proxy directly.',
      printedBy: 'The ztunnel on the node of the caller.',
      confirm: [
        'kubectl -n DESTINATION_NAMESPACE exec DESTINATION_POD -- ss -ltnp',
        'kubectl -n DESTINATION_NAMESPACE get pod DESTINATION_POD -o yaml',
        'istioctl ztunnel-config workloads',
      ],
      change:
        'Let the application use another port than 15008, or repair the capture of the pod (restart it while istio-cni is healthy).',
      never:
        'Do not switch mutual TLS off for the destination: what answers on that port is not its ztunnel, and would get the traffic in plain text.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy/pool.rs', 'istio/ztunnel 62d82653 src/tls/workload.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    if (ztunnelErrorOf(flow.record)?.kind !== 'peer-not-mesh') return null;
    return {
      certainty: 'likely',
      cause: `What answers on the tunnel port of ${destinationName(flow.record)} does not speak the mesh's TLS: the pod is not captured by its ztunnel, or something else listens on 15008.`,
    } satisfies Match;
  },
  propose(finding) {
    return [
      step(
        'investigate',
        'Find out what listens on port 15008 of the destination, and whether istio-cni has captured the pod.',
        {
          confirm: [listPods(finding.destination.namespace), WORKLOADS],
        },
      ),
    ];
  },
};
