import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { listPods, ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** Packets stopped coming in the middle of an open connection. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-path-lost',
    category: 'network',
    level: 'warning',
    title: 'The network path was lost under an open connection',
    page: {
      meaning:
        'The connection was made and worked; then packets were no longer acknowledged until the kernel gave up. A node or link went away, or a firewall forgot an idle connection.',
      printedBy: 'Either end, minutes after the path was lost.',
      confirm: [
        'kubectl get nodes -o wide',
        'kubectl get events -A --sort-by=.lastTimestamp',
        'kubectl -n NAMESPACE get networkpolicies',
      ],
      change:
        'Look for a lost node, link or route; for idle connections let the application send keep-alives more often than firewalls forget.',
      never: 'Do not change AuthorizationPolicies: a denial comes before the first byte.',
    },
    cites: ['istio/ztunnel 62d82653 src/copy.rs', 'istio/ztunnel#1662'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    if (ztunnelErrorOf(flow.record)?.kind !== 'path-lost') return null;
    return {
      certainty: 'likely',
      cause: `Packets between ${sourceName(flow.record)} and ${destinationName(flow.record)} stopped arriving while the connection was open.`,
    } satisfies Match;
  },
  propose(finding, mesh) {
    return [
      step(
        'investigate',
        'See whether a node, link or route went away at that time, or a firewall drops idle connections.',
        {
          confirm: [
            'kubectl get nodes -o wide',
            listPods(finding.destination.namespace),
            ztunnelLogs(mesh, 'ping timeout'),
          ],
        },
      ),
    ];
  },
};
