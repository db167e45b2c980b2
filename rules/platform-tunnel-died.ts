import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot, ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

const PING = /^(?:HBONE ping (?:timeout|error)|ping error)/;
const HANDSHAKE = /^Error in HBONE connection handshake: /;
const ALERT = /received fatal alert: (\w+)/;

/** The driver of a tunnel says how it ended. */
export const rule: Rule = {
  meta: {
    id: 'platform-tunnel-died',
    category: 'network',
    level: 'warning',
    title: 'A tunnel between proxies ended',
    page: {
      meaning:
        'The HTTP/2 connection that carries the tunnels of a pod to one destination ended. "ping timeout": nothing came back for 20 seconds, the path is lost. "received fatal alert": the destination refused the certificate. Other texts: the peer closed it, at a restart for example.',
      printedBy:
        'The ztunnel of the caller. Despite its wording, "Error in HBONE connection handshake" is also printed when an established tunnel ends.',
      confirm: [
        'kubectl get nodes -o wide',
        'kubectl -n istio-system get pods -l app=ztunnel -o wide',
        'kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix | grep "tls handshake error"',
      ],
      change:
        'Lost path: look for the node, link or route that went away. Alert: read the reason at the destination ztunnel.',
      never: 'Do not change policies: a denial answers the request and leaves the tunnel open.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy/h2/client.rs', 'istio/ztunnel 62d82653 src/proxy/h2.rs'],
  },
  on: ['ztunnel/diagnostic'],
  match(flow) {
    if (flow.record.kind !== 'diagnostic') return null;
    const { message, fields } = flow.record;
    const pod = fields['wl'] ?? 'a pod';
    if (PING.test(message)) {
      return {
        certainty: 'likely',
        cause: `A tunnel of ${pod} got no answer to its pings: the path to its destination is lost.`,
        subject: [pod],
      } satisfies Match;
    }
    if (!HANDSHAKE.test(message)) return null;
    const alert = ALERT.exec(message)?.[1];
    if (alert === undefined) {
      return {
        certainty: 'certain',
        level: 'note',
        cause: `The other end closed a tunnel of ${pod}.`,
        subject: [pod, 'closed'],
      } satisfies Match;
    }
    return {
      certainty: 'certain',
      category: 'identity',
      cause: `The destination refused the certificate of ${pod} (${alert}).`,
      subject: [pod, alert],
    } satisfies Match;
  },
  propose(finding, mesh) {
    if (finding.category === 'identity') {
      return [
        step('investigate', 'Read at the destination ztunnel why it refuses the certificate.', {
          confirm: [ztunnelLogs(mesh, 'tls handshake error'), 'istioctl ztunnel-config certificates'],
        }),
      ];
    }
    return [
      step('investigate', 'See whether a node, link or ztunnel went away at that time.', {
        confirm: ['kubectl get nodes -o wide', inRoot(mesh, 'get pods -l app=ztunnel -o wide')],
      }),
    ];
  },
};
