import type { MeshView, Pod } from '../model/mesh.ts';
import type { SpiffeId } from '../model/record.ts';
import { remembered } from '../text/remembered.ts';
import { identityParts } from '../text/spiffe.ts';

/** Labels by which Istio marks the pods of a waypoint (istio 86c9f01f pilot/pkg/config/kube/gateway/deploymentcontroller.go). */
const CLASS_LABEL = 'gateway.networking.k8s.io/gateway-class-name';
const WAYPOINT_CLASS = 'istio-waypoint';

/**
 * Whether an identity belongs to a waypoint: `known` by the mesh's objects, `named` when only its service account is called
 * like one (the default name is `waypoint`), null: no sign of it.
 */
export function waypointSign(identity: SpiffeId | null, mesh: MeshView): 'known' | 'named' | null {
  const parts = identity === null ? null : identityParts(identity);
  if (parts === null) return null;
  const { namespace, serviceAccount } = parts;
  const isPod = waypointAccounts(mesh.pods).has(`${namespace}/${serviceAccount}`);
  if (isPod || isWaypointGateway(mesh, namespace, serviceAccount)) return 'known';
  return /(?:^|-)waypoint$/.test(serviceAccount) ? 'named' : null;
}

/** The accounts of pods of waypoints, as `namespace/name`: looked up once for all views of the same pods. */
const waypointAccounts = remembered((pods: readonly Pod[]): ReadonlySet<string> => {
  const waypoints = pods.filter(({ labels }) => labels[CLASS_LABEL] === WAYPOINT_CLASS);
  return new Set(waypoints.map(({ namespace, serviceAccount }) => `${namespace}/${serviceAccount}`));
});

function isWaypointGateway(mesh: MeshView, namespace: string, name: string): boolean {
  const spec = mesh.object({ kind: 'Gateway', namespace, name })?.raw['spec'];
  return (
    typeof spec === 'object' && spec !== null && 'gatewayClassName' in spec && spec.gatewayClassName === WAYPOINT_CLASS
  );
}
