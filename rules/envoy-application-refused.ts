import { PLAINTEXT_TO_TLS } from '../src/causes/envoy-answer.ts';
import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName, isInbound, requestName } from '../src/causes/envoy-record.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import type { LogRecord } from '../src/model/record.ts';
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
        'kubectl -n NAMESPACE logs deploy/WORKLOAD --since=10m # confirmed if the application tells of the refusal',
        'kubectl -n NAMESPACE logs deploy/WORKLOAD -c istio-proxy --since=10m | grep REQUEST_ID',
      ],
      change:
        'Nothing in the mesh: look at the log of the application, at the credentials of the caller and at the rights it has there.',
      never:
        'Do not change AuthorizationPolicies: none denied this, and whatever is opened stays open while the application goes on refusing.',
    },
    cites: ['envoy 1.37 source/common/router/router.cc'],
  },
  on: ['envoy/request'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'application-refused') return null;
    if (failure.text === PLAINTEXT_TO_TLS) return plaintextToTls(record);
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

function plaintextToTls(record: LogRecord): Match {
  return {
    certainty: 'possible',
    level: 'note',
    category: 'upstream',
    cause: `${calledName(record)} answered ${requestName(record)} with 400 and 48 bytes, as long as the answer of a server that wants TLS and was spoken to in plaintext.`,
    intended: 'unknown',
    unchecked: [
      'Whether that port speaks TLS: if it does, the name of the Service port must begin with https, or a DestinationRule must set tls mode SIMPLE.',
    ],
    subject: [PLAINTEXT_TO_TLS],
  };
}
