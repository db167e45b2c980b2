import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot, ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** The HTTP/2 layer of the tunnel failed. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-tunnel-failed',
    category: 'network',
    level: 'warning',
    title: 'The tunnel broke down before the connection was made',
    page: {
      meaning:
        'TLS was established, but the HTTP/2 connection of the tunnel failed while the request was sent: the peer shut it down, ran into its limits, or broke the protocol, or the network lost it.',
      printedBy: 'The ztunnel on the node of the caller.',
      confirm: [
        'kubectl -n istio-system get pods -l app=ztunnel -o wide',
        'kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix | grep -e "HBONE" -e "drain"',
      ],
      change:
        'If it happens around a restart of ztunnel or of a waypoint, nothing. If it stays, look for what the peer logs at that time.',
      never: 'Do not change policies: no denial looks like this, and an opened policy would not make the tunnel hold.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy/h2/client.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'tunnel-failed') return null;
    return {
      certainty: 'possible',
      cause: `The tunnel from ${sourceName(flow.record)} to ${destinationName(flow.record)} broke before the connection was made: ${error.text}.`,
      unchecked: ['what the peer says: read the log of the next hop at that time'],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step('investigate', 'See whether the next hop restarted or was overloaded at that time.', {
        confirm: [inRoot(mesh, 'get pods -l app=ztunnel -o wide'), ztunnelLogs(mesh, 'HBONE')],
      }),
    ];
  },
};
