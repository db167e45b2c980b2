import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

const MESSAGE = /^(?:failed to connect to (?:the Istio CNI node agent over|server) |node agent announcement failed)/;

/** ztunnel cannot talk to the CNI node agent. */
export const rule: Rule = {
  meta: {
    id: 'platform-cni-unreachable',
    category: 'platform',
    level: 'warning',
    title: 'ztunnel could not reach the CNI node agent',
    page: {
      meaning:
        'ztunnel learns from istio-cni on its node which pods it serves, over a local socket. That socket is missing or nobody answers: istio-cni is not running there, or both were set up with different paths. Until then no new pod of the node gets a proxy.',
      printedBy: 'ztunnel, repeated with growing pauses. A few such lines while a node starts are normal.',
      confirm: [
        'kubectl -n istio-system get pods -l k8s-app=istio-cni-node -o wide',
        'kubectl -n istio-system logs -l k8s-app=istio-cni-node --tail=200 --prefix',
      ],
      change: 'Bring the istio-cni DaemonSet up on that node, with ambient enabled and of the release of ztunnel.',
      never:
        'Do not restart application pods meanwhile: without istio-cni they come up outside the mesh or not at all.',
    },
    cites: ['istio/ztunnel 62d82653 src/inpod/workloadmanager.rs'],
  },
  on: ['ztunnel/diagnostic'],
  match(flow) {
    if (flow.record.kind !== 'diagnostic' || !MESSAGE.test(flow.record.message)) return null;
    const { pod, node } = flow.record.origin;
    return {
      certainty: 'certain',
      cause: 'ztunnel does not reach the istio-cni agent of its node, so that no new pod there gets a proxy.',
      subject: [pod ?? node ?? ''],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step('investigate', 'See whether istio-cni runs on that node and has ambient mode enabled.', {
        confirm: [
          inRoot(mesh, 'get pods -l k8s-app=istio-cni-node -o wide'),
          inRoot(mesh, 'logs -l k8s-app=istio-cni-node --tail=200 --prefix'),
        ],
      }),
    ];
  },
};
