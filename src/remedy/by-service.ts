import type { MeshView } from '../model/mesh.ts';
import { enginesOf } from '../policy/way/compiled.ts';
import { serviceOf } from '../policy/way/endpoints.ts';
import type { Probe } from '../policy/way/probe.ts';
import { waypointOfService } from '../policy/way/waypoint.ts';

/**
 * The same call, addressed to the Service of the pod. Null: that is no other way, as no waypoint stands before the Service,
 * or a Service is what is called already.
 */
export function byService(probe: Probe, mesh: MeshView): Probe | null {
  const { destination } = probe;
  const [pod = null] = destination.kind === 'pods' ? destination.pods : [];
  if (pod === null || destination.kind !== 'pods') return null;
  const via = serviceOf(pod, destination.port, enginesOf(mesh));
  if (via === null || waypointOfService(via.service, mesh).kind === 'none') return null;
  return { ...probe, destination: { kind: 'service', ...via } };
}
