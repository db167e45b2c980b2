import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { admitPeer, blockedBecause } from '../src/remedy/edits/admit-peer.ts';
import { blockedCall } from '../src/remedy/edits/blocked-call.ts';
import { openHbonePort } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** No answer from port 15008 of the next hop. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-hbone-blocked',
    category: 'network',
    level: 'error',
    title: 'The tunnel port 15008 did not answer',
    page: {
      meaning:
        "The caller's ztunnel tried to open the tunnel to port 15008 of the destination and got no answer within ten seconds. Something drops the packets: mostly a NetworkPolicy that lists application ports only, else a firewall between the nodes, a dead node, or a wrong address.",
      printedBy:
        "The ztunnel on the node of the caller. The destination's ztunnel prints nothing, because nothing arrived.",
      confirm: [
        'kubectl -n DESTINATION_NAMESPACE get networkpolicies -o yaml # confirmed if one that selects the pod lists ports, and 15008 is not among them',
        'kubectl -n SOURCE_NAMESPACE get networkpolicies -o yaml',
        'kubectl -n DESTINATION_NAMESPACE get pods -o wide',
      ],
      change:
        'Allow TCP 15008 in the ingress rule that admits this caller to the destination pods, and in egress rules of the caller. Keep the application ports for callers outside the mesh. If no policy is the cause, open 15008 between the nodes.',
      never:
        'Do not delete the NetworkPolicy, and do not open 15008 to everybody when the rule had a "from". Do not change AuthorizationPolicies: nothing was denied by one.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy.rs', 'istio/ztunnel 62d82653 src/proxy/pool.rs', 'istio/ztunnel#1229'],
  },
  on: ['ztunnel/connection'],
  match(flow, mesh) {
    if (ztunnelErrorOf(flow.record)?.kind !== 'hbone-timed-out') return null;
    const waited =
      flow.maxDurationMs !== null && flow.maxDurationMs > 15_000
        ? ` Connections queued up to ${Math.round(flow.maxDurationMs / 1000)} s behind it.`
        : '';
    const call = blockedCall(flow.record, mesh);
    const isFragment = flow.record.kind === 'connection' && flow.record.destination.address === null;
    return {
      certainty: isFragment ? 'likely' : 'certain',
      cause: `Nothing came back from port 15008 when ${sourceName(flow.record)} called ${destinationName(flow.record)}${call?.proven === true ? `. ${blockedBecause(call)}` : ': a NetworkPolicy or firewall drops it, or the pod is gone.'}${waited}`,
      policies: call?.proven === true ? call.decision.determining : [],
      nearMiss: call?.proven === true ? call.decision.nearMiss : [],
      unchecked: mesh.known
        ? []
        : [
            'whether a NetworkPolicy of the destination or of the caller lacks port 15008: give the manifests with --mesh',
          ],
    } satisfies Match;
  },
  propose(finding, mesh) {
    const drafts = openHbonePort(finding, mesh);
    const [flow] = finding.flows;
    const call =
      flow === undefined || drafts.some(({ changes }) => changes.length > 0) ? null : blockedCall(flow.record, mesh);
    return call?.proven === true ? [...admitPeer(call, mesh), ...drafts] : drafts;
  },
};
