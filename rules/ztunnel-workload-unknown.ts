import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot, WORKLOADS, ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

/** ztunnel has no data about the pod it serves. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-workload-unknown',
    category: 'platform',
    level: 'error',
    title: 'ztunnel did not know its own pod',
    page: {
      meaning:
        'istio-cni gave the pod to ztunnel, but istiod sent nothing about it within five seconds, so that ztunnel has neither identity nor policies for it and refuses all its connections. istiod is slow or not reachable, or does not see the pod.',
      printedBy:
        'The ztunnel on the node of the pod, for connections in both directions. The other end sees a reset after five seconds.',
      confirm: [
        'istioctl ztunnel-config workloads | grep POD # confirmed if the pod is missing',
        'kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix | grep "XDS client"',
        'kubectl -n istio-system logs deploy/istiod --tail=200',
        'kubectl -n istio-system get pods -l app=istiod -o wide',
      ],
      change:
        'Repair the connection between ztunnel and istiod (TCP 15012), or give istiod more resources. A pod that was just created may fail for some seconds.',
      never: 'Do not change policies: none was evaluated; ztunnel lacks the pod itself, and with it its policies.',
    },
    cites: ['istio/ztunnel 62d82653 src/state.rs', 'istio/ztunnel 62d82653 src/proxy.rs'],
  },
  on: ['ztunnel/connection', 'ztunnel/diagnostic'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'workload-unknown') return null;
    const [who = ''] = error.values;
    return {
      certainty: 'certain',
      cause: `ztunnel got no data from istiod about the pod it serves (${who}) and refused its connection.`,
      subject: [who],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step('investigate', 'See whether this ztunnel is connected to istiod and whether istiod knows the pod.', {
        confirm: [
          WORKLOADS,
          ztunnelLogs(mesh, 'XDS client'),
          inRoot(mesh, 'get pods -l app=istiod -o wide'),
          inRoot(mesh, 'logs deploy/istiod --tail=200'),
        ],
      }),
    ];
  },
};
