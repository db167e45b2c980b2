import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot, ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

const MESSAGE =
  /^(?:failed to start proxy|retrying workload failed|error creating proxy|failed to read SO_ORIGINAL_DST)/;
const BIND = /failed to bind to address/;

/** ztunnel could not take on a pod, or its traffic is not redirected as it should be. */
export const rule: Rule = {
  meta: {
    id: 'platform-proxy-unstarted',
    category: 'platform',
    level: 'error',
    title: 'ztunnel could not serve a pod',
    page: {
      meaning:
        'istio-cni gave a pod to ztunnel, and ztunnel could not start a proxy in it, or connections arrive without the original destination that redirection should leave. The pod has no working proxy.',
      printedBy: 'ztunnel, at the time the pod starts or at each connection.',
      confirm: [
        'kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix | grep inpod',
        'kubectl -n istio-system logs -l k8s-app=istio-cni-node --tail=200 --prefix',
      ],
      change:
        'Repair what the text names; restart the pod once istio-cni and ztunnel of the node are healthy, so that it is captured anew.',
      never: 'Do not change policies: the proxy of the pod does not run, and no policy is asked.',
    },
    cites: ['istio/ztunnel 62d82653 src/inpod/statemanager.rs', 'istio/ztunnel 62d82653 src/socket.rs'],
  },
  on: ['ztunnel/diagnostic'],
  match(flow) {
    const { record } = flow;
    if (record.kind !== 'diagnostic' || !MESSAGE.test(record.message)) return null;
    const detail = record.fields['error'] ?? record.fields['err'] ?? '';
    if (BIND.test(record.message) || BIND.test(detail)) return null;
    const where = record.fields['wl'] ?? record.fields['name'] ?? '';
    return {
      certainty: 'certain',
      cause: `ztunnel cannot serve ${where === '' ? 'a pod of its node' : where}: ${detail === '' ? record.message : detail}.`,
      subject: [where],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step('investigate', 'Read what ztunnel and istio-cni of that node say about the pod; then restart the pod.', {
        confirm: [ztunnelLogs(mesh, 'inpod'), inRoot(mesh, 'logs -l k8s-app=istio-cni-node --tail=200 --prefix')],
      }),
    ];
  },
};
