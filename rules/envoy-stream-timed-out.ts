import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';

/** SI, UMSDR and DT: idle and duration limits of streams and connections. */
export const rule: Rule = {
  meta: {
    id: 'envoy-stream-timed-out',
    category: 'upstream',
    level: 'warning',
    title: 'A stream was open for longer than allowed',
    page: {
      meaning:
        'A stream was idle for too long (SI), open for longer than a stream may be (UMSDR), or a connection reached its maximum age (DT). Istio sets no idle timeout for streams by itself, so an EnvoyFilter, a DestinationRule or the route does.',
      printedBy: 'The proxy that has the limit.',
      confirm: [
        'kubectl get envoyfilters,destinationrules -A -o yaml | grep -i -e idle -e duration',
        'istioctl proxy-config listener POD.NAMESPACE -o json',
      ],
      change:
        'Raise the limit for this route or host, or let the application send something in between. A connection that reached its maximum age was closed on purpose.',
      never:
        'Do not change policies: nothing was denied. Do not set the limit to 0: streams nobody uses would then pile up.',
    },
    cites: ['envoy 1.37 source/common/http/conn_manager_impl.cc', 'envoy 1.37 source/common/tcp_proxy/tcp_proxy.cc'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'stream-timeout') return null;
    const isConnection = record.kind === 'connection';
    return {
      certainty: 'certain',
      level: isConnection ? 'note' : 'warning',
      cause: isConnection
        ? `The connection to ${calledName(record)} was closed because it reached its maximum age.`
        : `The request to ${calledName(record)} was ended by a limit on idle or total time (${failure.text}).`,
      intended: 'likely',
      subject: [failure.text],
    };
  },
  propose() {
    return [
      step(
        'configuration',
        'Find the limit (EnvoyFilter, DestinationRule, route) and raise it for this route only, if the stream may be that long.',
        {
          confirm: [
            'kubectl get envoyfilters,destinationrules -A -o yaml',
            'kubectl get virtualservices,httproutes -A -o yaml',
          ],
        },
      ),
    ];
  },
};
