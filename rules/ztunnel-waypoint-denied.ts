import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** 403 on the CONNECT: no ztunnel answers so, an Envoy in the path did. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-waypoint-denied',
    category: 'authorization',
    level: 'error',
    title: 'A waypoint or gateway denied the tunnel',
    page: {
      meaning:
        'The next hop answered the tunnel request with 403. A ztunnel never does; the next hop is an Envoy (waypoint, east-west gateway), and a 403 from it is a denial by an AuthorizationPolicy bound to it.',
      printedBy:
        'The ztunnel on the node of the caller. The reason stands in the access log of the waypoint or gateway it named.',
      confirm: [
        'kubectl -n WAYPOINT_NAMESPACE logs deploy/WAYPOINT | grep 403',
        'kubectl -n WAYPOINT_NAMESPACE get authorizationpolicies -o yaml',
      ],
      change:
        'Find the policy with targetRefs (Gateway or Service) that the waypoint names in response_code_details, and change that one.',
      never: 'Do not change policies with selectors: they bind to ztunnel, which did not decide here.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy/inbound.rs', 'istio/ztunnel 62d82653 src/proxy/outbound.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'status' || error.values[0] !== '403') return null;
    return {
      certainty: 'likely',
      cause: `The next hop on the way to ${destinationName(flow.record)} answered 403 to ${sourceName(flow.record)}. No ztunnel answers so: a waypoint or gateway denied it.`,
      enforcedBy: 'waypoint',
      unchecked: ['which policy decided: it stands in the access log of the waypoint or gateway'],
    } satisfies Match;
  },
  propose(finding) {
    const namespace = wordOr(finding.destination.namespace, 'WAYPOINT_NAMESPACE');
    const workload = wordOr(finding.destination.workload, 'WAYPOINT');
    return [
      step(
        'investigate',
        'Read the access log of the waypoint or gateway: its response code details name the policy.',
        {
          confirm: [
            `kubectl -n ${namespace} logs deploy/${workload} --tail=200`,
            `kubectl -n ${namespace} get authorizationpolicies -o yaml`,
          ],
        },
      ),
    ];
  },
};
