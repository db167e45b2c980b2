import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import type { LogRecord } from '../src/model/record.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, destinationPort, sourceName } from '../src/text/ends.ts';

/** Nothing listens on the port of the pod. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-application-refused',
    category: 'upstream',
    level: 'error',
    title: 'The application refused the connection',
    page: {
      meaning:
        'The connection was allowed and reached the pod, but nothing listens on that port: the application is not started, listens on another port, or on 127.0.0.1 only.',
      printedBy:
        'The ztunnel on the node of the destination ("connection failed: Connection refused"; up to 1.23 without the prefix). A caller in the mesh sees "http status: 503 Service Unavailable".',
      confirm: [
        'kubectl -n DESTINATION_NAMESPACE exec DESTINATION_POD -- ss -ltn # confirmed if the port is missing, or only on 127.0.0.1',
        'kubectl -n DESTINATION_NAMESPACE get service SERVICE -o yaml',
        'kubectl -n DESTINATION_NAMESPACE get pods -o wide',
      ],
      change:
        'Start the application, let it bind to all addresses, or correct targetPort of the Service; give it a readiness probe.',
      never: 'Do not change AuthorizationPolicy or PeerAuthentication: the connection was allowed.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy/inbound.rs', 'istio/ztunnel 62d82653 src/proxy/inbound_passthrough.rs'],
  },
  on: ['ztunnel/connection', 'ztunnel/diagnostic'],
  match(flow) {
    if (ztunnelErrorOf(flow.record)?.kind !== 'application-refused') return null;
    const destination = destinationName(flow.record);
    if (isUnservedPort(flow.record)) {
      return {
        certainty: 'likely',
        category: 'client',
        level: 'note',
        cause: `${sourceName(flow.record)} called ${destination}, where nothing listens and to which no Service leads: the caller most likely uses a wrong port.`,
        subject: ['no service'],
      } satisfies Match;
    }
    return {
      certainty: 'certain',
      cause: `The call from ${sourceName(flow.record)} was allowed, but nothing listens on ${destination}: the application is down, uses another port, or binds to 127.0.0.1 only.`,
    } satisfies Match;
  },
  propose(finding) {
    const namespace = wordOr(finding.destination.namespace, 'DESTINATION_NAMESPACE');
    return [
      step(
        'configuration',
        `See what listens in the pod and make the application, targetPort and the caller agree on port ${finding.destination.port ?? 'PORT'}.`,
        {
          confirm: [
            `kubectl -n ${namespace} get pods -o wide`,
            `kubectl -n ${namespace} exec deploy/${wordOr(finding.destination.workload, 'WORKLOAD')} -- ss -ltn`,
            `kubectl -n ${namespace} get services,endpointslices -o wide`,
          ],
        },
      ),
    ];
  },
};

/**
 * A tunnel to a port that no Service of the pod has as target: ztunnel looks for one by port and prints none (istio/ztunnel
 * 62d82653 src/proxy/inbound.rs).
 */
function isUnservedPort(record: LogRecord): boolean {
  return (
    record.kind === 'connection' &&
    record.hboneAddress !== null &&
    record.service === null &&
    destinationPort(record) !== null
  );
}
