import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { dialledAddress } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { applicationLogs, listEndpoints } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** ztunnel at the destination answered the CONNECT with another status than 401 or 403. */
export const rule: Rule = {
  meta: {
    id: 'envoy-tunnel-failed',
    category: 'upstream',
    level: 'error',
    title: 'The ztunnel of the destination could not complete the tunnel',
    page: {
      meaning:
        'The ztunnel of the destination took the CONNECT and answered with an error: 503 when it could not connect to the application in the pod, 400 when the address is not one of its pods. Older Envoys do not print the status.',
      printedBy: 'The proxy that opens the tunnel (mostly a waypoint), as a line with the cluster connect_originate.',
      confirm: [
        'kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix | grep POD_IP',
        'kubectl -n NAMESPACE get pods -o wide',
      ],
      change:
        '503: repair the application (nothing listens on the port). 400: the endpoint is stale; look at istiod and the endpoints of the Service.',
      never: 'Do not change policies: a denial is 401 or 403, and these statuses mean that the tunnel was let through.',
    },
    cites: ['envoy 1.39 source/common/tcp_proxy/tcp_proxy.cc', 'istio/ztunnel 62d82653 src/proxy/inbound.rs'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'tunnel-failed') return null;
    return {
      certainty: failure.certainty === 'certain' ? 'likely' : failure.certainty,
      cause: `The ztunnel of ${dialledAddress(record) ?? 'the destination'} did not complete the tunnel (${failure.text}): it could not reach the application, or the address is not its pod.`,
      intended: 'no',
      subject: [failure.text],
    };
  },
  propose({ destination }, mesh) {
    return [
      step(
        'investigate',
        'Read the line of the ztunnel on the node of the destination; it says what it could not reach.',
        {
          confirm: [ztunnelLogs(mesh, destination.address), listEndpoints(destination), applicationLogs(destination)],
        },
      ),
    ];
  },
};
