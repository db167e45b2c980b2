import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

const MESSAGE = /no ztunnel connection/;

/** istio-cni has no ztunnel to give pods to. */
export const rule: Rule = {
  meta: {
    id: 'platform-ztunnel-missing',
    category: 'platform',
    level: 'error',
    title: 'The CNI node agent had no ztunnel connection',
    page: {
      meaning:
        'A pod is to join the mesh on a node where no ztunnel is connected to istio-cni. The sandbox of the pod cannot be set up, so that the pod stays in ContainerCreating until a ztunnel is there.',
      printedBy: 'istio-cni, and the events of the pod (FailedCreatePodSandBox).',
      confirm: [
        'kubectl -n istio-system get daemonset ztunnel # confirmed if READY is below DESIRED',
        'kubectl -n istio-system get pods -l app=ztunnel -o wide',
        'kubectl -n istio-system describe pod ZTUNNEL_POD',
      ],
      change: 'Let ztunnel run on that node: tolerations, resources, image, and readiness (it needs istiod once).',
      never:
        'Do not take the pod out of the mesh to let it start: it would lose its identity, and everything that STRICT or an ALLOW policy guards would refuse it.',
    },
    cites: ['istio 86c9f01f cni/pkg/nodeagent/ztunnelserver.go'],
  },
  on: ['istio-cni/diagnostic', 'kubernetes/diagnostic'],
  match(flow) {
    const { record } = flow;
    if (record.kind !== 'diagnostic') return null;
    if (!MESSAGE.test(record.message) && !MESSAGE.test(record.fields['error'] ?? '')) return null;
    return {
      certainty: 'certain',
      cause: 'istio-cni cannot enrol pods on this node because no ztunnel is connected to it; they do not start.',
      subject: [record.origin.node ?? record.origin.pod ?? ''],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step('investigate', 'See why no ztunnel runs or is ready on that node, and repair that.', {
        confirm: [
          inRoot(mesh, 'get daemonset ztunnel'),
          inRoot(mesh, 'get pods -l app=ztunnel -o wide'),
          inRoot(mesh, 'logs -l k8s-app=istio-cni-node --tail=200 --prefix'),
        ],
      }),
    ];
  },
};
