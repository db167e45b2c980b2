import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName, envoyFacts, parseClusterName } from '../src/causes/envoy-record.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import type { Flow } from '../src/model/traffic.ts';
import { listEndpoints } from '../src/remedy/commands/proxy.ts';
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
      never: 'Do not change policies: nothing was denied.',
    },
    cites: ['envoy 1.37 source/common/http/conn_manager_impl.cc', 'envoy 1.37 source/common/http/http2/codec_impl.cc'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match(flow) {
    const failure = envoyFailure(flow.record);
    if (failure?.kind !== 'client-left') return null;
    return (
      waitedForConnection(flow) ?? {
        certainty: failure.certainty,
        cause: `${sourceName(flow.record)} closed the connection or reset the stream before the answer of ${calledName(flow.record)} was complete.`,
        intended: 'likely',
      }
    );
  },
  propose({ category, destination }) {
    if (category !== 'network') return [];
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
