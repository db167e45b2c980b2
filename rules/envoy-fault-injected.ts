import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { requestName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';

/** FI and DI: fault injection of a VirtualService. */
export const rule: Rule = {
  meta: {
    id: 'envoy-fault-injected',
    category: 'traffic-control',
    level: 'warning',
    title: 'The proxy injected a fault on purpose',
    page: {
      meaning:
        'A VirtualService (or an EnvoyFilter) tells the proxy to delay or abort a share of the requests. Nothing is broken.',
      printedBy: 'The proxy that routes: the sidecar of the caller or a gateway.',
      confirm: [
        'kubectl get virtualservices -A -o yaml | grep -B2 -A8 fault: # confirmed if it lists a fault for that host',
      ],
      change: 'When the test is over, take the fault out of the route.',
      never: 'Do not look for the cause in the application or in policies.',
    },
    cites: ['envoy 1.37 source/extensions/filters/http/fault/fault_filter.cc'],
  },
  on: ['envoy/request'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (record.kind !== 'request' || failure?.kind !== 'fault') return null;
    const delayed = failure.text === 'DI';
    return {
      certainty: 'certain',
      level: delayed ? 'note' : 'warning',
      cause: `The proxy ${delayed ? 'delayed' : `aborted with ${record.status}`} ${requestName(record)} on purpose (fault injection).`,
      intended: 'yes',
      subject: [delayed ? 'delay' : 'abort'],
    };
  },
  propose() {
    return [
      step('configuration', 'Take the fault out of the VirtualService when the test is over.', {
        confirm: ['kubectl get virtualservices -A -o yaml'],
      }),
    ];
  },
};
