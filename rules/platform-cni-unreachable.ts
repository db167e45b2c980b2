import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

const MESSAGE = /^(?:failed to connect to (?:the Istio CNI node agent over|server) |node agent announcement failed)/;
/** What istio-cni said to the kubelet. Where no ztunnel is connected its agent was reached: that is another diagnosis. */
const REFUSED = /name="istio-cni" failed \(add\): (?!.*no ztunnel connection)(\S.{0,300})/;
/**
 * What istio-cni itself logs of a pod that it could not set up: its agent, then its plugin. A status without a reason is
 * told in full by the agent's line.
 */
const UNSET =
  /^(?:failed to (?:add|update) pod\b[^:]{0,200}: |failed to handle add event\b[^:]{0,200}: |istio-cni (?:cmdAdd error|failed with|cmdAdd failed to \w{1,20} node Istio CNI agent): )(?!.*no ztunnel connection)(.{0,300})/i;

/** ztunnel cannot talk to the CNI node agent. */
export const rule: Rule = {
  meta: {
    id: 'platform-cni-unreachable',
    category: 'platform',
    level: 'warning',
    title: 'The CNI node agent could not be reached',
    page: {
      meaning:
        'ztunnel learns from istio-cni on its node which pods it serves, over a local socket. That socket is missing or nobody answers: istio-cni is not running there, or both were set up with different paths. Until then no new pod of the node gets a proxy.',
      printedBy:
        'ztunnel, repeated with growing pauses; a few such lines while a node starts are normal. In the events of a pod that does not start, the kubelet, with what istio-cni said; and istio-cni itself.',
      confirm: [
        'kubectl -n istio-system get pods -l k8s-app=istio-cni-node -o wide',
        'kubectl -n istio-system logs -l k8s-app=istio-cni-node --tail=200 --prefix',
      ],
      change: 'Bring the istio-cni DaemonSet up on that node, with ambient enabled and of the release of ztunnel.',
      never:
        'Do not restart application pods meanwhile: without istio-cni they come up outside the mesh or not at all.',
    },
    cites: ['istio/ztunnel 62d82653 src/inpod/workloadmanager.rs', 'istio 86c9f01f cni/pkg/plugin/plugin.go'],
  },
  on: ['ztunnel/diagnostic', 'kubernetes/diagnostic', 'istio-cni/diagnostic'],
  match({ record }) {
    if (record.kind !== 'diagnostic') return null;
    const { pod, node } = record.origin;
    if (record.proxy !== 'ztunnel') {
      const said = (record.proxy === 'kubernetes' ? REFUSED : UNSET).exec(record.message)?.[1];
      if (said === undefined) return null;
      return {
        certainty: 'certain',
        cause: `istio-cni on the node could not set up the network of a pod, which does not start: ${said.trim()}.`,
        level: 'error',
        subject: [node ?? ''],
      } satisfies Match;
    }
    if (!MESSAGE.test(record.message)) return null;
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
