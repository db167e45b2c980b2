import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

const MESSAGE = /^(?:drain duration expired with pending connections|inbound serve drain err: )/;

/** Connections were still open when the grace period of a shutdown ended. */
export const rule: Rule = {
  meta: {
    id: 'platform-drain-expired',
    category: 'platform',
    level: 'note',
    title: 'Connections were still open when a proxy had to stop',
    page: {
      meaning:
        'ztunnel or its proxy for a pod was asked to stop, waited for its connections to end, and cut those that were still open when the grace period was over.',
      printedBy:
        'The ztunnel that shuts down. Lines with "connection drain" may follow; up to 1.24 some connections leave none.',
      confirm: [
        'kubectl -n istio-system get daemonset ztunnel -o jsonpath={.spec.template.spec.terminationGracePeriodSeconds}',
      ],
      change: 'Nothing, or lengthen terminationGracePeriodSeconds of ztunnel if long connections must survive.',
      never: 'Do not change policies: nothing was denied; connections were open when ztunnel had to go.',
    },
    cites: ['istio/ztunnel 62d82653 src/drain.rs', 'istio/ztunnel release-1.22 src/proxy/inbound.rs'],
  },
  on: ['ztunnel/diagnostic'],
  match(flow) {
    if (flow.record.kind !== 'diagnostic' || !MESSAGE.test(flow.record.message)) return null;
    const pod = flow.record.fields['wl'] ?? 'a pod';
    return {
      certainty: 'certain',
      cause: `The proxy of ${pod} stopped while connections were open; they were cut.`,
      subject: [pod],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step('none', 'Nothing to repair, if a rollout or the deletion of the pod at that time is the reason.', {
        confirm: [inRoot(mesh, 'rollout history daemonset/ztunnel'), 'kubectl get events -A --sort-by=.lastTimestamp'],
      }),
    ];
  },
};
