import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { requestName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

/** OM, DO, UDO: overload manager, drop overload. */
export const rule: Rule = {
  meta: {
    id: 'envoy-load-shed',
    category: 'platform',
    level: 'error',
    title: 'The proxy shed load',
    page: {
      meaning:
        'The proxy refused the request to protect itself or the destination: its memory or connections are exhausted (overload manager), or istiod told it to drop a share (drop overload).',
      printedBy: 'The proxy that is overloaded.',
      confirm: [
        'kubectl top pod POD -n NAMESPACE --containers',
        'kubectl -n NAMESPACE exec POD -c istio-proxy -- pilot-agent request GET stats',
      ],
      change: 'Give the proxy more memory or more replicas; look for connections that are never closed.',
      never:
        'Do not turn the overload manager off: what it sheds now would end with the proxy killed for lack of memory, and all its requests with it.',
    },
    cites: ['envoy 1.37 source/server/overload_manager_impl.cc', 'envoy 1.37 source/common/stream_info/utility.h'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'load-shed') return null;
    return {
      certainty: 'certain',
      cause: `${requestName(record)} was refused because the proxy sheds load (${failure.text}).`,
      intended: 'no',
      subject: [failure.text],
    };
  },
  propose({ destination }) {
    return [
      step('configuration', 'Compare memory and connections of the proxy with its limits; add resources or replicas.', {
        confirm: [`kubectl top pod -n ${wordOr(destination.namespace, 'NAMESPACE')} --containers`],
      }),
    ];
  },
};
