import type { MeshView, Pod } from '../../model/mesh.ts';
import { hasLabels } from '../../text/labels.ts';
import { remembered } from '../../text/remembered.ts';
import { byAge } from '../envoy/bind.ts';
import { type MeshService, readServices } from '../envoy/services.ts';

const servicesByNamespace = remembered((mesh: MeshView): ReadonlyMap<string, readonly MeshService[]> => {
  const index = new Map<string, MeshService[]>();
  for (const service of readServices(mesh.objectsOf('Service')).toSorted(byAge)) {
    const list = index.get(service.ref.namespace);
    if (list === undefined) index.set(service.ref.namespace, [service]);
    else list.push(service);
  }
  return index;
});

/** Ports of Services that lead to a pod: the pod's own port (a name that it does not have is left out), and the Service's. */
export interface LedPort {
  readonly service: MeshService;
  readonly port: number;
  readonly podPort: number;
  readonly protocol: MeshService['ports'][number]['protocol'];
}

/** How Services lead to a pod, the oldest first, whose protocol counts. */
export function portsLeadingTo(pod: Pod, mesh: MeshView): readonly LedPort[] {
  const services = (servicesByNamespace(mesh).get(pod.namespace) ?? []).filter(
    ({ selector }) => selector !== null && Object.keys(selector).length > 0 && hasLabels(pod.labels, selector),
  );
  return services.flatMap((service) =>
    service.ports.flatMap(({ port, targetPort, protocol }) => {
      const podPort =
        typeof targetPort === 'string' ? pod.ports.find(({ name }) => name === targetPort)?.port : targetPort;
      return podPort === undefined ? [] : [{ service, port, podPort: podPort ?? port, protocol }];
    }),
  );
}

/** Ports of a pod that are declared as TCP. */
export function tcpPortsOf(pod: Pod, mesh: MeshView): readonly number[] {
  const seen = new Set<number>();
  return portsLeadingTo(pod, mesh).flatMap(({ podPort, protocol }) => {
    if (seen.has(podPort)) return [];
    seen.add(podPort);
    return protocol === 'tcp' ? [podPort] : [];
  });
}
