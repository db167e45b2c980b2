import type { MeshView, Pod } from '../../model/mesh.ts';
import { grouped } from '../../text/grouped.ts';
import { hasLabels } from '../../text/labels.ts';
import { remembered } from '../../text/remembered.ts';
import { byAge } from '../envoy/bind.ts';
import { type MeshService, readServices } from '../envoy/services.ts';

const servicesByNamespace = remembered(
  (mesh: MeshView): ReadonlyMap<string, readonly MeshService[]> =>
    grouped(readServices(mesh.objectsOf('Service')).toSorted(byAge), ({ ref }) => ref.namespace),
);

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

/**
 * The port of the pods that their Services lead to by a port that was written: the port of a Service was taken for one of the
 * pods. Null: it is a port of theirs, or nothing leads on from it.
 */
export function podPortMeant(port: number, pods: readonly Pod[], mesh: MeshView): number | null {
  if (pods.some((pod) => pod.ports.some((own) => own.port === port))) return null;
  const led = pods.flatMap((pod) => portsLeadingTo(pod, mesh));
  if (led.some(({ podPort }) => podPort === port)) return null;
  const targets = new Set(led.filter((one) => one.port === port).map(({ podPort }) => podPort));
  const [target] = targets;
  return targets.size === 1 && target !== undefined ? target : null;
}
