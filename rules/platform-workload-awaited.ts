import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot, WORKLOADS, ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

const MESSAGE = /^timed out waiting for workload(?: '([^']*)')? from xds/;

/** istiod did not send a pod's data in time. */
export const rule: Rule = {
  meta: {
    id: 'platform-workload-awaited',
    category: 'platform',
    level: 'warning',
    title: 'ztunnel waited in vain for data about its pod',
    page: {
      meaning:
        'ztunnel serves a pod about which istiod has sent nothing for five seconds. The connection that waited fails. istiod is overloaded, not reachable, or debounces for too long; or the pod is not in its view.',
      printedBy: 'The ztunnel on the node of the pod. The access line of the connection follows.',
      confirm: [
        'istioctl ztunnel-config workloads | grep POD # confirmed if the pod is missing',
        'istioctl proxy-status',
        'kubectl -n istio-system top pods -l app=istiod',
        'kubectl -n istio-system logs deploy/istiod --tail=200',
      ],
      change:
        'Give istiod more resources, open TCP 15012 between ztunnel and istiod, and take back a raised PILOT_DEBOUNCE.',
      never:
        'Do not change policies: none was evaluated; ztunnel does not know the pod that it would evaluate them for.',
    },
    cites: ['istio/ztunnel 62d82653 src/state.rs'],
  },
  on: ['ztunnel/diagnostic'],
  match(flow) {
    const { record } = flow;
    const found = record.kind === 'diagnostic' ? MESSAGE.exec(record.message) : null;
    if (found === null) return null;
    const workload = found[1];
    if (workload === undefined) {
      return {
        certainty: 'possible',
        level: 'note',
        cause:
          'ztunnel waited for data about a caller it does not know. This release does not say which; calls over the loopback address look the same.',
      } satisfies Match;
    }
    return {
      certainty: 'certain',
      cause: `ztunnel got no data about ${workload} from istiod within its waiting time.`,
      subject: [workload],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step(
        'investigate',
        'See whether istiod is overloaded or cut off from this ztunnel, and whether it knows the pod.',
        {
          confirm: [
            WORKLOADS,
            ztunnelLogs(mesh, 'XDS client'),
            inRoot(mesh, 'top pods -l app=istiod'),
            inRoot(mesh, 'logs deploy/istiod --tail=200'),
          ],
        },
      ),
    ];
  },
};
