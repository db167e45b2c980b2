import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** The tunnel broke before the request was answered: mostly a refused client certificate, by a race without its alert. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-tunnel-rejected',
    category: 'identity',
    level: 'warning',
    title: 'The peer cut the tunnel right after the handshake',
    page: {
      meaning:
        'The tunnel was cut before the request in it was answered. In TLS 1.3 a server refuses a client certificate only after the client believes the handshake done; whether the client still reads the reason is a race, and this text is what remains when it lost. A peer that is going down looks the same.',
      printedBy:
        'The ztunnel on the node of the caller. The true reason is in the destination ztunnel\'s "tls handshake error", or in a "received fatal alert" of this one.',
      confirm: [
        'kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix | grep -e "tls handshake error" -e "received fatal alert"',
        'istioctl ztunnel-config certificates',
      ],
      change: 'Repair what the destination complains about: expired, unknown CA, revoked, or another trust domain.',
      never: 'Do not change policies: none was evaluated yet; the certificate comes first.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy/h2/client.rs', 'rustls 0.23.40 src/client/tls13.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    if (ztunnelErrorOf(flow.record)?.kind !== 'tunnel-rejected') return null;
    return {
      certainty: 'possible',
      cause: `${destinationName(flow.record)} cut the tunnel from ${sourceName(flow.record)} before it answered; most often it refused the certificate of the source.`,
      unchecked: [
        'the reason: the ztunnel on the node of the destination prints it as a TLS handshake error at the same time',
      ],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step('investigate', 'Read the destination ztunnel at that time: its TLS handshake error names the reason.', {
        confirm: [ztunnelLogs(mesh, 'tls handshake error'), ztunnelLogs(mesh, 'received fatal alert')],
      }),
    ];
  },
};
