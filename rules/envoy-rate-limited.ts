import { envoyFailure } from '../src/causes/envoy-failure.ts';
import type { EnvoyFailure } from '../src/causes/envoy-failure-table.ts';
import { calledName, enforcerOf, requestName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import type { LogRecord } from '../src/model/record.ts';
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
        "A local or global rate limit refused the request with 429 (gRPC: status 14), or the rate limit service could not be asked. On the line of the caller an answer 429 as long as that of Envoy's local limit is a hint that the proxy of the destination gave it.",
      printedBy: 'The proxy with the limit: a gateway or the sidecar of the destination.',
      confirm: ['kubectl get envoyfilters -A -o yaml | grep -i -B5 -A20 ratelimit'],
      change: 'Let the caller slow down, or raise the limit if the destination can take more.',
      never:
        'Do not remove the limit altogether: it was set for the day on which one caller asks too much, and that may be this one.',
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
    const isGuess = failure.certainty !== 'certain';
    const failed = failure.text === 'rate_limiter_error' || failure.text === 'RLSE';
    return {
      certainty: failure.certainty,
      ...(isGuess ? { level: 'note' as const } : {}),
      cause: causeOf(record, failure),
      enforcedBy: isGuess ? null : enforcerOf(record),
      intended: failed ? 'no' : 'likely',
      unchecked: isGuess
        ? [
            'Who limits: an application may answer 429 with as many bytes. The log of the proxy of the destination tells.',
          ]
        : [],
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

function causeOf(record: LogRecord, { certainty, text }: EnvoyFailure): string {
  const request = requestName(record);
  if (text === 'rate_limiter_error' || text === 'RLSE')
    return `${request} was refused because the rate limit service could not be asked.`;
  return certainty === 'certain'
    ? `${request} from ${sourceName(record)} was refused by a rate limit.`
    : `${request} got 429 from ${calledName(record)}, with an answer as long as that of a local rate limit of its proxy.`;
}
