import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { openHbonePort } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** An ICMP error or a local refusal instead of a tunnel. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-hbone-rejected',
    category: 'network',
    level: 'error',
    title: 'The network rejected the tunnel',
    page: {
      meaning:
        "The kernel could not send the tunnel's packets, or the network answered with an ICMP error: no route, unreachable, host down, prohibited. A NetworkPolicy that rejects instead of dropping, a missing route, or a pod that is gone look like this.",
      printedBy: 'The ztunnel on the node of the caller.',
      confirm: [
        'kubectl -n DESTINATION_NAMESPACE get networkpolicies -o yaml # confirmed if one that selects the pod lists ports, and 15008 is not among them',
        'kubectl -n SOURCE_NAMESPACE get networkpolicies -o yaml',
        'kubectl get nodes -o wide',
      ],
      change:
        'Allow TCP 15008 in the NetworkPolicy (egress of the caller for "Operation not permitted" and "Permission denied"), or repair the route between the nodes.',
      never: 'Do not delete the NetworkPolicy: it guards more than this one caller. One port for one caller is enough.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy/pool.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'hbone-unreachable') return null;
    return {
      certainty: 'likely',
      cause: `The network rejected the tunnel from ${sourceName(flow.record)} to ${destinationName(flow.record)} (${error.text.replace('io error: ', '')}): a NetworkPolicy that rejects, or a missing route.`,
    } satisfies Match;
  },
  propose(finding, mesh) {
    return openHbonePort(finding, mesh);
  },
};
