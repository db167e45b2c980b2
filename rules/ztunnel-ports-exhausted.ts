import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import type { LogRecord } from '../src/model/record.ts';
import { listPods, wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** The pod has no free source port towards this destination. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-ports-exhausted',
    category: 'platform',
    level: 'error',
    title: 'The pod ran out of source ports',
    page: {
      meaning:
        'All ephemeral ports of the calling pod towards that one destination address are in use or waiting to be released. The application opens connections faster than they are closed, mostly one per request to a destination outside the mesh.',
      printedBy: 'The ztunnel on the node of the caller ("Cannot assign requested address").',
      confirm: [
        'kubectl -n SOURCE_NAMESPACE exec SOURCE_POD -- ss -s',
        'kubectl -n SOURCE_NAMESPACE exec SOURCE_POD -- cat /proc/sys/net/ipv4/ip_local_port_range',
      ],
      change:
        'Let the application keep and reuse its connections; widen net.ipv4.ip_local_port_range of the pod if the load is legitimate; run more replicas.',
      never:
        'Do not change policies: no packet was sent. Do not restart the caller only: it will use its ports up again.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy/outbound.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    if (ztunnelErrorOf(flow.record)?.kind !== 'ports-exhausted') return null;
    if (isAtDestination(flow.record)) {
      return {
        certainty: 'likely',
        cause: `The ztunnel of ${destinationName(flow.record)} got no free source address and port to connect to the application for ${sourceName(flow.record)}.`,
        subject: ['destination'],
        unchecked: ['how many connections to the application are open in the pod of the destination'],
      } satisfies Match;
    }
    return {
      certainty: 'certain',
      cause: `${sourceName(flow.record)} has no free source port left for connections to ${destinationName(flow.record)}.`,
    } satisfies Match;
  },
  propose(finding) {
    const pod = finding.flows.some(({ record }) => isAtDestination(record)) ? finding.destination : finding.source;
    const namespace = wordOr(pod.namespace, 'NAMESPACE');
    return [
      step('configuration', 'Let the caller reuse its connections; then widen the port range or add replicas.', {
        confirm: [
          listPods(pod.namespace),
          `kubectl -n ${namespace} exec deploy/${wordOr(pod.workload, 'WORKLOAD')} -- ss -s`,
        ],
      }),
    ];
  },
};

/** The destination's ztunnel printed it: the connection that failed is its own, to the application. */
function isAtDestination(record: LogRecord): boolean {
  return (
    record.kind === 'connection' &&
    (record.reporter === 'destination' || record.error?.startsWith('connection failed: ') === true)
  );
}
