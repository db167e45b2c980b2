import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { applicationLogs } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** UT: route timeout or per-try timeout. */
export const rule: Rule = {
  meta: {
    id: 'envoy-upstream-timed-out',
    category: 'upstream',
    level: 'warning',
    title: 'The destination did not answer in time',
    page: {
      meaning:
        'The request reached the destination, but no complete answer came within the timeout of the route (VirtualService timeout, perTryTimeout, HTTPRoute timeouts).',
      printedBy:
        'The proxy whose route has the timeout: mostly the sidecar of the caller or a gateway, with 504 UT. The sidecar of the destination prints 0 DC for the same request.',
      confirm: [
        'kubectl get virtualservices,httproutes -A -o yaml | grep -i -B3 -A3 timeout # confirmed if a timeout there is as long as the line says it took',
        'kubectl -n NAMESPACE logs deploy/WORKLOAD --since=10m',
      ],
      change:
        'Find out why the application is slow; if the work really takes that long, raise the timeout of this route.',
      never:
        'Do not change policies: nothing was denied. Do not add retries: they multiply the load on what is slow already.',
    },
    cites: ['envoy 1.37 source/common/router/router.cc'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match(flow) {
    const failure = envoyFailure(flow.record);
    if (failure?.kind !== 'upstream-timeout') return null;
    const limit = flow.record.kind === 'diagnostic' ? null : flow.record.durationMs;
    return {
      certainty: 'certain',
      cause: `${calledName(flow.record)} did not answer in time${limit === null ? '' : `: the proxy gave up after ${limit} ms`}.`,
      intended: 'unknown',
    };
  },
  propose({ destination }) {
    return [
      step(
        'investigate',
        'Find out why the application is slow; raise the timeout of the route only if the work takes that long.',
        {
          confirm: [applicationLogs(destination), 'kubectl get virtualservices,httproutes -A -o yaml'],
        },
      ),
    ];
  },
};
