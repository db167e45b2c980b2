import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot, listPods } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

const MESSAGE = /failed to bind to address (\S+): (.*)$/;
/** A server of ztunnel's own, without which it exits. */
const SERVER = /^((?:readiness|admin|stats) server) starts: (.*)$/;

/** A listener of ztunnel could not be opened. */
export const rule: Rule = {
  meta: {
    id: 'platform-bind-failed',
    category: 'platform',
    level: 'error',
    title: 'ztunnel could not open a listener',
    page: {
      meaning:
        'ztunnel could not bind one of its ports. "Address already in use": something in the pod\'s network uses a port of ztunnel\'s. "Address family not supported": it binds an IPv6 address on a node without IPv6. The pod has no working proxy.',
      printedBy: 'ztunnel, when it starts or takes on a pod.',
      confirm: [
        'kubectl -n NAMESPACE exec POD -- ss -ltnp',
        'kubectl -n istio-system get daemonset ztunnel -o yaml | grep -i ipv6',
        'kubectl debug node/NODE -it --image=busybox -- cat /proc/sys/net/ipv6/conf/all/disable_ipv6',
      ],
      change:
        'Let the application use other ports than 15001, 15006, 15008, 15053; without IPv6 set IPV6_ENABLED=false at ztunnel.',
      never:
        'Do not change policies: the proxy does not run, and no policy is asked. Do not restart ztunnel again and again: whoever holds the port holds it still.',
    },
    cites: [
      'istio/ztunnel 62d82653 src/proxy.rs',
      'istio/ztunnel 62d82653 src/config.rs',
      'istio/ztunnel 62d82653 src/app.rs',
    ],
  },
  on: ['ztunnel/diagnostic'],
  match(flow) {
    const { record } = flow;
    if (record.kind !== 'diagnostic') return null;
    const found =
      SERVER.exec(record.message) ??
      MESSAGE.exec(record.message) ??
      MESSAGE.exec(record.fields['error'] ?? record.fields['err'] ?? '');
    if (found === null) return null;
    const [, address = '', reason = ''] = found;
    const where = record.fields['wl'] ?? '';
    return {
      certainty: 'certain',
      cause: `ztunnel could not open ${address.endsWith(' server') ? `its ${address}` : address}${where === '' ? '' : ` for ${where}`}: ${reason}.`,
      subject: [address, where],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step(
        'configuration',
        'Free the port in the pod, or set IPV6_ENABLED=false at ztunnel where nodes have no IPv6.',
        {
          confirm: [listPods(null), inRoot(mesh, 'get daemonset ztunnel -o yaml')],
        },
      ),
    ];
  },
};
