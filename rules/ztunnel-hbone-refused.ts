import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import { relayOf } from '../src/causes/ztunnel-hop.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot, listPods, WORKLOADS, wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** A reset from port 15008: nothing listens for the tunnel. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-hbone-refused',
    category: 'upstream',
    level: 'error',
    title: 'The tunnel port 15008 refused the connection',
    page: {
      meaning:
        'Port 15008 of the next hop answered with a reset. The mesh believes that the destination speaks HBONE, but nothing takes its traffic: the ztunnel of that node is down or starting, the pod is not captured, or the waypoint pod does not listen. Some network plugins also reject with a reset what a NetworkPolicy forbids.',
      printedBy: "The ztunnel on the node of the caller. The destination's ztunnel prints nothing.",
      confirm: [
        'kubectl -n istio-system get pods -l app=ztunnel -o wide # confirmed if that of the node is not ready',
        'kubectl -n DESTINATION_NAMESPACE get pod DESTINATION_POD -o jsonpath={.metadata.annotations}',
        'kubectl -n DESTINATION_NAMESPACE get networkpolicies',
      ],
      change:
        "Bring ztunnel and istio-cni on the destination's node back; restart the pod if its annotation ambient.istio.io/redirection is missing; add port 15008 if a NetworkPolicy rejects it.",
      never: 'Do not take the destination out of the mesh to make it work, and do not change AuthorizationPolicies.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy/pool.rs', 'istio 86c9f01f cni/pkg/nodeagent'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    if (ztunnelErrorOf(flow.record)?.kind !== 'hbone-refused') return null;
    const relay = relayOf(flow.record);
    if (relay !== null) {
      return {
        certainty: 'likely',
        cause: `The waypoint or gateway ${relay}, through which ${sourceName(flow.record)} called, does not listen on port 15008: its pod is starting, stopping or gone, or a NetworkPolicy rejects the port.`,
        subject: ['relay'],
        unchecked: ['whether the pod of the waypoint or gateway is ready'],
      } satisfies Match;
    }
    return {
      certainty: 'likely',
      cause: `Nothing accepts tunnels on port 15008 for ${destinationName(flow.record)}, called by ${sourceName(flow.record)}: its ztunnel is not running or has not captured the pod, or a NetworkPolicy rejects the port.`,
      unchecked: ['whether the ztunnel on the node of the destination runs and serves this pod'],
    } satisfies Match;
  },
  propose(finding, mesh) {
    const namespace = wordOr(finding.destination.namespace, 'DESTINATION_NAMESPACE');
    if (finding.flows.some(({ record }) => relayOf(record) !== null)) {
      return [
        step('investigate', 'See whether the pod of the waypoint or gateway is ready; then look at NetworkPolicies.', {
          confirm: [listPods(finding.destination.namespace), `kubectl -n ${namespace} get gateways,networkpolicies`],
        }),
      ];
    }
    return [
      step(
        'investigate',
        'See whether ztunnel runs on the node of the destination and has captured the pod; then look at NetworkPolicies.',
        {
          confirm: [
            inRoot(mesh, 'get pods -l app=ztunnel -o wide'),
            listPods(finding.destination.namespace),
            `kubectl -n ${namespace} get pods -o custom-columns=NAME:.metadata.name,REDIRECTION:.metadata.annotations.ambient\\\\.istio\\\\.io/redirection`,
            WORKLOADS,
            `kubectl -n ${namespace} get networkpolicies`,
          ],
        },
      ),
    ];
  },
};
