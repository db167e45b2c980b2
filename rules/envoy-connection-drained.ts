import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { requestName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

/** downstream_local_disconnect: listener update, drain, shutdown. */
export const rule: Rule = {
  meta: {
    id: 'envoy-connection-drained',
    category: 'platform',
    level: 'warning',
    title: 'The proxy itself closed the connection under a request',
    page: {
      meaning:
        'The proxy closed a connection while a request was open: istiod changed its listener (filter chain is being removed), or it was being stopped. The caller sees 503 UC.',
      printedBy: 'The proxy that closed it, as 0 DC downstream_local_disconnect(REASON).',
      confirm: ['kubectl -n istio-system logs deploy/istiod | grep -i "push"', 'kubectl -n NAMESPACE get events'],
      change:
        'If it happens at deployments, give pods a preStop delay and the proxy a longer drain. If it happens all the time, find what makes istiod change listeners (a JWKS that changes at every refresh, flapping ServiceEntries).',
      never: 'Do not change policies: nothing was denied.',
    },
    cites: ['envoy 1.37 envoy/stream_info/stream_info.h', 'envoy 1.37 source/common/listener_manager/listener_impl.cc'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'drained') return null;
    const reason = /\(([^)]*)\)/.exec(failure.text)?.[1]?.replaceAll('_', ' ') ?? 'no reason printed';
    const isUpdate = reason.includes('filter chain');
    return {
      certainty: 'certain',
      level: isUpdate ? 'warning' : 'note',
      cause: `${requestName(record)} was cut because the proxy closed the connection (${reason})${isUpdate ? ': istiod had changed its listener' : ''}.`,
      intended: isUpdate ? 'no' : 'likely',
      subject: [reason],
    };
  },
  propose(_finding, mesh) {
    return [
      step('investigate', 'Find what made istiod change the listener at that moment.', {
        confirm: [inRoot(mesh, 'logs deploy/istiod --since=1h')],
      }),
    ];
  },
};
