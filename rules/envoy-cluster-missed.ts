import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { envoyFacts, requestName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';

/** A route matched, but its cluster does not exist. */
export const rule: Rule = {
  meta: {
    id: 'envoy-cluster-missed',
    category: 'routing',
    level: 'error',
    title: 'The route leads to a destination the proxy does not know',
    page: {
      meaning:
        'A route matched and names a destination for which this proxy has no cluster: a subset that no DestinationRule defines, a Service that does not exist or is not visible here (exportTo, Sidecar), or one that istiod has not pushed yet.',
      printedBy:
        'The proxy that routes: the sidecar of the caller, a gateway or a waypoint, with NC cluster_not_found.',
      confirm: [
        'istioctl proxy-config cluster POD.NAMESPACE --fqdn HOST # confirmed if it lists nothing, or not that SUBSET',
        'istioctl analyze -A',
        'kubectl get destinationrules,virtualservices -A',
      ],
      change:
        'Define the subset in the DestinationRule, correct host and port of the route, or make the Service visible to this namespace.',
      never: 'Do not point the route at another Service just to make the error go away. No policy needs a change.',
    },
    cites: [
      'envoy 1.37 source/common/router/router.cc',
      'istio 86c9f01f pkg/config/analysis/msg/messages.yaml IST0173',
    ],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'cluster') return null;
    const name = envoyFacts(record)?.route ?? null;
    const dynamic = dynamicCluster(failure.text);
    const route = name === null ? 'a route' : `the route ${name}`;
    return {
      certainty: 'certain',
      cause: `${requestName(record)} matched ${route}, whose destination this proxy does not know: ${dynamic ?? 'a subset that no DestinationRule defines, or a Service that is missing or not visible here'}.`,
      intended: 'no',
      subject: [name ?? '', ...(dynamic === null ? [] : [failure.text])],
    };
  },
  propose() {
    return [
      step(
        'configuration',
        'Define the subset that the route names in a DestinationRule, or correct host, port and subset of the route.',
        {
          confirm: [
            'istioctl analyze -A',
            'kubectl get virtualservices,destinationrules -A -o yaml',
            'istioctl proxy-config cluster POD.NAMESPACE',
          ],
        },
      ),
    ];
  },
};

/** What became of a cluster that the dynamic forward proxy makes at run time; null for a cluster of istiod. */
function dynamicCluster(text: string): string | null {
  return text.startsWith('sub_cluster_') || text.startsWith('dynamic_forward_proxy_')
    ? `the cluster it makes for that host is not ready or already gone (${text})`
    : null;
}
