import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { listPods } from '../src/remedy/commands/kubectl.ts';
import { listDestinationRules, listEndpoints, serviceOf } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** UH: the cluster has no host to which the request could go. */
export const rule: Rule = {
  meta: {
    id: 'envoy-endpoints-missed',
    category: 'upstream',
    level: 'error',
    title: 'The destination has no healthy endpoint',
    page: {
      meaning:
        'No endpoint of the Service can be used: none is Ready (0 replicas, failing probes), the labels of the subset match no pod, or outlier detection has ejected all of them after errors.',
      printedBy:
        'The proxy of the caller, a gateway or a waypoint: UH no_healthy_upstream. gRPC clients see status 14.',
      confirm: [
        'kubectl -n NAMESPACE get endpointslices -l kubernetes.io/service-name=SERVICE # confirmed if it lists no address',
        'kubectl -n NAMESPACE get pods --show-labels',
        'istioctl proxy-config endpoint POD.NAMESPACE --cluster CLUSTER',
      ],
      change:
        'Bring pods to Ready, or correct the labels of the subset in the DestinationRule. If outlier detection ejected them, look at the errors before.',
      never: 'Do not change policies: nothing was denied, and there is nobody who could be admitted to.',
    },
    cites: [
      'envoy 1.37 source/common/router/router.cc',
      'istio 86c9f01f pkg/config/analysis/msg/messages.yaml IST0173',
    ],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'no-endpoint') return null;
    return {
      certainty: 'certain',
      cause: `${calledName(record)} has no endpoint that can be used: no pod is Ready, the subset matches none, or all were ejected after errors.`,
      intended: 'no',
    };
  },
  propose({ destination }) {
    return [
      step(
        'investigate',
        'See whether the Service has Ready endpoints, and whether a subset or outlier detection leaves none.',
        {
          confirm: [
            listEndpoints(destination),
            listPods(serviceOf(destination).namespace),
            listDestinationRules(destination),
          ],
        },
      ),
    ];
  },
};
