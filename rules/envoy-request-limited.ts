import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { requestName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import type { RequestRecord } from '../src/model/record.ts';
import { step } from '../src/remedy/edits/index.ts';
import { sourceName } from '../src/text/ends.ts';

/** 408 and 413 that the proxy gave itself, and the 500 for an answer that it cannot buffer. */
export const rule: Rule = {
  meta: {
    id: 'envoy-request-limited',
    category: 'client',
    level: 'warning',
    title: 'The request ran into a size or time limit of the proxy',
    page: {
      meaning:
        'The body is larger than a buffer of the proxy (413; for the body of the answer 500 response_payload_too_large), or the caller did not finish its headers or body in time (408). Istio sets no such buffer by itself: an EnvoyFilter or a filter that reads the body does.',
      printedBy: 'The first proxy that reads the request.',
      confirm: [
        'kubectl get envoyfilters -A -o yaml | grep -i -e max_request_bytes -e buffer_limit -e timeout',
        'istioctl proxy-config listener POD.NAMESPACE -o json',
      ],
      change:
        'If such requests are wanted, raise the limit in the EnvoyFilter for this route; otherwise correct the caller.',
      never:
        'Do not remove the limit for the whole mesh: it bounds what a single request can cost each proxy in memory.',
    },
    cites: [
      'envoy 1.37 source/common/http/conn_manager_impl.cc',
      'envoy 1.37 source/extensions/filters/http/buffer/buffer_filter.cc',
    ],
  },
  on: ['envoy/request'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (record.kind !== 'request' || failure?.kind !== 'request-limit') return null;
    const [limit, cause] = whichLimit(record, failure.text);
    return { certainty: failure.certainty, cause, intended: 'likely', subject: [limit] };
  },
  propose() {
    return [
      step(
        'configuration',
        'If such requests are wanted, raise the limit for this route; it comes from an EnvoyFilter.',
        {
          confirm: ['kubectl get envoyfilters -A -o yaml'],
        },
      ),
    ];
  },
};

/** The limit in one word, and what ran into it. */
function whichLimit(record: RequestRecord, text: string): readonly [string, string] {
  const name = requestName(record);
  if (text.startsWith('response_'))
    return ['response', `The answer to ${name} has a body that is larger than the proxy buffers.`];
  if (record.status === 413 || text.includes('payload'))
    return ['size', `${name} from ${sourceName(record)} has a body that is larger than the proxy buffers.`];
  return ['time', `${sourceName(record)} did not finish sending its request in time.`];
}
