import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { WORKLOADS } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { sourceName } from '../src/text/ends.ts';

/** ztunnel knows the destination but has no address it could dial. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-destination-unroutable',
    category: 'routing',
    level: 'error',
    title: 'ztunnel found no way to the destination',
    page: {
      meaning:
        "ztunnel knows the Service or workload but has no address to dial: its host name does not resolve, it has addresses of the other IP family only, it is in a network without gateway, or its address is known for another network than the caller's.",
      printedBy: 'The ztunnel on the node of the caller.',
      confirm: [
        'istioctl ztunnel-config workloads | grep WORKLOAD',
        'istioctl ztunnel-config workloads -o json',
        'istioctl ztunnel-config services',
        'kubectl get serviceentries,workloadentries -A',
        'nslookup HOSTNAME',
      ],
      change:
        'Correct the host name or addresses of the ServiceEntry, the IP families of the Service, or the network settings of the clusters.',
      never: 'Do not change policies: no connection was made, and none can be until the destination has an address.',
    },
    cites: ['istio/ztunnel 62d82653 src/state.rs', 'istio/ztunnel 62d82653 src/proxy/outbound.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'unroutable') return null;
    return {
      certainty: 'certain',
      cause: `ztunnel found no address to dial for the call from ${sourceName(flow.record)}: ${error.text}.`,
      subject: error.values,
    } satisfies Match;
  },
  propose() {
    return [
      step(
        'configuration',
        'Look at what ztunnel knows of the destination; correct host name, addresses, IP family or network of it.',
        {
          confirm: [WORKLOADS, 'istioctl ztunnel-config services', 'kubectl get serviceentries,workloadentries -A'],
        },
      ),
    ];
  },
};
