import { withObjects } from '../../mesh/view.ts';
import type { KubeObject, MeshView, Pod } from '../../model/mesh.ts';
import { decide } from '../../policy/decide.ts';
import type { Probe, ProbeDestination } from '../../policy/way/probe.ts';
import { USE_WAYPOINT_LABEL } from '../../policy/way/role.ts';
import { remembered } from '../../text/remembered.ts';

/** Kinds that decide about a connection on its way; of these only the ceiling itself counts. */
const DECIDING_KINDS: ReadonlySet<string> = new Set([
  'AuthorizationPolicy',
  'PeerAuthentication',
  'RequestAuthentication',
  'NetworkPolicy',
  'DestinationRule',
  'Sidecar',
]);

/**
 * Why a change goes beyond what may ever be allowed, one sentence about the first of the connections it newly allows that
 * the ceiling does not; null: all are below it. The ceiling is ALLOW policies in Istio's own language, asked as if they were
 * the only policies, and each client showed its own identity at the destination: no waypoint stands between. As in Istio a
 * destination that none of them selects is not bounded; one without rules in the root namespace bounds everything. A proxy
 * that does not know HTTP drops rules with HTTP fields, so they allow nothing there, nor do rules about tokens, which nobody
 * checks here; and what cannot be judged is not allowed. Expects a mesh that is known, and policies as `readCeiling` lets them through.
 */
export function aboveCeiling(allowed: readonly Probe[], ceiling: readonly KubeObject[], mesh: MeshView): string | null {
  const view = boundedView(mesh)(ceiling);
  for (const probe of allowed) {
    const { outcome, source, destination, because } = decide(view, {
      ...probe,
      destination: bounded(probe.destination),
    });
    const pair = `${source} to ${destination}`;
    if (outcome === 'deny') return `${pair} is more than may be allowed: ${because}`;
    if (outcome === 'unknown') return `${pair} cannot be judged by it, which counts as not allowed: ${because}`;
  }
  return null;
}

/** The view under one ceiling, made once: there are many findings. */
const boundedView = remembered((mesh: MeshView) =>
  remembered((ceiling: readonly KubeObject[]): MeshView => {
    const others = mesh.objects.filter(({ kind }) => !DECIDING_KINDS.has(kind));
    return {
      ...withObjects(mesh, [...others, ...ceiling]),
      namespaces: mesh.namespaces.map(withoutWaypoint),
      pods: mesh.pods.map(boundedPod),
    };
  }),
);

function bounded(destination: ProbeDestination): ProbeDestination {
  switch (destination.kind) {
    case 'pods':
      return { ...destination, pods: destination.pods.map(boundedPod) };
    case 'service':
      return { ...destination, service: withoutWaypoint(destination.service) };
    case 'address':
      return destination;
  }
}

/** No proxy guards a pod outside the mesh, and yet the ceiling holds there: as at a ztunnel. */
const boundedPod = remembered(
  (pod: Pod): Pod => ({ ...withoutWaypoint(pod), dataplane: pod.dataplane === 'none' ? 'ambient' : pod.dataplane }),
);

/** The same, with a label that says `none` if it named a waypoint. */
function withoutWaypoint<T extends { readonly labels: Readonly<Record<string, string>> }>(labelled: T): T {
  const { labels } = labelled;
  if (labels[USE_WAYPOINT_LABEL] === undefined) return labelled;
  return { ...labelled, labels: { ...labels, [USE_WAYPOINT_LABEL]: 'none' } };
}
