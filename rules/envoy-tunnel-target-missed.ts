import { envoyFailure } from '../src/causes/envoy-failure.ts';
import type { Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';

/** A CONNECT that the inner listener of a waypoint could not place. */
export const rule: Rule = {
  meta: {
    id: 'envoy-tunnel-target-missed',
    category: 'routing',
    level: 'error',
    title: 'The waypoint does not know the address that was called',
    page: {
      meaning:
        'A tunnel for an address and port reached this waypoint (or sidecar), and its inner listener has nothing for that address: the Service does not use this waypoint, has no such port, or istiod has not pushed it yet.',
      printedBy:
        'The waypoint: a CONNECT line with 503 and the upstream host envoy://main_internal/, next to a listener line NR filter_chain_not_found.',
      confirm: [
        'istioctl ztunnel-config services',
        'kubectl -n NAMESPACE get service SERVICE -o yaml',
        'kubectl get gateways.gateway.networking.k8s.io -A',
      ],
      change:
        'Check the label istio.io/use-waypoint of the Service and its namespace, the ports of the Service, and that the waypoint is ready.',
      never: 'Do not change policies: nothing was denied; the proxy does not know the address, whoever asks for it.',
    },
    cites: ['istio 86c9f01f pilot/pkg/networking/core/waypoint.go'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'tunnel-target') return null;
    const authority = record.kind === 'request' ? record.authority : null;
    const target = authority ?? 'the address that was called';
    return {
      certainty: failure.certainty,
      cause: `A tunnel for ${target} reached this waypoint, and it has no Service or pod with that address and port.`,
      intended: 'no',
      subject: [target],
    };
  },
  propose() {
    return [
      step('configuration', 'Check which waypoint the Service uses and whether it has the port that was called.', {
        confirm: [
          'istioctl ztunnel-config services',
          'kubectl get services -A -o wide',
          'kubectl get gateways.gateway.networking.k8s.io -A',
        ],
      }),
    ];
  },
};
