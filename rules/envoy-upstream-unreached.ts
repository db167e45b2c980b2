import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { listPods, wordOr } from '../src/remedy/commands/kubectl.ts';
import { listEndpoints } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** A TCP connect that timed out, or that a router answered with unreachable. */
export const rule: Rule = {
  meta: {
    id: 'envoy-upstream-unreached',
    category: 'network',
    level: 'error',
    title: 'The destination did not answer the connection attempt',
    page: {
      meaning:
        'The proxy tried to open a TCP connection to the destination and nothing came back within the connect timeout (10 s by default), or the network said that there is no way. Something drops the packets: a NetworkPolicy or firewall, or the pod or node is gone.',
      printedBy:
        'The proxy of the caller, a gateway or a waypoint: UF with connection_timeout. The destination has no line, because nothing arrived.',
      confirm: [
        'kubectl -n NAMESPACE get networkpolicies -o yaml',
        'kubectl -n SOURCE_NAMESPACE get networkpolicies -o yaml',
        'kubectl -n NAMESPACE get pods -o wide',
      ],
      change:
        'Admit the caller and the port in the NetworkPolicies of the destination (ingress) and of the caller (egress). If none is the cause, check the firewall between the nodes and whether the address still belongs to a pod.',
      never: 'Do not delete the NetworkPolicy. Do not change AuthorizationPolicies: nothing was denied by one.',
    },
    cites: ['envoy 1.37 source/common/router/router.cc', 'envoy 1.37 source/common/tcp_proxy/tcp_proxy.cc'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match(flow) {
    const failure = envoyFailure(flow.record);
    if (failure?.kind !== 'unreachable') return null;
    const waited = flow.maxDurationMs === null ? '' : ` within ${flow.maxDurationMs} ms`;
    return {
      certainty: failure.certainty === 'certain' ? 'likely' : failure.certainty,
      cause: `${calledName(flow.record)} did not answer the connection attempt${waited}: a NetworkPolicy or firewall drops it, or the pod is gone.`,
      intended: 'unknown',
    };
  },
  propose({ source, destination }) {
    return [
      step(
        'network-policy',
        'Find the NetworkPolicy or firewall that drops this connection and admit exactly this caller and port.',
        {
          risk: 'Whatever the rule admits reaches the pod; authorization is then for AuthorizationPolicies.',
          confirm: [
            `kubectl -n ${wordOr(destination.namespace, 'DESTINATION_NAMESPACE')} get networkpolicies -o yaml`,
            `kubectl -n ${wordOr(source.namespace, 'SOURCE_NAMESPACE')} get networkpolicies -o yaml`,
            listPods(destination.namespace),
            listEndpoints(destination),
          ],
        },
      ),
    ];
  },
};
