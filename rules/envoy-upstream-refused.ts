import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName, isInbound } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { applicationLogs, listEndpoints, showService } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** Connection refused by the endpoint, or by the own application. */
export const rule: Rule = {
  meta: {
    id: 'envoy-upstream-refused',
    category: 'upstream',
    level: 'error',
    title: 'Nothing accepts connections at the destination port',
    page: {
      meaning:
        'The address answered, but nothing listens on the port: the application is not running yet, crashed, listens on another port (targetPort) or on 127.0.0.1 only.',
      printedBy:
        'Inbound line (cluster inbound|PORT||): the sidecar of the destination cannot reach its own application. Any other line: the proxy of the caller, a gateway or a waypoint.',
      confirm: [
        'kubectl -n NAMESPACE get endpointslices -l kubernetes.io/service-name=SERVICE # compare its ports with those on which the application listens',
        'kubectl -n NAMESPACE get service SERVICE -o yaml',
        'kubectl -n NAMESPACE exec POD -- netstat -ltn',
      ],
      change:
        'Repair the application or its readiness probe, or correct targetPort of the Service. An application that listens on 127.0.0.1 must listen on the address of the pod.',
      never: 'Do not change policies: nothing was denied; a refused connection never came as far as a policy.',
    },
    cites: [
      'envoy 1.37 source/common/network/connection_impl.cc',
      'istio 86c9f01f pkg/config/analysis/msg/messages.yaml IST0143',
    ],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'refused') return null;
    const who = isInbound(record) === true ? "The sidecar's own application" : 'The endpoint';
    return {
      certainty: 'certain',
      cause: `${who} refused the connection to ${calledName(record)}: nothing listens on that port.`,
      intended: 'no',
    };
  },
  propose({ destination }) {
    return [
      step('investigate', 'Look whether the application runs and on which port and address it listens.', {
        confirm: [applicationLogs(destination), showService(destination), listEndpoints(destination)],
      }),
    ];
  },
};
