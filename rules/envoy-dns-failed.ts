import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';

/** DF and dns_resolution_failure. */
export const rule: Rule = {
  meta: {
    id: 'envoy-dns-failed',
    category: 'network',
    level: 'error',
    title: 'The name of the destination could not be resolved',
    page: {
      meaning: 'The proxy resolves the host itself (dynamic DNS, wildcard ServiceEntry) and got no address.',
      printedBy: 'The proxy that dials: a sidecar or an egress gateway.',
      confirm: [
        'kubectl -n NAMESPACE run dns-check --rm -i --restart=Never --image=busybox:1.36 -- nslookup HOSTNAME # confirmed if it finds no address',
        'kubectl -n kube-system get pods -l k8s-app=kube-dns',
        'kubectl -n NAMESPACE exec POD -- nslookup HOST',
        'kubectl get serviceentries -A',
      ],
      change: 'Correct the name, or repair the DNS servers the pod uses and the way to them (UDP and TCP port 53).',
      never:
        'Do not change policies: nothing was denied, and no connection was made. Do not write addresses in place of the name: they change.',
    },
    cites: ['envoy 1.37 source/extensions/filters/http/dynamic_forward_proxy/proxy_filter.cc'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'dns') return null;
    return {
      certainty: 'certain',
      cause: `The proxy could not resolve ${calledName(record)} (${failure.text}).`,
      intended: 'no',
    };
  },
  propose() {
    return [
      step('investigate', 'Check the name, and that the pod reaches its DNS servers.', {
        confirm: ['kubectl -n kube-system get pods -l k8s-app=kube-dns', 'kubectl get serviceentries -A'],
      }),
    ];
  },
};
