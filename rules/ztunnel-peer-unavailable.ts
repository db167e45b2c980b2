import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import { relayOf } from '../src/causes/ztunnel-hop.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { listPods, wordOr, ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** 503 on the CONNECT: the destination ztunnel (or a waypoint) could not reach the application. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-peer-unavailable',
    category: 'upstream',
    level: 'error',
    title: 'The destination could not reach its application',
    page: {
      meaning:
        'The tunnel request was allowed, but the ztunnel at the destination could not connect to the application on that port (or a waypoint has no endpoint behind it), and answered 503.',
      printedBy:
        'The ztunnel on the node of the caller. The destination\'s ztunnel prints the reason, mostly "connection failed: Connection refused".',
      confirm: [
        'kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix | grep "connection failed: " | grep DESTINATION_IP # its text says why the application was not reached',
        'kubectl -n DESTINATION_NAMESPACE get pods -o wide',
        'kubectl -n DESTINATION_NAMESPACE get endpointslices -l kubernetes.io/service-name=SERVICE',
        'kubectl -n DESTINATION_NAMESPACE exec POD -- ss -ltn',
      ],
      change:
        'Make the application listen on that port and on all addresses, or correct targetPort and the readiness probe.',
      never: 'Do not change AuthorizationPolicy or PeerAuthentication: nothing was denied.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy/inbound.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    const { record } = flow;
    const error = ztunnelErrorOf(record);
    if (error?.kind !== 'status' || error.values[0] !== '503') return null;
    const relay = relayOf(record);
    if (relay !== null) {
      return {
        certainty: 'possible',
        cause: `The waypoint or gateway ${relay} answered 503 to ${sourceName(record)}: it got no connection to what stands behind it. Why, a denial there or an application that is down, this line does not tell.`,
        unchecked: [
          'the reason: it stands in the log of the waypoint or gateway, and in that of the ztunnel behind it',
        ],
        subject: ['passed on'],
      } satisfies Match;
    }
    return {
      certainty: 'certain',
      cause: `The ztunnel at ${destinationName(record)} let ${sourceName(record)} pass, but could not connect to the application (503).`,
      unchecked: ['why: the inbound line of the ztunnel on the node of the destination says it'],
    } satisfies Match;
  },
  propose(finding, mesh) {
    const namespace = wordOr(finding.destination.namespace, 'DESTINATION_NAMESPACE');
    return [
      step(
        'configuration',
        'Repair the workload: let it listen on the port, and make Service targetPort and readiness agree with it.',
        {
          confirm: [
            listPods(finding.destination.namespace),
            `kubectl -n ${namespace} get endpointslices`,
            ztunnelLogs(mesh, 'connection failed: '),
          ],
        },
      ),
    ];
  },
};
