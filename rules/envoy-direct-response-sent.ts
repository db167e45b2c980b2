import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { requestName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';

/** A direct response with an error status. */
export const rule: Rule = {
  meta: {
    id: 'envoy-direct-response-sent',
    category: 'traffic-control',
    level: 'warning',
    title: 'A route answered the request itself with an error',
    page: {
      meaning:
        'The route that matched has no destination: it is configured to answer by itself (directResponse of a VirtualService, or a fallback that a gateway controller made).',
      printedBy: 'The proxy that routes.',
      confirm: [
        'kubectl get virtualservices,httproutes -A -o yaml | grep -B10 -A4 directResponse # confirmed if it lists that route',
        'istioctl proxy-config routes POD.NAMESPACE -o json',
      ],
      change: 'If the answer is not wanted, change that route, or the match that sends the request there.',
      never: 'Do not look for the cause in the application or in policies.',
    },
    cites: ['envoy 1.37 source/common/router/router.cc'],
  },
  on: ['envoy/request'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (record.kind !== 'request' || failure?.kind !== 'direct-response') return null;
    const route = record.envoy.route === null ? 'A route' : `The route ${record.envoy.route}`;
    return {
      certainty: failure.certainty,
      level: (record.status ?? 0) >= 500 ? 'warning' : 'note',
      cause: `${route} answered ${requestName(record)} itself with ${record.status}, as it is configured.`,
      intended: 'yes',
      subject: [record.envoy.route ?? ''],
    };
  },
  propose() {
    return [
      step('configuration', 'If the answer is not wanted, change the route or the match that leads to it.', {
        confirm: ['kubectl get virtualservices,httproutes -A -o yaml'],
      }),
    ];
  },
};
