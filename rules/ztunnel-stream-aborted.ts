import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** The peer reset the tunnel's stream with an error code. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-stream-aborted',
    category: 'upstream',
    level: 'warning',
    title: 'The peer aborted the stream of a connection',
    page: {
      meaning:
        'The connection was made and carried data; then the proxy at the other end reset its stream in the tunnel with an error code. Gateways and waypoints do this when their own client goes away, proxies when they run into an error.',
      printedBy: 'The end that received the reset. The reason is in the log of the other proxy.',
      confirm: ['kubectl -n PEER_NAMESPACE logs PEER_POD --tail=200', 'istioctl ztunnel-config connections'],
      change: 'Look at what the proxy at the other end logged. If clients abort on purpose (seek, cancel), nothing.',
      never: 'Do not change policies: a denial comes before the first byte.',
    },
    cites: ['istio/ztunnel 62d82653 src/copy.rs', 'istio/ztunnel 62d82653 src/proxy/h2.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'stream-aborted') return null;
    const [direction = '', reason = ''] = error.values;
    const fromClient = direction === 'send';
    return {
      certainty: 'likely',
      category: fromClient ? 'client' : 'upstream',
      cause: `The proxy at the ${fromClient ? 'source' : 'destination'} end reset the stream between ${sourceName(flow.record)} and ${destinationName(flow.record)}: ${reason}.`,
      subject: [direction, reason],
      unchecked: ['why: the log of the proxy at the other end says it'],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step('investigate', 'Read what the proxy at the other end logged at that time.', {
        confirm: [ztunnelLogs(mesh, 'stream error'), 'istioctl ztunnel-config connections'],
      }),
    ];
  },
};
