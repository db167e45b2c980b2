import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { applicationLogs, proxyLogs } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** The caller's side of a failure behind the proxy of the destination. */
export const rule: Rule = {
  meta: {
    id: 'envoy-peer-proxy-failed',
    category: 'upstream',
    level: 'warning',
    title: "The destination's proxy could not get an answer",
    page: {
      meaning:
        'The answer came from behind this proxy, but has status and size of an answer that an Envoy makes itself ("upstream connect error", "no healthy upstream"): the proxy of the destination could not get a response from its application.',
      printedBy:
        "The proxy of the caller, or a gateway, as via_upstream. The real reason stands in the log of the destination's proxy under the same request id.",
      confirm: ['kubectl -n NAMESPACE logs deploy/WORKLOAD -c istio-proxy --since=10m | grep REQUEST_ID'],
      change: "Follow the line of the destination's proxy: the application resets, refuses or speaks another protocol.",
      never: 'Do not change policies: nothing was denied; a denial there would be a 403.',
    },
    cites: ['envoy 1.37 source/common/router/router.cc'],
  },
  on: ['envoy/request'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'peer-proxy-failed') return null;
    return {
      certainty: failure.certainty,
      cause: `The proxy of ${calledName(record)} answered for its application (${failure.text}): it could not get a response from it.`,
      intended: 'no',
      unchecked: ['What happened there: the line of the proxy of the destination with the same request id says it.'],
    };
  },
  propose({ destination }) {
    return [
      step('investigate', "Read the line of the destination's proxy with the same request id.", {
        confirm: [proxyLogs(destination), applicationLogs(destination)],
      }),
    ];
  },
};
