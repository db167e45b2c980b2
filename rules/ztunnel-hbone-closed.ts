import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import { relayOf } from '../src/causes/ztunnel-hop.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot, listPods, ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** The peer hung up in the handshake. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-hbone-closed',
    category: 'platform',
    level: 'warning',
    title: 'The peer hung up while the tunnel was being opened',
    page: {
      meaning:
        'The next hop accepted the connection on port 15008 and closed it before the TLS handshake was done. Its ztunnel has no certificate for the pod, does not know the pod yet (then it takes five seconds), or is restarting; or something else listens there.',
      printedBy:
        'The ztunnel on the node of the caller. The destination\'s ztunnel prints "signing error" or "workload is unknown" when it is one of these.',
      confirm: [
        'kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix | grep -e "signing error" -e "workload is unknown" -e "certificate fetch failed"',
        'istioctl ztunnel-config certificates',
        'kubectl -n istio-system get pods -l app=ztunnel -o wide',
      ],
      change:
        "Repair what the destination's ztunnel complains about: its connection to istiod (port 15012), or the CA.",
      never: 'Do not change policies: none was evaluated yet; the handshake comes first.',
    },
    cites: ['istio/ztunnel 62d82653 src/tls/server.rs', 'istio/ztunnel 62d82653 src/proxy/inbound.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    const { record } = flow;
    if (ztunnelErrorOf(record)?.kind !== 'hbone-closed') return null;
    const relay = relayOf(record);
    if (relay !== null) {
      return {
        certainty: 'possible',
        cause: `The waypoint or gateway ${relay}, through which ${sourceName(record)} called, closed the connection in the middle of the handshake: it has no certificate, is not ready, or restarts.`,
        subject: ['relay'],
        unchecked: ['the reason: the log of the waypoint or gateway at the same time'],
      } satisfies Match;
    }
    if (record.kind === 'connection' && hasWaited(record.durationMs)) {
      return {
        certainty: 'likely',
        cause: `The other end took the connection from ${sourceName(record)} to ${destinationName(record)} and closed it after five seconds, the time for which a ztunnel waits for what it does not know: it got no data from istiod about the pod that was called.`,
        subject: ['waited'],
        unchecked: ['whether it was that: the ztunnel on the node of the destination then says "workload is unknown"'],
      } satisfies Match;
    }
    return {
      certainty: 'possible',
      cause: `The other end closed the connection from ${sourceName(record)} to ${destinationName(record)} in the middle of the handshake: its ztunnel has no certificate for the pod, does not know it, or restarts.`,
      unchecked: ['the reason: the ztunnel on the node of the destination says it at the same time'],
    } satisfies Match;
  },
  propose(finding, mesh) {
    if (finding.flows.some(({ record }) => relayOf(record) !== null)) {
      return [
        step('investigate', 'Read the log of the waypoint or gateway at that time, and see whether its pod is ready.', {
          confirm: [listPods(finding.destination.namespace), 'istioctl proxy-status'],
        }),
      ];
    }
    return [
      step(
        'investigate',
        'Read the destination ztunnel at that time, and see whether it has a certificate for the pod.',
        {
          confirm: [
            ztunnelLogs(mesh, 'signing error'),
            ztunnelLogs(mesh, 'is unknown'),
            'istioctl ztunnel-config certificates',
            inRoot(mesh, 'get pods -l app=ztunnel -o wide'),
          ],
        },
      ),
    ];
  },
};

/** How long ztunnel waits for data about a pod it does not know, in ms (istio/ztunnel 62d82653 src/state.rs). */
const WAIT_MS = 5000;

function hasWaited(durationMs: number | null): boolean {
  return durationMs !== null && durationMs >= WAIT_MS && durationMs < WAIT_MS * 1.2;
}
