import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** An end closed while bytes were in flight. Frequent in healthy traffic. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-stream-interrupted',
    category: 'application',
    level: 'note',
    title: 'A connection was closed before all bytes had passed',
    page: {
      meaning:
        'The connection was made and worked; then one end closed it while bytes were still on their way. A client that has read enough and closes leaves this, in healthy traffic too. It also is what remains at the other end when a tunnel was cut (policy change, shutdown, lost network).',
      printedBy: 'Either end. "send" is the direction from the client to the server, "receive" the other.',
      confirm: [
        'kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix | grep -e "policy change" -e "drain" -e "ping timeout"',
      ],
      change:
        'Nothing, unless clients complain. Then look for a policy change, a shutdown or lost pings at the same time.',
      never: 'Do not take it for a denial, and do not change policies for it: connections that work end like this too.',
    },
    cites: ['istio/ztunnel 62d82653 src/copy.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'stream-interrupted') return null;
    if (flow.record.reporter === 'source' && error.text.startsWith('while closing connection: send: ')) {
      return {
        certainty: 'possible',
        cause: `The end of ${destinationName(flow.record)} closed the connection from ${sourceName(flow.record)} while the caller was still sending: its server did, or its ztunnel cut the connection after a change of policy, a revoked certificate or lost pings.`,
        subject: ['sending'],
        unchecked: ['which of these: the line of the ztunnel on the node of the destination says it'],
      } satisfies Match;
    }
    return {
      certainty: 'likely',
      cause: `One end closed the connection from ${sourceName(flow.record)} to ${destinationName(flow.record)} while bytes were on their way. Clients that stop reading do this.`,
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step('none', 'Nothing to repair, unless a policy change, a shutdown or lost pings are logged at the same time.', {
        confirm: [ztunnelLogs(mesh, 'policy change'), ztunnelLogs(mesh, 'drain')],
      }),
    ];
  },
};
