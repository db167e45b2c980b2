import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import type { LogRecord } from '../src/model/record.ts';
import { applicationLogs, listDestinationRules, listEndpoints } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** A connect that failed for a reason the line does not tell, or a rare one. */
export const rule: Rule = {
  meta: {
    id: 'envoy-upstream-connect-failed',
    category: 'upstream',
    level: 'error',
    title: 'The connection to the destination could not be opened',
    page: {
      meaning:
        'The proxy could not open a connection to the destination. The line does not say why, or names a rare reason such as a reset in the middle of the handshake. In formats without a transport failure column refused connections, timeouts and TLS mismatches all look like this.',
      printedBy:
        'The proxy of the caller, a gateway or a waypoint; the sidecar of the destination when the cluster is inbound.',
      confirm: [
        'kubectl -n NAMESPACE get endpointslices -l kubernetes.io/service-name=SERVICE',
        'istioctl proxy-config endpoint POD.NAMESPACE --cluster CLUSTER',
        'kubectl get destinationrules -A',
      ],
      change:
        'See whether the destination runs and listens; whether the DestinationRule makes the proxy speak TLS to a server that does not; and whether a NetworkPolicy rejects the connection. Add %UPSTREAM_TRANSPORT_FAILURE_REASON% to the log format to see the reason.',
      never: 'Do not change authorization policies: no such denial looks like this.',
    },
    cites: ['envoy 1.37 source/common/router/router.cc', 'envoy 1.37 source/common/tcp_proxy/tcp_proxy.cc'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'connect-failed') return null;
    const isTls = failure.text.startsWith('TLS_error');
    if (failure.text.includes('failed_to_bind')) return unbound(record, failure.text);
    return {
      certainty: failure.certainty === 'certain' ? 'likely' : failure.certainty,
      cause: isTls
        ? `The TLS handshake with ${calledName(record)} broke off (${failure.text}).`
        : `The proxy could not open a connection to ${calledName(record)} (${failure.text}).`,
      intended: 'no',
      unchecked:
        failure.certainty === 'possible'
          ? [
              'Why: refused, not answered and TLS failures look the same here. Add %UPSTREAM_TRANSPORT_FAILURE_REASON% and %RESPONSE_CODE_DETAILS% to the log format.',
            ]
          : [],
      subject: [failure.text],
    };
  },
  propose({ destination }) {
    return [
      step('investigate', 'See whether the destination runs and listens, and whether its DestinationRule fits.', {
        confirm: [listEndpoints(destination), applicationLogs(destination), listDestinationRules(destination)],
      }),
    ];
  },
};

/** The proxy could not even open its own end (envoy 1.37 source/common/network/connection_impl.cc). */
function unbound(record: LogRecord, text: string): Match {
  return {
    certainty: 'likely',
    category: 'platform',
    cause: `The proxy got no source address or port for a connection to ${calledName(record)} (${text}): its node or pod has none left, or may not use that address.`,
    intended: 'no',
    unchecked: [
      'Which of these: count the open connections of the pod (ss -s) and see its sysctl ip_local_port_range.',
    ],
    subject: ['failed_to_bind'],
  };
}
