import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName, envoyFacts, parseClusterName } from '../src/causes/envoy-record.ts';
import type { DestinationEnd, Match, Rule } from '../src/model/finding.ts';
import type { Draft } from '../src/model/remedy.ts';
import type { Flow } from '../src/model/traffic.ts';
import { applicationLogs, listEndpoints } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';
import { sourceName } from '../src/text/ends.ts';

/** DC and DR: the caller closed or reset. */
export const rule: Rule = {
  meta: {
    id: 'envoy-client-left',
    category: 'client',
    level: 'note',
    title: 'The caller left before the answer was complete',
    page: {
      meaning:
        'The caller closed the connection or reset its stream before the answer was complete: its own timeout is shorter than the answer takes, the user went away, or its pod stopped. No response was sent, so the status is 0. If the proxy had no connection to the destination yet after a long wait, the destination is the problem, not the caller.',
      printedBy: 'Every proxy on the path. When a proxy before this one gave up (504 UT there), this line is its echo.',
      confirm: ['kubectl -n NAMESPACE logs deploy/CALLER --since=10m'],
      change: 'Nothing, unless it is frequent: then compare the timeout of the caller with the time the answer takes.',
      never:
        'Do not change policies: nothing was denied. Do not raise the timeouts of the mesh either: the caller, not the proxy, gave up.',
    },
    cites: ['envoy 1.37 source/common/http/conn_manager_impl.cc', 'envoy 1.37 source/common/http/http2/codec_impl.cc'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match(flow) {
    const failure = envoyFailure(flow.record);
    if (failure?.kind !== 'client-left') return null;
    return (
      waitedForConnection(flow) ??
      waitedForAnswer(flow) ?? {
        certainty: failure.certainty,
        cause: `${sourceName(flow.record)} closed the connection or reset the stream before the answer of ${calledName(flow.record)} was complete.`,
        intended: 'likely',
        anyCaller: true,
      }
    );
  },
  propose({ category, level, destination }) {
    if (level === 'note') return [];
    if (category !== 'network') return [findSlowness(destination)];
    return [
      step(
        'investigate',
        'Find out why the proxy got no connection to the destination: endpoints, network, connection pool.',
        {
          confirm: [
            listEndpoints(destination),
            'kubectl get networkpolicies -A',
            'istioctl proxy-config endpoint POD.NAMESPACE --cluster CLUSTER',
          ],
        },
      ),
    ];
  },
};

/** Shorter waits are within what opening a connection may take, in ms. */
const LONG_WAIT_MS = 500;
/** An answer may take as long as this, in ms, without anything being wrong. */
const SILENCE_MS = 200;

function findSlowness(destination: DestinationEnd): Draft {
  return step(
    'investigate',
    'Find out what the application waits for, and compare how long it takes with the timeout of the caller.',
    { confirm: [applicationLogs(destination)] },
  );
}

/** The upstream host is only known once there is a connection to it: a caller that waited in vain met an unreachable host. */
function waitedForConnection({ record, maxDurationMs }: Flow): Match | null {
  const facts = envoyFacts(record);
  if (record.kind !== 'request' || facts === null || record.status !== 0) return null;
  const isOutbound = parseClusterName(facts.cluster)?.direction === 'outbound';
  if (!isOutbound || facts.upstreamHost !== null || (maxDurationMs ?? 0) < LONG_WAIT_MS) return null;
  return {
    category: 'network',
    level: 'warning',
    certainty: 'possible',
    cause: `The proxy had no connection to ${calledName(record)} after ${maxDurationMs} ms, when the caller gave up.`,
    intended: 'no',
  };
}

/** From so many times on it is no accident that callers give up. */
const MANY = 5;

/** There was a connection, and nothing came back through it: the application hung or is slow. */
function waitedForAnswer({ record, count, maxDurationMs }: Flow): Match | null {
  if (record.kind !== 'request' || record.status !== 0 || record.envoy.upstreamHost === null) return null;
  const waitedMs = maxDurationMs ?? 0;
  if (record.envoy.upstreamServiceMs !== null || (record.bytesSent ?? 0) > 0 || waitedMs < SILENCE_MS) return null;
  return {
    level: count >= MANY ? 'warning' : 'note',
    certainty: 'likely',
    cause: `${sourceName(record)} gave up after ${waitedMs} ms without an answer of the application: ${calledName(record)} had the request and sent nothing back.`,
    intended: 'no',
    subject: ['no answer'],
    anyCaller: true,
  };
}
