import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** A failed connection whose text no other rule knows, so that none passes in silence. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-connection-failed',
    category: 'upstream',
    level: 'warning',
    title: 'A connection failed for a reason that is not known here',
    page: {
      meaning:
        'ztunnel logged a failed connection with a text that meshmend does not know: a rare error of the operating system, an internal error, or a text of a newer release.',
      printedBy: 'The ztunnel named by the line; the other end may have a line of the same time that says more.',
      confirm: ['kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix | grep SOURCE_IP', 'istioctl version'],
      change: 'Read the error text, and the lines of both ztunnels around it.',
      never: 'Do not change policies on suspicion: a denial says so in its text.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy.rs'],
  },
  on: ['ztunnel/connection', 'ztunnel/diagnostic'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind === 'internal') {
      return {
        certainty: 'likely',
        category: 'platform',
        cause: `ztunnel itself gave up the connection from ${sourceName(flow.record)} to ${destinationName(flow.record)}: "${error.values[0]}" stands for an internal fault of ztunnel, not for a policy, the network or the application.`,
        subject: ['internal', error.values[0] ?? ''],
        unchecked: ['whether a newer release of ztunnel has repaired it'],
      } satisfies Match;
    }
    if (error?.kind !== 'unknown') return null;
    const text = error.text === '' ? 'ztunnel gives no reason' : error.text;
    return {
      certainty: 'possible',
      cause: `The connection from ${sourceName(flow.record)} to ${destinationName(flow.record)} failed: ${text}.`,
      unchecked: ['what the other end logged at that time'],
    } satisfies Match;
  },
  propose(finding, mesh) {
    return [
      step('investigate', 'Read the lines of both ztunnels around that time.', {
        confirm: [ztunnelLogs(mesh, finding.source.addresses[0] ?? null), 'istioctl version'],
      }),
    ];
  },
};
