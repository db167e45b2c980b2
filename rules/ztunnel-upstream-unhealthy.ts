import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import type { MeshView, Service } from '../src/model/mesh.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { parseHostPort } from '../src/text/address.ts';
import { sourceName } from '../src/text/ends.ts';

/** The Service is known, but has no endpoint for this port. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-upstream-unhealthy',
    category: 'upstream',
    level: 'error',
    title: 'The Service had no usable endpoint',
    page: {
      meaning:
        'ztunnel knows the Service that was called but has no endpoint it could use: no pod is Ready, the Service does not have that port, targetPort names a container port that does not exist, or all endpoints are in places that are ruled out.',
      printedBy:
        'The ztunnel on the node of the caller ("connection failed", with the address and port of the Service).',
      confirm: [
        'kubectl get services -A -o wide | grep DESTINATION_ADDRESS',
        'kubectl -n DESTINATION_NAMESPACE get endpointslices -l kubernetes.io/service-name=SERVICE',
        'kubectl -n DESTINATION_NAMESPACE get pods -o wide',
      ],
      change:
        'Make pods Ready, or correct the port that the caller uses, the ports of the Service, its selector or targetPort.',
      never: 'Do not change AuthorizationPolicy or PeerAuthentication: nothing was denied, nothing was even called.',
    },
    cites: ['istio/ztunnel 62d82653 src/state.rs', 'istio/ztunnel#1137'],
  },
  on: ['ztunnel/connection'],
  match(flow, mesh) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'upstream-unhealthy') return null;
    const [target = ''] = error.values;
    const service = serviceAt(mesh, target);
    const missing = service !== null && !hasPort(service, target);
    const name = service === null ? target : `${service.namespace}/${service.name}`;
    return {
      certainty: 'certain',
      cause: missing
        ? `${sourceName(flow.record)} called ${target}, but the Service ${name} does not have that port.`
        : `${sourceName(flow.record)} called ${name}, which has no usable endpoint on that port: no Ready pod, or the Service lacks the port.`,
      subject: [target],
    } satisfies Match;
  },
  propose(finding) {
    const namespace = wordOr(finding.destination.namespace, 'DESTINATION_NAMESPACE');
    return [
      step('configuration', 'Give the Service a Ready endpoint for that port, or correct the port that is called.', {
        confirm: [
          `kubectl get services -A -o wide | grep -F ${wordOr(finding.destination.address, 'DESTINATION_ADDRESS')}`,
          `kubectl -n ${namespace} get services,endpointslices -o wide`,
          `kubectl -n ${namespace} get pods -o wide`,
        ],
      }),
    ];
  },
};

function serviceAt(mesh: MeshView, target: string): Service | null {
  const host = parseHostPort(target)?.host;
  return host === undefined ? null : mesh.serviceByIp(host);
}

function hasPort(service: Service, target: string): boolean {
  const asked = parseHostPort(target)?.port ?? null;
  return service.ports.some(({ port }) => port === asked);
}
