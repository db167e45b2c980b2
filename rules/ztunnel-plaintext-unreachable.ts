import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { admitPeer, blockedBecause } from '../src/remedy/edits/admit-peer.ts';
import { blockedCall } from '../src/remedy/edits/blocked-call.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** A destination without tunnel did not answer, or the network rejected the packets. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-plaintext-unreachable',
    category: 'network',
    level: 'warning',
    title: 'A destination outside the mesh could not be reached',
    page: {
      meaning:
        'ztunnel passed the connection on without a tunnel, because the destination is not in the mesh, and got no answer within ten seconds or an ICMP error: the address is dead, a firewall or egress policy drops it, or there is no route.',
      printedBy: 'The ztunnel on the node of the caller. There is no ztunnel at the other end.',
      confirm: [
        'nc -vz -w 5 DESTINATION_ADDRESS DESTINATION_PORT',
        'kubectl -n SOURCE_NAMESPACE get networkpolicies -o yaml',
        'kubectl get nodes -o wide',
      ],
      change: 'Correct the address, allow it in egress NetworkPolicies and firewalls, or add the route.',
      never: 'Do not add a ServiceEntry to make it reachable: it changes no route.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy/outbound.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow, mesh) {
    const kind = ztunnelErrorOf(flow.record)?.kind;
    if (kind !== 'plain-timed-out' && kind !== 'plain-unreachable') return null;
    const how =
      kind === 'plain-timed-out' ? 'did not answer within ten seconds' : 'cannot be reached: the network rejects it';
    const call = blockedCall(flow.record, mesh);
    return {
      certainty: 'certain',
      cause: `${destinationName(flow.record)}, called by ${sourceName(flow.record)} without a tunnel, ${how}.${call?.proven === true ? ` ${blockedBecause(call)}` : ''}`,
      policies: call?.proven === true ? call.decision.determining : [],
      nearMiss: call?.proven === true ? call.decision.nearMiss : [],
    } satisfies Match;
  },
  propose(finding, mesh) {
    const [flow] = finding.flows;
    const call = flow === undefined ? null : blockedCall(flow.record, mesh);
    if (call?.proven === true) return admitPeer(call, mesh);
    const { address, port } = finding.destination;
    const target = `${wordOr(address, 'DESTINATION_ADDRESS')} ${port ?? 'DESTINATION_PORT'}`;
    return [
      step(
        'investigate',
        'Test the address from the node, then look at egress NetworkPolicies of the caller and at firewalls.',
        {
          confirm: [
            `nc -vz -w 5 ${target}`,
            `kubectl -n ${wordOr(finding.source.namespace, 'SOURCE_NAMESPACE')} get networkpolicies -o yaml`,
          ],
        },
      ),
    ];
  },
};
