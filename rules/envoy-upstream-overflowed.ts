import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { listDestinationRules, listEndpoints } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** UO and the overflows of the dynamic forward proxy: a circuit breaker of the cluster. */
export const rule: Rule = {
  meta: {
    id: 'envoy-upstream-overflowed',
    category: 'upstream',
    level: 'warning',
    title: 'The limits of the connection pool were reached',
    page: {
      meaning:
        'More connections or waiting requests than the connection pool of this destination may have; the proxy refused the request without sending it. Limits come from connectionPool in the DestinationRule, else from Envoy. The dynamic forward proxy limits pending requests, lookups and clusters likewise, and maintenance_mode is a cluster that a runtime setting of Envoy switched off.',
      printedBy: 'The proxy of the caller, a gateway or a waypoint: UO with the details {overflow}.',
      confirm: [
        'kubectl get destinationrules -A -o yaml | grep -A12 connectionPool: # confirmed if a limit there is as low as the load',
        'istioctl proxy-config cluster POD.NAMESPACE --fqdn HOST -o json',
      ],
      change:
        'If the destination can take more, raise http1MaxPendingRequests, http2MaxRequests or maxConnections; if it cannot, add replicas. A slow destination fills the pool: look at response times first.',
      never: 'Do not remove the limits altogether: they protect the destination.',
    },
    cites: [
      'envoy 1.37 source/common/router/router.cc',
      'istio 86c9f01f pilot/pkg/networking/core/cluster_traffic_policy.go',
    ],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'overflow') return null;
    const limit = otherLimit(failure.text);
    return {
      certainty: 'certain',
      cause: `The proxy refused the call to ${calledName(record)}, because ${limit ?? 'its connection pool is full'} (circuit breaker).`,
      intended: 'likely',
      subject: limit === null ? [] : [failure.text],
    };
  },
  propose({ destination }) {
    return [
      step(
        'configuration',
        'Compare the limits of connectionPool with the load; find out first why the destination is slow.',
        {
          confirm: [listDestinationRules(destination), listEndpoints(destination)],
        },
      ),
    ];
  },
};

/** What turned the call away if it was not the connection pool, which is null. */
function otherLimit(text: string): string | null {
  if (text === 'maintenance_mode') return 'its cluster is in maintenance mode';
  return text.endsWith('_overflow') ? `a limit of the dynamic forward proxy is reached: ${text}` : null;
}
