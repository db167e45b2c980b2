import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { listEndpoints } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** The request inside an HBONE tunnel saw the tunnel end; the line of the tunnel has the reason. */
export const rule: Rule = {
  meta: {
    id: 'envoy-tunnel-closed',
    category: 'upstream',
    level: 'warning',
    title: 'The tunnel to the destination ended before an answer came',
    page: {
      meaning:
        'The request travelled in an HBONE tunnel to an ambient pod and the tunnel ended before an answer came: the ztunnel there refused it (policy), could not reach the application, or could not be reached itself. This line cannot tell which.',
      printedBy:
        'A waypoint or sidecar, with the upstream host envoy://connect_originate/POD:PORT. The line with the cluster connect_originate and the same POD:PORT, printed at the same moment, has the reason; so has the ztunnel of the destination.',
      confirm: [
        'kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix | grep POD_IP',
        'kubectl -n NAMESPACE logs POD -c istio-proxy | grep connect_originate',
      ],
      change:
        'Follow the line of the tunnel: 401 and 403 are a policy at the other end, 503 the application, refused or timed out the network.',
      never:
        'Do not change policies on the strength of this line alone: a denial, a crash and a lost network end a tunnel in the same way here.',
    },
    cites: ['istio 86c9f01f pilot/pkg/networking/core/waypoint.go', 'envoy 1.37 source/common/router/router.cc'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'tunnel-closed') return null;
    return {
      certainty: 'possible',
      cause: `The tunnel to ${calledName(record)} ended before an answer came: its application or ztunnel failed, or the ztunnel refused the tunnel.`,
      intended: 'unknown',
      unchecked: [
        'Why: the line with the cluster connect_originate, or the ztunnel on the node of the destination, says it.',
      ],
    };
  },
  propose({ destination }, mesh) {
    return [
      step('investigate', 'Read what the ztunnel on the node of the destination says about this connection.', {
        confirm: [ztunnelLogs(mesh, destination.address), listEndpoints(destination)],
      }),
    ];
  },
};
