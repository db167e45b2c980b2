import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** The proxy or the pod went away with the connection open. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-connection-drained',
    category: 'platform',
    level: 'note',
    title: 'A connection was closed because its proxy shut down',
    page: {
      meaning:
        'ztunnel, or its proxy for this pod, was shutting down: the pod was deleted or taken out of the mesh, or ztunnel is rolled out. What was still open at the end of the grace period was cut. It is no denial.',
      printedBy: 'The ztunnel that shuts down. The other end prints a success or an interrupted stream.',
      confirm: [
        'kubectl -n istio-system rollout history daemonset/ztunnel',
        'kubectl get events -A --sort-by=.lastTimestamp',
      ],
      change:
        'Nothing. If long connections must survive a rollout of ztunnel, lengthen terminationGracePeriodSeconds or drain node by node.',
      never: 'Do not change policies: nothing was denied; the other end was being stopped.',
    },
    cites: ['istio/ztunnel 62d82653 src/drain.rs', 'istio/ztunnel 62d82653 src/proxy/connection_manager.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    if (ztunnelErrorOf(flow.record)?.kind !== 'drained') return null;
    return {
      certainty: 'certain',
      cause: `The connection from ${sourceName(flow.record)} to ${destinationName(flow.record)} was cut because a pod or its proxy shut down.`,
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step('none', 'Nothing to repair, if a rollout or the deletion of a pod at that time is the reason.', {
        confirm: [inRoot(mesh, 'rollout history daemonset/ztunnel'), 'kubectl get events -A --sort-by=.lastTimestamp'],
      }),
    ];
  },
};
