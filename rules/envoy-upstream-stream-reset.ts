import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import type { LogRecord } from '../src/model/record.ts';
import { applicationLogs, proxyLogs } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** UR (the other end reset) or LR (this proxy did) before a response. */
export const rule: Rule = {
  meta: {
    id: 'envoy-upstream-stream-reset',
    category: 'upstream',
    level: 'warning',
    title: 'The stream or connection to the destination was reset',
    page: {
      meaning:
        'The other end reset the HTTP/2 stream or, for TCP, the connection. For HTTP the application or a proxy before it gave the request up. For TCP it is also what plaintext at a STRICT port and a denial at the destination look like from here. With LR or local_reset it was this proxy that reset the stream: an error of its own codec or a limit of its own, and the destination may not know of it.',
      printedBy:
        'The proxy of the caller, a gateway or a waypoint, or the sidecar of the destination about its own application.',
      confirm: [
        'kubectl -n NAMESPACE logs deploy/WORKLOAD --since=10m',
        'kubectl -n NAMESPACE logs deploy/WORKLOAD -c istio-proxy --since=10m',
      ],
      change: 'Look at the log of the destination at that time: application and proxy.',
      never:
        'Do not change policies on the strength of a reset: the log of the destination names the policy if it was one.',
    },
    cites: ['envoy 1.37 source/common/router/router.cc', 'envoy 1.37 source/common/tcp_proxy/tcp_proxy.cc'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind === 'local-reset') return resetHere(record, failure.text);
    if (failure?.kind !== 'stream-reset') return null;
    const what = record.kind === 'request' ? 'stream' : 'connection';
    return {
      certainty: record.kind === 'request' ? 'likely' : 'possible',
      cause: `${calledName(record)} reset the ${what} before it answered.`,
      intended: 'unknown',
      unchecked:
        record.kind === 'request'
          ? []
          : ['Why: only the log of the destination says whether its application or its proxy did it.'],
    };
  },
  propose({ destination }) {
    return [
      step('investigate', 'Look at what application and proxy of the destination say about that moment.', {
        confirm: [applicationLogs(destination), proxyLogs(destination)],
      }),
    ];
  },
};

/** The destination is not the one that broke it off. */
function resetHere(record: LogRecord, text: string): Match {
  return {
    certainty: 'likely',
    cause: `This proxy itself reset the stream to ${calledName(record)} before an answer came (${text}): the destination did not do it.`,
    intended: 'unknown',
    unchecked: ['Why: only the log of this proxy at level debug says what it did not like.'],
    subject: ['local'],
  };
}
