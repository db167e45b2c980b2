import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName, requestName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { applicationLogs } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** 5xx or a failing gRPC status from behind the proxy, or a failed health check of the local service (LH). */
export const rule: Rule = {
  meta: {
    id: 'envoy-application-failed',
    category: 'application',
    level: 'warning',
    title: 'The application answered with an error',
    page: {
      meaning:
        'The application behind the proxy answered 5xx (gRPC: a status such as Unavailable or Internal, with HTTP 200). The flag URX only says that retries did not help. With LH or health_check_failed the proxy answered in its place, because the application next to it fails its health check.',
      printedBy: 'Every proxy on the path, as via_upstream. Cluster inbound: the sidecar next to the application.',
      confirm: [
        'kubectl -n NAMESPACE logs deploy/WORKLOAD --since=10m # confirmed if the application tells of the error',
      ],
      change: 'Nothing in the mesh: look at the log of the application.',
      never:
        'Do not change policies or timeouts of the mesh: the request arrived and was answered, and what hides the answer hides the fault with it.',
    },
    cites: ['envoy 1.37 source/common/router/router.cc'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind === 'application-unhealthy') {
      return {
        certainty: 'certain',
        cause: `${calledName(record)} fails its health check (${failure.text}), so that the proxy next to it refused ${requestName(record)}.`,
        intended: 'no',
        subject: ['health check'],
      };
    }
    if (record.kind !== 'request' || failure?.kind !== 'application-failed') return null;
    return {
      certainty: failure.certainty,
      // gRPC servers answer with such a status in normal operation too, and clients retry it.
      level: (record.status ?? 0) >= 400 ? 'warning' : 'note',
      cause: `${calledName(record)} answered ${requestName(record)} with an error of its own (${failure.text}).`,
      intended: 'no',
      subject: [failure.text],
    };
  },
  propose({ destination }) {
    return [step('investigate', 'Look at the log of the application.', { confirm: [applicationLogs(destination)] })];
  },
};
