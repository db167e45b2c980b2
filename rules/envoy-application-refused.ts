import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName, isInbound, requestName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { applicationLogs, proxyLogs } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** A refusal that came from behind the proxy. */
export const rule: Rule = {
  meta: {
    id: 'envoy-application-refused',
    category: 'application',
    level: 'warning',
    title: 'The application answered 401 or 403',
    page: {
      meaning:
        'The request passed the policies of this proxy and the application behind it answered 401 or 403 (gRPC: status 7 or 16). On a line of the caller the answer may also be the policy of the proxy at the other end.',
      printedBy:
        'Cluster inbound: the sidecar next to the application, and then it is certain. Any other line: the proxy of the caller, a gateway or a waypoint.',
      confirm: [
        'kubectl -n NAMESPACE logs deploy/WORKLOAD --since=10m',
        'kubectl -n NAMESPACE logs deploy/WORKLOAD -c istio-proxy --since=10m | grep REQUEST_ID',
      ],
      change:
        'Nothing in the mesh: look at the log of the application, at the credentials of the caller and at the rights it has there.',
      never: 'Do not change AuthorizationPolicies: none denied this.',
    },
    cites: ['envoy 1.37 source/common/router/router.cc'],
  },
  on: ['envoy/request'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'application-refused') return null;
    const own = isInbound(record) === true;
    const isGrpc = record.kind === 'request' && (record.status ?? 0) < 400;
    const unsized = !own && record.kind === 'request' && record.bytesSent === null;
    return {
      certainty: failure.certainty,
      // Neither side nor size: as likely a policy of the destination, whose proxy then has a line of its own.
      level: unsized || isGrpc ? 'note' : 'warning',
      cause: own
        ? `The application itself refused ${requestName(record)} (${failure.text}); no policy of the mesh did.`
        : `${calledName(record)} refused ${requestName(record)} (${failure.text}): its application, or a policy of the proxy in front of it.`,
      intended: 'likely',
      unchecked: own ? [] : ['Who refused: the line of the proxy of the destination with the same request id says it.'],
      subject: [failure.text],
    };
  },
  propose({ destination }) {
    return [
      step(
        'investigate',
        'Look at the log of the application, and at that of its proxy: only there a policy would show.',
        {
          confirm: [applicationLogs(destination), proxyLogs(destination)],
        },
      ),
    ];
  },
};
