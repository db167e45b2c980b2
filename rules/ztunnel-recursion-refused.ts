import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** Somebody dialled ztunnel's own port. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-recursion-refused',
    category: 'client',
    level: 'note',
    title: "A call to ztunnel's own port was refused",
    page: {
      meaning:
        'A connection was made to port 15001, 15006 or 15008 of a pod, which belong to ztunnel itself. It refuses them, because it would call itself. Port scanners and wrong scrape configurations do this.',
      printedBy: 'The ztunnel of the pod that was called, or of the caller; a caller in the mesh sees 400 or 503.',
      confirm: ['kubectl get pods -A -o wide | grep SOURCE_IP'],
      change: 'Ignore it, or take these ports out of the scrape or scan configuration.',
      never: 'Do not exempt these ports from redirection: they are not meant to be reached, and the call would loop.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy/outbound.rs', 'istio/ztunnel 62d82653 src/proxy/inbound_passthrough.rs'],
  },
  on: ['ztunnel/connection', 'ztunnel/diagnostic'],
  match(flow) {
    if (ztunnelErrorOf(flow.record)?.kind !== 'recursive') return null;
    return {
      certainty: 'certain',
      cause: `${sourceName(flow.record)} called a port of ztunnel itself at ${destinationName(flow.record)}.`,
    } satisfies Match;
  },
  propose() {
    return [
      step(
        'none',
        'Nothing is broken. If it is a scrape job or a scanner of yours, leave out ports 15001, 15006 and 15008.',
        {
          confirm: ['kubectl get pods -A -o wide'],
        },
      ),
    ];
  },
};
