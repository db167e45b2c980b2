import type { ZtunnelError } from '../src/causes/ztunnel-error.ts';
import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { listPods, WORKLOADS } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** The tunnel came to a pod that is not the one it asked for. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-request-misrouted',
    category: 'routing',
    level: 'warning',
    title: 'A tunnel arrived at a pod it was not meant for',
    page: {
      meaning:
        'The tunnel request asked for an address or service that the pod it reached does not have. Usually the caller works with stale data because an address was reused, or traffic goes to a waypoint for a target that is not attached to it.',
      printedBy:
        'The ztunnel of the destination ("ip mismatch", "no service or workload for hostname", "cannot resolve port"); the caller\'s ztunnel sees 400 or 503.',
      confirm: ['istioctl ztunnel-config workloads', 'istioctl ztunnel-config services', 'istioctl proxy-status'],
      change:
        "If it passes within seconds, nothing. If it stays: repair the connection of the caller's ztunnel to istiod, or the attachment of the target to the waypoint.",
      never: 'Do not change policies: the request was refused before any was evaluated.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy/inbound.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error === null) return null;
    const cause = causeOf(error, sourceName(flow.record), destinationName(flow.record));
    if (cause === null) return null;
    // A scanner asks for many names and addresses; what was asked for stands in the lines.
    return { certainty: 'likely', cause, subject: [error.kind], anyCaller: true } satisfies Match;
  },
  propose(finding) {
    return [
      step(
        'investigate',
        'Compare what ztunnel knows of the destination with the cluster; stale data disappears once it is in sync with istiod.',
        {
          confirm: [
            WORKLOADS,
            'istioctl ztunnel-config services',
            'istioctl proxy-status',
            listPods(finding.destination.namespace),
          ],
        },
      ),
    ];
  },
};

function causeOf(error: ZtunnelError, source: string, destination: string): string | null {
  const [asked = '', got = ''] = error.values;
  if (error.kind === 'status' && asked === '400') {
    return `The next hop on the way to ${destination} answered 400 to ${source}: the request was not for it. Usually the data of the caller's ztunnel is stale.`;
  }
  if (error.kind !== 'misaddressed') return null;
  if (error.text.startsWith('ip mismatch')) {
    return `A tunnel for ${got} arrived at the pod ${asked}: the caller's data is stale, or the target is not attached to this waypoint.`;
  }
  return `A tunnel asked ${destination} for ${asked}, which it cannot resolve to a service and port of its own.`;
}
