import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** Statuses with a rule of their own: the ones a ztunnel answers, and 403. */
const OTHERS_OWN: ReadonlySet<string> = new Set(['400', '401', '403', '503']);

/** A CONNECT answered with a status that no ztunnel sends: the next hop is an Envoy and has a problem behind it. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-gateway-failed',
    category: 'upstream',
    level: 'error',
    title: 'A waypoint or gateway answered the tunnel with an error',
    page: {
      meaning:
        'The next hop answered the tunnel request with a status that no ztunnel sends (404, 429, 500, 502, 504 and others). It is a waypoint or an east-west gateway, and it could not or would not pass the connection on.',
      printedBy:
        'The ztunnel on the node of the caller. The reason stands in the access log of the waypoint or gateway.',
      confirm: ['kubectl -n WAYPOINT_NAMESPACE logs deploy/WAYPOINT --tail=200', 'istioctl ztunnel-config services'],
      change:
        '404: give the waypoint or gateway a route for that service. 5xx: repair what stands behind it. 429: it limits its load.',
      never: 'Do not change AuthorizationPolicies: nothing was denied by one.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy/inbound.rs', 'istio/ztunnel 62d82653 src/proxy/outbound.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'status') return null;
    const [code = '', phrase = ''] = error.values;
    if (OTHERS_OWN.has(code)) return null;
    return {
      certainty: 'likely',
      category: code === '404' ? 'routing' : 'upstream',
      cause: `The next hop on the way to ${destinationName(flow.record)} answered ${code} ${phrase} to ${sourceName(flow.record)}. No ztunnel answers so: it is a waypoint or gateway.`,
      unchecked: ['why: it stands in the access log of the waypoint or gateway'],
      subject: [code],
    } satisfies Match;
  },
  propose(finding) {
    const namespace = wordOr(finding.destination.namespace, 'WAYPOINT_NAMESPACE');
    const workload = wordOr(finding.destination.workload, 'WAYPOINT');
    return [
      step(
        'investigate',
        'Read the access log of the waypoint or gateway for this time, then repair what it could not reach.',
        {
          confirm: [`kubectl -n ${namespace} logs deploy/${workload} --tail=200`, 'istioctl ztunnel-config services'],
        },
      ),
    ];
  },
};
