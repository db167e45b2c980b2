import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { requestName } from '../src/causes/envoy-record.ts';
import type { Category, Rule } from '../src/model/finding.ts';
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
        'The proxy closed a connection while a request was open: istiod changed its listener (filter chain is being removed), it was being stopped, the connection was idle or old, or the caller did not answer. The reason stands in the parentheses. The caller sees 503 UC.',
      printedBy: 'The proxy that closed it, as 0 DC downstream_local_disconnect(REASON).',
      confirm: ['kubectl -n istio-system logs deploy/istiod | grep -i "push"', 'kubectl -n NAMESPACE get events'],
      change:
        'If it happens at deployments, give pods a preStop delay and the proxy a longer drain. If it happens all the time, find what makes istiod change listeners (a JWKS that changes at every refresh, flapping ServiceEntries).',
      never:
        'Do not change policies: nothing was denied. Do not switch draining off: then open requests are cut at every update.',
    },
    cites: ['envoy 1.37 envoy/stream_info/stream_info.h', 'envoy 1.37 source/common/listener_manager/listener_impl.cc'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'drained') return null;
    const reason = /\(([^)]*)\)/.exec(failure.text)?.[1]?.replaceAll('_', ' ') ?? 'no reason printed';
    const isUpdate = reason.includes('filter chain');
    const [, category, meaning] = REASONS.find(([name]) => name.test(reason)) ?? [null, null, null];
    return {
      certainty: 'certain',
      level: isUpdate ? 'warning' : 'note',
      category: category ?? 'platform',
      cause: `${requestName(record)} was cut because the proxy closed the connection (${reason})${meaning === null ? '' : `: ${meaning}`}.`,
      intended: isUpdate ? 'no' : 'likely',
      subject: [reason],
    };
  },
  propose(finding, mesh) {
    if (finding.level === 'note') return [step('none', 'Nothing to repair, unless it is frequent.')];
    return [
      step('investigate', 'Find what made istiod change the listener at that moment.', {
        confirm: [inRoot(mesh, 'logs deploy/istiod --since=1h')],
      }),
    ];
  },
};

/** Reasons with a meaning of their own (envoy 1.37 envoy/stream_info/stream_info.h, LocalCloseReasonValues). */
const REASONS: readonly (readonly [RegExp, Category, string])[] = [
  [/filter chain/, 'platform', 'istiod had changed its listener'],
  [/drained connection|not progressed to connections/, 'platform', 'the proxy was being stopped or drained'],
  [/max connection duration/, 'upstream', 'the connection reached the age that is set for it'],
  [/idle timeout/, 'upstream', 'nothing had passed for as long as is set for it'],
  [/http2 ping timeout/, 'client', 'the caller no longer answered pings'],
  [/protocol violation/, 'client', 'the caller broke the rules of HTTP/2'],
  [/transport socket timeout/, 'client', 'the caller did not finish its TLS handshake'],
  [/downstream remote close/, 'client', 'the caller had closed its side'],
  [/host health failure/, 'upstream', 'the endpoint behind it had become unhealthy'],
];
