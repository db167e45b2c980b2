import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Finding, Match, Rule } from '../src/model/finding.ts';
import type { ObjectRef } from '../src/model/mesh.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { sourceName } from '../src/text/ends.ts';

/** The destination is served by a waypoint that ztunnel does not know, or that has no endpoint. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-waypoint-unknown',
    category: 'routing',
    level: 'error',
    title: 'The waypoint of the destination was not found',
    page: {
      meaning:
        'The destination (its Service, workload or namespace) carries istio.io/use-waypoint, so that all traffic must go through that waypoint, and ztunnel does not know it or it has no Ready pod. The connection fails; ztunnel does not bypass a waypoint.',
      printedBy:
        'The ztunnel on the node of the caller. "GatewayAddress { … }" in the text means that the waypoint is known but no pod of it is Ready; a plain host name that there is no such Service.',
      confirm: [
        'kubectl get gateways.gateway.networking.k8s.io -A # confirmed if the waypoint is missing, or not PROGRAMMED',
        'kubectl get services,namespaces -A --show-labels | grep use-waypoint',
        'istioctl waypoint list -A',
      ],
      change:
        'Create the waypoint, make its pods Ready, or correct the name and namespace in the labels istio.io/use-waypoint and istio.io/use-waypoint-namespace.',
      never: 'Do not just remove the label: the policies that the waypoint enforces would no longer hold.',
    },
    cites: ['istio/ztunnel 62d82653 src/state.rs', 'istio/ztunnel 62d82653 src/proxy/outbound.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'waypoint-unknown' && error?.kind !== 'waypoint-unready') return null;
    const [name = ''] = error.values;
    const why = error.kind === 'waypoint-unready' ? 'has no Ready pod' : 'is not known to ztunnel';
    return {
      certainty: 'certain',
      cause: `${sourceName(flow.record)} called a destination that must be reached through the waypoint ${name}, which ${why}.`,
      subject: [name, why],
    } satisfies Match;
  },
  propose(finding) {
    const waypoint = waypointOf(finding);
    const namespace = wordOr(waypoint?.namespace ?? null, 'WAYPOINT_NAMESPACE');
    return [
      step(
        'configuration',
        'Create the waypoint or make its pods Ready; if the label names the wrong one, correct the label.',
        {
          confirm: [
            `kubectl -n ${namespace} get gateways.gateway.networking.k8s.io,pods -o wide`,
            'kubectl get services -A --show-labels | grep use-waypoint',
            'kubectl get namespaces --show-labels | grep use-waypoint',
          ],
          verify: [`kubectl -n ${namespace} get gateway ${wordOr(waypoint?.name ?? null, 'WAYPOINT')} -o yaml`],
        },
      ),
    ];
  },
};

/** The waypoint in the error text, where that is the host name of a Service. */
function waypointOf(finding: Finding): ObjectRef | null {
  const record = finding.flows[0]?.record;
  const host = record === undefined ? undefined : ztunnelErrorOf(record)?.values[0];
  const [name, namespace, kind] = host?.split('.') ?? [];
  if (name === undefined || namespace === undefined || kind !== 'svc') return null;
  return { kind: 'Gateway', namespace, name };
}
