import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { listPods } from '../src/remedy/commands/kubectl.ts';
import { applicationLogs } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** The upstream died or broke the protocol after the response had begun. */
export const rule: Rule = {
  meta: {
    id: 'envoy-response-cut',
    category: 'upstream',
    level: 'warning',
    title: 'The response broke off in the middle',
    page: {
      meaning:
        'The response had begun, so the status is the one of the application (often 200), and then the stream ended before its body was complete: the application died, timed out or broke the protocol. The caller has a truncated body.',
      printedBy: 'Every proxy on the path, with upstream_reset_after_response_started.',
      confirm: ['kubectl -n NAMESPACE logs deploy/WORKLOAD --since=10m', 'kubectl -n NAMESPACE get pods'],
      change: 'Look at the log of the application, restarts and memory limits.',
      never: 'Do not read the status 200 as success. Do not change policies.',
    },
    cites: ['envoy 1.37 source/common/router/router.cc'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'response-cut') return null;
    return {
      certainty: 'certain',
      cause: `The response of ${calledName(record)} broke off after it had begun (${failure.text}): its sender died or broke the protocol.`,
      intended: 'no',
    };
  },
  propose({ destination }) {
    return [
      step('investigate', 'Look at the log of the application at that time, and whether its pod was restarted.', {
        confirm: [applicationLogs(destination), listPods(destination.namespace)],
      }),
    ];
  },
};
