import { envoyFailure } from '../src/causes/envoy-failure.ts';
import type { EnvoyFailureKind } from '../src/causes/envoy-failure-table.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Finding, Rule } from '../src/model/finding.ts';
import type { Draft } from '../src/model/remedy.ts';
import { listPods, wordOr } from '../src/remedy/commands/kubectl.ts';
import { listEndpoints } from '../src/remedy/commands/proxy.ts';
import { admitPeer, blockedBecause } from '../src/remedy/edits/admit-peer.ts';
import { blockedCall, isLetThrough } from '../src/remedy/edits/blocked-call.ts';
import { step } from '../src/remedy/edits/index.ts';

/** A TCP connect that timed out, or that the network or the own host turned down. */
export const rule: Rule = {
  meta: {
    id: 'envoy-upstream-unreached',
    category: 'network',
    level: 'error',
    title: 'The connection attempt did not reach the destination',
    page: {
      meaning:
        'The proxy tried to open a TCP connection to the destination and nothing came back within the connect timeout (10 s by default), or the network said at once that there is no way. Something drops or rejects the packets: a NetworkPolicy or firewall, a missing route, or the pod or node is gone. "Operation not permitted" and "Permission denied" come from the host of the caller, whose own egress rule holds the packet back.',
      printedBy:
        'The proxy of the caller, a gateway or a waypoint: UF with connection_timeout, or with a connect error such as No route to host. The destination has no line, because nothing arrived.',
      confirm: [
        'kubectl -n NAMESPACE get networkpolicies -o yaml # confirmed if one that selects the pod admits neither the caller nor the port',
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
  match(flow, mesh) {
    const failure = envoyFailure(flow.record);
    if (failure === null) return null;
    const why = WHY[failure.kind]?.(calledName(flow.record), failure.text, flow.maxDurationMs);
    if (why === undefined) return null;
    const call = blockedCall(flow.record, mesh);
    return {
      certainty: failure.certainty === 'certain' ? 'likely' : failure.certainty,
      cause: `${why.seen}${call?.proven === true ? '' : `: ${why.guess}`}.${call === null ? '' : ` ${blockedBecause(call)}`}`,
      policies: call?.decision.determining ?? [],
      nearMiss: call?.proven === true ? call.decision.nearMiss : [],
      intended: 'unknown',
      subject: failure.kind === 'unreachable' ? [] : [failure.kind],
    };
  },
  propose(finding, mesh) {
    const [flow] = finding.flows;
    const call = flow === undefined ? null : blockedCall(flow.record, mesh);
    if (call !== null) return admitPeer(call, mesh);
    return [flow !== undefined && isLetThrough(flow.record, mesh) ? lookElsewhere(finding) : lookByHand(finding)];
  },
};

function lookByHand({ source, destination }: Finding): Draft {
  return step(
    'network-policy',
    'Find the NetworkPolicy or firewall that stops this connection and admit exactly this caller and port.',
    {
      risk: 'Whatever the rule admits reaches the pod; authorization is then for AuthorizationPolicies.',
      confirm: [
        `kubectl -n ${wordOr(destination.namespace, 'DESTINATION_NAMESPACE')} get networkpolicies -o yaml`,
        `kubectl -n ${wordOr(source.namespace, 'SOURCE_NAMESPACE')} get networkpolicies -o yaml`,
        listPods(destination.namespace),
        listEndpoints(destination),
      ],
    },
  );
}

function lookElsewhere({ destination }: Finding): Draft {
  return step(
    'investigate',
    'No NetworkPolicy of the mesh given stops this connection: look whether the pod is alive and its node is up, then at policies of the CNI and at firewalls between the nodes.',
    {
      confirm: [listPods(destination.namespace), listEndpoints(destination), 'kubectl get nodes -o wide'],
    },
  );
}

/** What was seen, and who may have stopped the connect. */
interface Why {
  readonly seen: string;
  readonly guess: string;
}

/** By kind of failure, from the name called, the text of the failure and the longest wait in ms. */
const WHY: Readonly<Partial<Record<EnvoyFailureKind, (called: string, text: string, waitedMs: number | null) => Why>>> =
  {
    unreachable: (called, _, waitedMs) => {
      const waited = waitedMs === null ? '' : ` within ${waitedMs} ms`;
      return {
        seen: `${called} did not answer the connection attempt${waited}`,
        guess: 'a NetworkPolicy or firewall drops it, or the pod is gone',
      };
    },
    rejected: (called, text) => ({
      seen: `The network turned down the connection attempt to ${called} (${text})`,
      guess: 'a NetworkPolicy or firewall rejects it, or no route leads to that address',
    }),
    forbidden: (called, text) => ({
      seen: `The host of the caller did not let the connection attempt to ${called} out (${text})`,
      guess: 'an egress rule of the caller forbids it',
    }),
  };
