import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { enforcerOf, requestName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';
import { sourceName } from '../src/text/ends.ts';

/** RL and RLSE. */
export const rule: Rule = {
  meta: {
    id: 'envoy-rate-limited',
    category: 'traffic-control',
    level: 'warning',
    title: 'A rate limit refused the request',
    page: {
      meaning:
        'A local or global rate limit refused the request with 429 (gRPC: status 14), or the rate limit service could not be asked.',
      printedBy: 'The proxy with the limit: a gateway or the sidecar of the destination.',
      confirm: ['kubectl get envoyfilters -A -o yaml'],
      change: 'Let the caller slow down, or raise the limit if the destination can take more.',
      never: 'Do not remove the limit altogether.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/local_ratelimit/local_ratelimit.cc',
      'envoy 1.37 source/extensions/filters/http/ratelimit/ratelimit.cc',
    ],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'rate-limited') return null;
    const failed = failure.text === 'rate_limiter_error' || failure.text === 'RLSE';
    return {
      certainty: 'certain',
      cause: failed
        ? `${requestName(record)} was refused because the rate limit service could not be asked.`
        : `${requestName(record)} from ${sourceName(record)} was refused by a rate limit.`,
      enforcedBy: enforcerOf(record),
      intended: failed ? 'no' : 'likely',
      subject: [failure.text],
    };
  },
  propose() {
    return [
      step('configuration', 'Compare the limit with the rate the caller needs; change one of the two.', {
        confirm: ['kubectl get envoyfilters -A -o yaml'],
      }),
    ];
  },
};
