import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName, dialledAddress } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { inRoot, WORKLOADS, wordOr } from '../src/remedy/commands/kubectl.ts';
import { openHbonePort, step } from '../src/remedy/edits/index.ts';

/** A connection to port 15008 that was refused or not answered. */
export const rule: Rule = {
  meta: {
    id: 'envoy-hbone-unreached',
    category: 'network',
    level: 'error',
    title: 'The tunnel port 15008 of the destination did not accept',
    page: {
      meaning:
        'The proxy wanted to open an HBONE tunnel to port 15008 of the destination and could not: the packets are dropped (NetworkPolicy, firewall), or nobody listens there because the pod is not in the ambient mesh or the ztunnel of its node is down.',
      printedBy:
        'A waypoint or sidecar, mostly as a line with the cluster connect_originate. The request inside the tunnel has a line of its own with 503.',
      confirm: [
        'kubectl -n istio-system get pods -l app=ztunnel -o wide',
        'kubectl -n NAMESPACE get networkpolicies -o yaml',
        'istioctl ztunnel-config workloads',
      ],
      change:
        'Admit TCP 15008 where the NetworkPolicy of the destination admits this caller; make sure that the pod is enrolled and the ztunnel of its node runs.',
      never: 'Do not delete the NetworkPolicy, and do not open 15008 to everybody when the rule had a "from".',
    },
    cites: ['istio 86c9f01f pilot/pkg/networking/core/waypoint.go', 'envoy 1.37 source/common/tcp_proxy/tcp_proxy.cc'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'hbone-unreachable') return null;
    const refused = /refused|_111\b/.test(failure.text);
    const why = refused
      ? 'nobody listens there: the pod is not in the ambient mesh, or the ztunnel of its node is down'
      : 'a NetworkPolicy or firewall drops it, or the node is gone';
    return {
      certainty: failure.certainty === 'certain' ? 'likely' : failure.certainty,
      cause: `The proxy could not reach port 15008 of ${dialledAddress(record) ?? calledName(record)} (${failure.text}): ${why}.`,
      intended: 'unknown',
      subject: [refused ? 'refused' : 'no answer'],
    };
  },
  propose(finding, mesh) {
    return [
      ...openHbonePort(finding, mesh),
      step(
        'network-policy',
        'Check that ztunnel runs on the node of the destination and that TCP 15008 is admitted where the caller is.',
        {
          confirm: [
            inRoot(mesh, 'get pods -l app=ztunnel -o wide'),
            WORKLOADS,
            `kubectl -n ${wordOr(finding.destination.namespace, 'DESTINATION_NAMESPACE')} get networkpolicies -o yaml`,
          ],
        },
      ),
    ];
  },
};
