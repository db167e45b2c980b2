import type { MeshView, Pod, Service } from '../../model/mesh.ts';
import { isRecord } from '../../text/kube-object.ts';
import { hasLabels } from '../../text/labels.ts';
import { listOf, valueAt } from '../../text/untyped.ts';
import type { MeshEngines } from './engines.ts';

/** A pod that answers for a Service, at its own port. */
export interface Endpoint {
  readonly pod: Pod;
  readonly port: number;
}

/** The pods behind a Service's port, or why there is none. `unknown`: the mesh does not tell whether there are any. */
export type Endpoints =
  | { readonly kind: 'endpoints'; readonly endpoints: readonly Endpoint[] }
  | { readonly kind: 'none'; readonly because: string }
  | { readonly kind: 'unknown'; readonly because: string };

/**
 * Ready pods that the Service selects, with the port that `targetPort` leads to in each. Without any pod in the mesh given,
 * whether there are some is not known.
 */
export function endpointsOf(service: Service, port: number, engines: MeshEngines): Endpoints {
  const name = `${service.namespace}/${service.name}`;
  const found = service.ports.find((candidate) => candidate.port === port);
  if (found === undefined) {
    const ports = service.ports.map((candidate) => candidate.port).join(', ');
    return { kind: 'none', because: `Service ${name} has no port ${port}, only ${ports || 'none'}` };
  }
  const pods = engines.selectedBy(service);
  if (pods === null)
    return { kind: 'unknown', because: `Service ${name} has no selector: its endpoints are not known` };
  if (engines.podsIn(service.namespace).length === 0) {
    return { kind: 'unknown', because: `no pod of namespace ${service.namespace} is known` };
  }
  if (pods.length === 0) return { kind: 'none', because: `Service ${name} selects no pod that is known` };
  const ready = pods.filter((pod) => isReady(pod, engines.mesh));
  if (ready.length === 0) return { kind: 'none', because: `no pod of Service ${name} is ready` };
  const endpoints = ready.flatMap((pod) => {
    const target = podPort(pod, found.targetPort);
    return target === null ? [] : [{ pod, port: target }];
  });
  if (endpoints.length > 0) return { kind: 'endpoints', endpoints };
  return { kind: 'none', because: `no pod of Service ${name} has a port named ${found.targetPort}` };
}

function podPort(pod: Pod, target: number | string): number | null {
  if (typeof target === 'number') return target;
  return pod.ports.find(({ name }) => name === target)?.port ?? null;
}

/** A pod whose conditions say nothing counts as ready: manifests have none. */
function isReady(pod: Pod, mesh: MeshView): boolean {
  const object = mesh.object({ kind: 'Pod', namespace: pod.namespace, name: pod.name });
  const conditions = listOf(valueAt(object?.raw, 'status', 'conditions')).filter(isRecord);
  return conditions.find(({ type }) => type === 'Ready')?.['status'] !== 'False';
}

/** A Service through which a pod's port is reached, and the Service's own port; null: none leads there. */
export function serviceOf(
  pod: Pod,
  port: number,
  engines: MeshEngines,
): { readonly service: Service; readonly port: number } | null {
  for (const service of engines.servicesIn(pod.namespace)) {
    if (!selects(service, pod)) continue;
    const found = service.ports.find(({ targetPort }) => podPort(pod, targetPort) === port);
    if (found !== undefined) return { service, port: found.port };
  }
  return null;
}

function selects({ selector }: Service, { labels }: Pod): boolean {
  return selector !== null && hasLabels(labels, selector);
}

/** `clusterIP: None`. */
export function isHeadless(service: Service, mesh: MeshView): boolean {
  const object = mesh.object({ kind: 'Service', namespace: service.namespace, name: service.name });
  return valueAt(object?.raw, 'spec', 'clusterIP') === 'None';
}
