import type { MeshView, Pod } from '../../model/mesh.ts';
import { hasLabels } from '../../text/labels.ts';
import { textMapOf, textOf, valueAt } from '../../text/untyped.ts';
import { containersOf } from './labels.ts';

/** What a pod is for: an application, or nothing but a proxy. */
export type PodRole = 'application' | 'gateway' | 'waypoint';

/** Put on pods of a Gateway of gateway.networking.k8s.io by whoever deploys them. */
export const GATEWAY_NAME_LABEL = 'gateway.networking.k8s.io/gateway-name';
/** Names the waypoint of a namespace, Service or pod. */
export const USE_WAYPOINT_LABEL = 'istio.io/use-waypoint';
const GATEWAY_CLASS_LABEL = 'gateway.networking.k8s.io/gateway-class-name';
const MANAGED_LABEL = 'gateway.istio.io/managed';
const WAYPOINT_CONTROLLER = 'istio.io-mesh-controller';
const WAYPOINT_CLASS = 'istio-waypoint';

/** Tells gateways and waypoints from applications, by labels, Gateways and containers (istio 86c9f01f pilot/pkg/config/kube/gateway). */
export function roleOf(pod: Pod, mesh: MeshView): PodRole {
  const name = pod.labels[GATEWAY_NAME_LABEL];
  if (name !== undefined) return isWaypointPod(pod, name, mesh) ? 'waypoint' : 'gateway';
  if (pod.dataplane !== 'sidecar') return 'application';
  const containers = containersOf(pod, mesh);
  if (containers.length > 0)
    return containers.every((container) => container === 'istio-proxy') ? 'gateway' : 'application';
  return mesh.objectsOf('Gateway').some(({ raw }) => picks(textMapOf(valueAt(raw, 'spec', 'selector')), pod))
    ? 'gateway'
    : 'application';
}

function isWaypointPod(pod: Pod, name: string, mesh: MeshView): boolean {
  const gatewayClass = pod.labels[GATEWAY_CLASS_LABEL] ?? gatewayClassOf(pod.namespace, name, mesh);
  if (gatewayClass !== null) return gatewayClass === WAYPOINT_CLASS;
  if (pod.labels[MANAGED_LABEL] === WAYPOINT_CONTROLLER) return true;
  // Neither the Gateway nor a telling label is known: whoever is named as a waypoint is one.
  const labelled = [...mesh.namespaces, ...mesh.services, ...mesh.pods];
  return labelled.some(({ labels }) => labels[USE_WAYPOINT_LABEL] === name);
}

/** `gatewayClassName` of a Gateway of gateway.networking.k8s.io; null: there is none of that name. */
export function gatewayClassOf(namespace: string, name: string, mesh: MeshView): string | null {
  const gateway = mesh
    .objectsOf('Gateway', namespace)
    .find(({ apiVersion, metadata }) => metadata.name === name && isGatewayApi(apiVersion));
  return gateway === undefined ? null : (textOf(valueAt(gateway.raw, 'spec', 'gatewayClassName')) ?? '');
}

/** Gateways exist in two API groups; only these can be waypoints. */
export function isGatewayApi(apiVersion: string): boolean {
  return apiVersion.startsWith('gateway.networking.k8s.io/');
}

function picks(selector: Readonly<Record<string, string>>, { labels }: Pod): boolean {
  return Object.keys(selector).length > 0 && hasLabels(labels, selector);
}
