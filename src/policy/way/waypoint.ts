import type { KubeObject, MeshView, Pod, Service } from '../../model/mesh.ts';
import { nameOf } from '../../text/object-ref.ts';
import { remembered } from '../../text/remembered.ts';
import { listOf, textMapOf, textOf, valueAt } from '../../text/untyped.ts';
import { GATEWAY_NAME_LABEL, gatewayClassOf, isGatewayApi, USE_WAYPOINT_LABEL } from './role.ts';

/** A waypoint: one of its pods, or, where none is known, what istiod would deploy for its Gateway. */
export interface Waypoint {
  /** `namespace/name` of the Gateway. */
  readonly name: string;
  readonly pod: Pod;
}

/** Which waypoint a destination has. `unknown`: one is asked for, and whether it exists the mesh does not tell. */
export type WaypointAnswer =
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown'; readonly name: string }
  | { readonly kind: 'waypoint'; readonly waypoint: Waypoint };

const NONE: WaypointAnswer = { kind: 'none' };
const WAYPOINT_FOR_LABEL = 'istio.io/waypoint-for';
const WAYPOINT_CLASS = 'istio-waypoint';

/** What is addressed: a Service, or a pod itself. */
type Traffic = 'service' | 'workload';
type Labels = Readonly<Record<string, string>>;

/** The waypoint for traffic that is addressed to a Service. */
export function waypointOfService(service: Service, mesh: MeshView): WaypointAnswer {
  return waypointOf(service, 'service', mesh);
}

/** The waypoint for traffic that is addressed to a pod itself. */
export function waypointOfPod(pod: Pod, mesh: MeshView): WaypointAnswer {
  return waypointOf(pod, 'workload', mesh);
}

/** Whether gateways, too, go through the waypoint of a Service: they do not unless a label asks for it. */
export function ingressUsesWaypoint(service: Service, mesh: MeshView): boolean {
  const label = 'istio.io/ingress-use-waypoint';
  return (service.labels[label] ?? namespaceLabels(service.namespace, mesh)[label]) === 'true';
}

/**
 * The label of the target counts, else that of its namespace; `none` means none. A waypoint that does not exist, that does
 * not take this sort of traffic, or does not let this namespace attach is left out, and traffic goes on without it (istio
 * 86c9f01f pilot/pkg/serviceregistry/ambient/waypoints.go).
 */
function waypointOf(
  target: { readonly namespace: string; readonly labels: Labels },
  traffic: Traffic,
  mesh: MeshView,
): WaypointAnswer {
  const inherited = namespaceLabels(target.namespace, mesh);
  const labels = target.labels[USE_WAYPOINT_LABEL] === undefined ? inherited : target.labels;
  const name = labels[USE_WAYPOINT_LABEL] ?? 'none';
  if (name === '' || name === 'none') return NONE;
  const namespace = labels[`${USE_WAYPOINT_LABEL}-namespace`] ?? target.namespace;
  const gateways = mesh.objectsOf('Gateway').filter(({ apiVersion }) => isGatewayApi(apiVersion));
  const gateway = gateways.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
  const pod = mesh.pods.find((one) => one.namespace === namespace && one.labels[GATEWAY_NAME_LABEL] === name) ?? null;
  if (gateway === undefined) return withoutGateway({ namespace, name }, pod, traffic, gateways.length > 0);
  const attaches =
    gatewayClassOf(namespace, name, mesh) === WAYPOINT_CLASS &&
    takes(gateway, traffic) &&
    letsAttach(gateway, target.namespace, inherited);
  return attaches ? found(gateway.metadata, pod ?? deployedPod(gateway)) : NONE;
}

function found(name: { readonly namespace: string; readonly name: string }, pod: Pod): WaypointAnswer {
  return { kind: 'waypoint', waypoint: { name: nameOf(name), pod } };
}

/** A pod proves that there is a waypoint, of which it is then supposed that it takes what waypoints usually do. */
function withoutGateway(
  name: { readonly namespace: string; readonly name: string },
  pod: Pod | null,
  traffic: Traffic,
  gatewaysKnown: boolean,
): WaypointAnswer {
  if (pod !== null) return traffic === 'service' ? found(name, pod) : NONE;
  return gatewaysKnown ? NONE : { kind: 'unknown', name: nameOf(name) };
}

function namespaceLabels(namespace: string, mesh: MeshView): Labels {
  return labelsByNamespace(mesh.namespaces).get(namespace) ?? {};
}

const labelsByNamespace = remembered(
  (namespaces: MeshView['namespaces']): ReadonlyMap<string, Labels> =>
    new Map(namespaces.toReversed().map(({ name, labels }) => [name, labels])),
);

function takes({ metadata }: KubeObject, traffic: Traffic): boolean {
  const wanted = metadata.labels?.[WAYPOINT_FOR_LABEL] ?? 'service';
  return wanted === 'all' || wanted === traffic;
}

/** `allowedRoutes.namespaces` of the listeners: only its own namespace unless it says otherwise. */
function letsAttach({ raw, metadata }: KubeObject, namespace: string, labels: Labels): boolean {
  if (metadata.namespace === namespace) return true;
  return listOf(valueAt(raw, 'spec', 'listeners')).some((listener) => {
    const namespaces = valueAt(listener, 'allowedRoutes', 'namespaces');
    const from = valueAt(namespaces, 'from');
    if (from !== 'Selector') return from === 'All';
    const known: Labels = { ...labels, 'kubernetes.io/metadata.name': namespace };
    return Object.entries(textMapOf(valueAt(namespaces, 'selector', 'matchLabels'))).every(
      ([key, value]) => known[key] === value,
    );
  });
}

/** istiod names Deployment and service account after the Gateway (istio 86c9f01f manifests/charts/istio-control/istio-discovery/files/waypoint.yaml). */
function deployedPod({ metadata, raw }: KubeObject): Pod {
  const { name, namespace } = metadata;
  return {
    name,
    namespace,
    ips: [],
    labels: {
      [GATEWAY_NAME_LABEL]: name,
      'gateway.networking.k8s.io/gateway-class-name': textOf(valueAt(raw, 'spec', 'gatewayClassName')) ?? '',
    },
    serviceAccount: name,
    node: null,
    hostNetwork: false,
    dataplane: 'sidecar',
    ports: [],
  };
}
