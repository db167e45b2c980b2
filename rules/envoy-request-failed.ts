import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName, requestName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

/** An error that nothing on the line explains, so that none passes silently. */
export const rule: Rule = {
  meta: {
    id: 'envoy-request-failed',
    category: 'upstream',
    level: 'warning',
    title: 'The request failed, the line does not say why',
    page: {
      meaning:
        'The answer is an error, the proxy gave it itself, and the log format has neither details nor flags that would say why.',
      printedBy: 'Any proxy with a log format of its own.',
      confirm: ['kubectl -n istio-system get configmap istio -o yaml | grep -A3 accessLog'],
      change: 'Add %RESPONSE_FLAGS% and %RESPONSE_CODE_DETAILS% to the log format.',
      never: 'Do not guess from the status alone: one status has many causes.',
    },
    cites: ['envoy 1.37 docs access log operators'],
  },
  on: ['envoy/request'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'unexplained') return null;
    return {
      certainty: 'possible',
      cause: `${requestName(record)} to ${calledName(record)} failed (${failure.text}), and this log format does not say why.`,
      intended: 'unknown',
      unchecked: ['The reason: add %RESPONSE_FLAGS% and %RESPONSE_CODE_DETAILS% to meshConfig.accessLogFormat.'],
      subject: [failure.text],
    };
  },
  propose(_finding, mesh) {
    return [
      step('investigate', 'Let the log print flags and details, then read it again.', {
        confirm: [inRoot(mesh, 'get configmap istio -o yaml')],
      }),
    ];
  },
};
