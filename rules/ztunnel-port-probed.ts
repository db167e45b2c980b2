import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** A handshake on 15008 that no mesh client starts. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-port-probed',
    category: 'client',
    level: 'note',
    title: 'A client outside the mesh knocked at port 15008',
    page: {
      meaning:
        "Something connected to the tunnel port 15008 without speaking the mesh's TLS: no client certificate, an old TLS version, plain text, or it connected and closed at once. Port scanners, load balancer health checks and TCP probes do this.",
      printedBy: 'The ztunnel on the node of the destination. Up to 1.25 it prints no addresses.',
      confirm: [
        'kubectl get pods -A -o wide | grep SOURCE_IP # what it finds is the scanner; nothing: it is outside the cluster',
      ],
      change: 'Ignore it, or point the health check or scanner to another port.',
      never: 'Do not switch mutual TLS off for it: no workload was refused.',
    },
    cites: ['istio/ztunnel 62d82653 src/tls/server.rs', 'istio/ztunnel#1524'],
  },
  on: ['ztunnel/connection', 'ztunnel/diagnostic'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'port-probed') return null;
    return {
      certainty: 'likely',
      cause: `${sourceName(flow.record)} connected to the tunnel port of ${destinationName(flow.record)} without a TLS handshake as mesh clients make it. Scanners and TCP health checks look like this.`,
      anyCaller: true,
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step(
        'none',
        'Nothing is broken, unless the address belongs to a workload of the mesh: then see that its ztunnel runs.',
        {
          confirm: [ztunnelLogs(mesh, 'tls handshake error'), 'kubectl get pods -A -o wide'],
        },
      ),
    ];
  },
};
