import { waypointSign } from '../src/causes/waypoint.ts';
import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Finding, Match, Rule } from '../src/model/finding.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { Draft } from '../src/model/remedy.ts';
import { actionOf } from '../src/policy/action.ts';
import { decideObserved } from '../src/policy/ambient/observed.ts';
import { wordOr, ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { allowCaller, exceptCaller, step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** The source's side of a denial: the destination ztunnel answered the CONNECT with 401. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-connect-denied',
    category: 'authorization',
    level: 'error',
    title: 'The destination ztunnel denied the connection',
    page: {
      meaning:
        'The ztunnel at the destination answered the tunnel request with 401. It does so when a policy rejects the caller (and, by a fault of its own, when it cannot keep track of the connection). It is not an HTTP 401 of the application and has nothing to do with tokens.',
      printedBy:
        'The ztunnel on the node of the caller (direction outbound). Which policy it was stands in the inbound line of the ztunnel on the node of the destination, at the same time.',
      confirm: [
        'kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix | grep "policy rejection" | grep SOURCE_IP # its text is the reason',
        'kubectl -n DESTINATION_NAMESPACE get pod DESTINATION_POD -o wide',
        'kubectl -n istio-system logs ZTUNNEL_POD_ON_THAT_NODE | grep "policy rejection"',
      ],
      change:
        'Read the destination line first: it says whether a DENY matched or no ALLOW did. Then change that policy.',
      never:
        'Do not look for JWT or RequestAuthentication faults, and do not change PeerAuthentication: the caller spoke mutual TLS.',
    },
    cites: [
      'istio/ztunnel 62d82653 src/proxy/inbound.rs',
      'istio/ztunnel 62d82653 src/proxy/outbound.rs',
      'istio/ztunnel#691',
    ],
  },
  on: ['ztunnel/connection'],
  match(flow, mesh) {
    const { record } = flow;
    const error = ztunnelErrorOf(record);
    if (error?.kind !== 'status' || error.values[0] !== '401' || record.kind !== 'connection') return null;
    const decision = decideObserved(record, mesh);
    const isDenied = decision?.outcome === 'deny';
    const why = isDenied ? ` By the policies known: ${decision.because}.` : ' This end is not told which one.';
    return {
      certainty: 'certain',
      cause: `The ztunnel at ${destinationName(record)} rejected ${sourceName(record)} by an AuthorizationPolicy.${why}`,
      enforcedBy: 'ztunnel',
      policies: isDenied ? decision.determining : [],
      nearMiss: isDenied ? decision.nearMiss : [],
      intended: 'unknown',
      unchecked: [
        'which policy decided: it stands in the inbound line of the ztunnel on the node of the destination, which is missing here',
      ],
    } satisfies Match;
  },
  propose(finding, mesh) {
    const namespace = wordOr(finding.destination.namespace, 'DESTINATION_NAMESPACE');
    return [
      step('investigate', 'Read the line of the destination ztunnel, which names the reason, and then the policy.', {
        confirm: [
          ztunnelLogs(mesh, finding.source.principal ?? 'policy rejection'),
          `kubectl -n ${namespace} get authorizationpolicies -o yaml`,
          'istioctl ztunnel-config policies',
        ],
      }),
      ...changesFor(finding, mesh),
    ];
  },
};

/** Only where the policies known explain the denial: this end is not told the reason. */
function changesFor(finding: Finding, mesh: MeshView): readonly Draft[] {
  if (finding.policies.length === 0 || waypointSign(finding.source.identity, mesh) !== null) return [];
  return finding.policies.some((ref) => actionOf(ref, mesh) === 'DENY')
    ? exceptCaller(finding, mesh)
    : allowCaller(finding, mesh);
}
