import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName, requestName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { proxyLogs } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** The caller's side of a denial: the proxy of the destination gave the 403. */
export const rule: Rule = {
  meta: {
    id: 'envoy-peer-denied',
    category: 'authorization',
    level: 'error',
    title: 'The destination answered with an RBAC denial',
    page: {
      meaning:
        'The answer 403 came from behind this proxy and is as long as Envoy\'s "RBAC: access denied": the sidecar or waypoint of the destination denied the request by an AuthorizationPolicy.',
      printedBy:
        "The proxy of the caller, or a gateway. The line that names the policy stands in the log of the destination's proxy under the same request id.",
      confirm: [
        'kubectl -n NAMESPACE logs deploy/WORKLOAD -c istio-proxy --since=10m | grep REQUEST_ID',
        'istioctl x authz check POD.NAMESPACE',
      ],
      change: "Read the log of the destination's proxy and follow the finding there.",
      never:
        'Do not change a policy on the strength of this line alone: an application may answer 403 with as many bytes.',
    },
    cites: ['envoy 1.37 source/extensions/filters/http/rbac/rbac_filter.cc'],
  },
  on: ['envoy/request'],
  match(flow) {
    const failure = envoyFailure(flow.record);
    if (failure?.kind !== 'rbac-peer') return null;
    return {
      certainty: failure.certainty,
      cause: `${requestName(flow.record)} got 403 from ${calledName(flow.record)}, with an answer as long as that of an AuthorizationPolicy: the proxy of the destination denied it.`,
      intended: 'unknown',
      unchecked: [
        'Which policy denied: the line of the proxy of the destination names it. Read that log together with this one.',
      ],
    };
  },
  propose(finding) {
    const { destination } = finding;
    return [
      step(
        'investigate',
        'Read the line of the proxy of the destination with the same request id: it names the policy.',
        {
          confirm: [
            proxyLogs(destination),
            `istioctl x authz check ${wordOr(destination.workload, 'POD')}.${wordOr(destination.namespace, 'NAMESPACE')}`,
          ],
        },
      ),
    ];
  },
};
