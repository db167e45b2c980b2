import type { ZtunnelErrorKind } from '../src/causes/ztunnel-error.ts';
import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { listPods, wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

const HOW: ReadonlyMap<ZtunnelErrorKind, string> = new Map([
  ['application-timed-out', 'did not accept the connection within ten seconds'],
  ['application-unreachable', 'cannot be reached from its own ztunnel'],
  ['application-closed', 'closed the connection while it was being opened'],
]);

/** The destination's ztunnel could not connect to the application, other than by a refusal. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-application-unreachable',
    category: 'upstream',
    level: 'error',
    title: 'The application did not take the connection',
    page: {
      meaning:
        'The connection was allowed and reached the ztunnel of the pod, but the application did not take it: its accept queue is full, the pod is being torn down, or a NetworkPolicy drops the application port inside the node.',
      printedBy:
        'The ztunnel on the node of the destination. A caller in the mesh sees "http status: 503 Service Unavailable".',
      confirm: [
        'kubectl -n DESTINATION_NAMESPACE get pods -o wide',
        'kubectl -n DESTINATION_NAMESPACE top pods',
        'kubectl -n DESTINATION_NAMESPACE get networkpolicies -o yaml',
      ],
      change:
        'Relieve or restart the application; see that a NetworkPolicy on the application port admits the caller too.',
      never: 'Do not change AuthorizationPolicy or PeerAuthentication: the connection was allowed.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy/inbound.rs'],
  },
  on: ['ztunnel/connection', 'ztunnel/diagnostic'],
  match(flow) {
    const kind = ztunnelErrorOf(flow.record)?.kind;
    const how = kind === undefined ? undefined : HOW.get(kind);
    if (how === undefined) return null;
    return {
      certainty: 'likely',
      cause: `The call from ${sourceName(flow.record)} was allowed, but ${destinationName(flow.record)} ${how}.`,
    } satisfies Match;
  },
  propose(finding) {
    const namespace = wordOr(finding.destination.namespace, 'DESTINATION_NAMESPACE');
    return [
      step(
        'investigate',
        'See whether the pod is overloaded or going away, and whether a NetworkPolicy drops its application port.',
        {
          confirm: [
            listPods(finding.destination.namespace),
            `kubectl -n ${namespace} top pods`,
            `kubectl -n ${namespace} get networkpolicies -o yaml`,
          ],
        },
      ),
    ];
  },
};
