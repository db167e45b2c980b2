import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName, requestName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import type { EnvoyFacts } from '../src/model/record.ts';
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
        'The answer is an error, and the log format lacks the columns that would tell who gave it and why: flags, details, or the upstream. One status has many causes: 503 alone may be a missing pod, a refused or timed out connection, a mutual TLS that does not fit, a full connection pool, or the application; 403 may be an AuthorizationPolicy, an external authorizer, the audience of a token, a filter, or the application.',
      printedBy: 'Any proxy with a log format of its own.',
      confirm: [
        'kubectl -n istio-system get configmap istio -o yaml | grep -A3 accessLog # confirmed if accessLogFormat lacks %RESPONSE_CODE_DETAILS%',
      ],
      change:
        "Take accessLogFormat out of meshConfig, so that Istio's own format is used, or add %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% and %UPSTREAM_HOST% to it. New lines tell; those already written do not. Until then the body of the answer, if the client kept it, and the log of the other proxy are the only signs.",
      never:
        'Do not guess from the status alone, and do not change a policy for a 403 of which you do not know who gave it: an opened policy stays open, whoever it was.',
    },
    cites: ['envoy 1.37 docs/root/configuration/observability/access_log/usage.rst'],
  },
  on: ['envoy/request'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (record.kind !== 'request' || failure?.kind !== 'unexplained') return null;
    const isRefusal = record.status === 401 || record.status === 403;
    return {
      certainty: 'possible',
      // As likely a policy as the application: no more than that it happened can be said.
      level: isRefusal ? 'note' : 'warning',
      category: isRefusal ? 'application' : 'upstream',
      cause: `${requestName(record)} to ${calledName(record)} failed (${failure.text}), and this log format does not say why. ${isRefusal ? REFUSERS : FAILURES}`,
      intended: 'unknown',
      unchecked: [
        `Who answered and why: ${missingColumns(record.envoy)} not in the log format. Add what is missing to meshConfig.accessLogFormat, or remove accessLogFormat: Istio's default has it.`,
      ],
      subject: [failure.text],
    };
  },
  propose(_finding, mesh) {
    return [
      step(
        'configuration',
        "Let the log print flags, details and the upstream: take accessLogFormat out of meshConfig, so that Istio's own format is used, or add these columns to it. Then read it again.",
        {
          confirm: [inRoot(mesh, 'get configmap istio -o yaml')],
        },
      ),
    ];
  },
};

const REFUSERS =
  'An AuthorizationPolicy, a RequestAuthentication, an external authorizer, a filter or the application itself may have refused it.';
const FAILURES =
  'A destination that is missing, that refused, that did not answer or that broke off, or the application itself may be behind it.';

function missingColumns({ flags, detailsKnown, upstreamKnown }: EnvoyFacts): string {
  const missing = [
    ...(flags === null ? ['%RESPONSE_FLAGS%'] : []),
    ...(detailsKnown ? [] : ['%RESPONSE_CODE_DETAILS%']),
    ...(upstreamKnown ? [] : ['%UPSTREAM_HOST%']),
  ];
  return missing.length === 1 ? `${missing[0]} is` : `${missing.join(', ')} are`;
}
