import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot, ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

/** ztunnel has no file descriptor left. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-descriptors-exhausted',
    category: 'platform',
    level: 'error',
    title: 'ztunnel ran out of file descriptors',
    page: {
      meaning:
        'The ztunnel of this node has no free file descriptor and can neither accept nor open connections, for no pod of the node. Each connection takes two; too many are open, or the limit is too low.',
      printedBy: 'That ztunnel: "Too many open files" in access lines, and thousands of "Failed TCP handshake" lines.',
      confirm: [
        'kubectl -n istio-system logs ZTUNNEL_POD | grep "file descriptor limits"',
        'istioctl ztunnel-config connections --node NODE',
        'kubectl -n istio-system exec ZTUNNEL_POD -- sh -c "ls /proc/1/fd | wc -l"',
      ],
      change:
        'Find the workload that opens the connections and limit it; raise the limit of the container runtime if the load is legitimate.',
      never: 'Do not only restart ztunnel: it cuts all connections of the node and the descriptors fill again.',
    },
    cites: ['istio/ztunnel 62d82653 src/main.rs', 'istio/ztunnel 62d82653 src/proxy/outbound.rs'],
  },
  on: ['ztunnel/connection', 'ztunnel/diagnostic'],
  match(flow) {
    if (ztunnelErrorOf(flow.record)?.kind !== 'descriptors-exhausted') return null;
    const { origin } = flow.record;
    return {
      certainty: 'certain',
      cause: 'The ztunnel of this node has no free file descriptor: no pod of the node can open or accept connections.',
      subject: [origin.pod ?? origin.node ?? ''],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step(
        'configuration',
        'Find the pod that holds the connections and limit it, or raise the open-files limit of the runtime.',
        {
          confirm: [
            ztunnelLogs(mesh, 'file descriptor limits'),
            'istioctl ztunnel-config connections --node NODE',
            inRoot(mesh, 'get pods -l app=ztunnel -o wide'),
          ],
        },
      ),
    ];
  },
};
