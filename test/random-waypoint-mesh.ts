import fc from 'fast-check';
import { createMesh } from '../src/mesh/view.ts';
import type { MeshView } from '../src/model/mesh.ts';
import { naiveDecide } from './naive-envoy.ts';
import { envoyRequest } from './random-sidecar-mesh.ts';
import {
  authorizations,
  type Binding,
  bySelector,
  type Call,
  identityOfPod,
  namespaceObjects,
  type Peer,
  peerAuthentications,
  podObject,
  podOf,
  policiesAtWaypoint,
  serviceIp,
  serviceObject,
  spaceOf,
  split,
  TRUST_DOMAIN,
  type World,
  ztunnelLine,
  ztunnelRefusal,
} from './random-world.ts';

const CALLERS = ['shop/web', 'ops/monitor', 'pay/api', 'legacy/cron'];
const DESTINATIONS = ['pay/api', 'pay/ledger'];
const WAYPOINT = 'pay/waypoint';
const PLACES: readonly string[] = [...new Set([...CALLERS, ...DESTINATIONS, WAYPOINT])];
/** Rules name the waypoint too: it is what ztunnel sees behind it. */
const NAMED = [...CALLERS, WAYPOINT, WAYPOINT];

const byReference: fc.Arbitrary<Binding> = fc.constantFrom(
  ...[
    { group: '', kind: 'Service', name: 'api' },
    { group: '', kind: 'Service', name: 'ledger' },
    { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'waypoint' },
  ].map((target) => ({ namespace: 'pay', spec: { targetRefs: [target] } })),
);

function peerOf(mesh: MeshView, place: string): Peer {
  const pod = podOf(mesh, place);
  return { pod, identity: identityOfPod(pod) };
}

/** Only ztunnel uses a waypoint, and only on the way to a Service. */
function isThroughWaypoint(mesh: MeshView, { caller, viaService }: Call): boolean {
  return viaService && podOf(mesh, caller).dataplane === 'ambient';
}

/** Why the waypoint refuses; null: it does not, or is not on the way. */
function atWaypoint(mesh: MeshView, call: Call): string | null {
  if (!isThroughWaypoint(mesh, call)) return null;
  // Its peer has no address that a policy could name (reference/envoy.md, ipBlocks).
  const request = envoyRequest(call, identityOfPod(podOf(mesh, call.caller)), '');
  return naiveDecide(policiesAtWaypoint(mesh, call.destination, WAYPOINT), request, { trustDomains: [TRUST_DOMAIN] });
}

/** Why the destination's ztunnel refuses whom it sees. */
function atZtunnel(mesh: MeshView, call: Call): string | null {
  const seen = isThroughWaypoint(mesh, call) ? WAYPOINT : call.caller;
  return ztunnelRefusal(mesh, peerOf(mesh, seen), podOf(mesh, call.destination), call.port);
}

function verdict(mesh: MeshView, call: Call): 'allow' | 'deny' {
  return atWaypoint(mesh, call) === null && atZtunnel(mesh, call) === null ? 'allow' : 'deny';
}

/** The waypoint's line, in Istio's default format. */
function waypointLine(mesh: MeshView, call: Call, policy: string | null): string {
  const { caller, destination, port, request } = call;
  const [namespace, name] = split(destination);
  const [from, to] = [podOf(mesh, caller), podOf(mesh, destination)];
  const host = `${name}.${namespace}.svc.cluster.local`;
  const cluster = `inbound-vip|${port}|${request === null ? 'tcp' : 'http'}|${host}`;
  const ends = `${serviceIp(PLACES.indexOf(destination))}:${port} ${from.ips[0]}:40000 -`;
  const upstream = `"envoy://connect_originate/${to.ips[0]}:${port}" ${cluster} envoy://internal_client_address/`;
  const why = policy === null ? null : `rbac_access_denied_matched_policy[${policy}]`;
  const time = '[2026-01-02T03:04:05.000Z]';
  if (request === null) {
    return `${time} "- - -" 0 - - ${why ?? '-'} "-" 11 ${why === null ? 11 : 0} 1 - "-" "-" "-" "-" ${upstream} ${ends} -`;
  }
  const asked = `"-" "curl/8.5.0" "60440eee-881d-4c1e-9b7a-a1b200003465" "${name}.${namespace}:${port}"`;
  const answer = why === null ? '200 - via_upstream - "-" 0 2 2 1' : `403 - ${why} - "-" 0 19 0 -`;
  const reached = why === null ? upstream : `"-" ${cluster} -`;
  return `${time} "${request.method} ${request.path} HTTP/1.1" ${answer} ${asked} ${reached} ${ends} default`;
}

/** The line of whoever refuses; of what gets through, that of the waypoint where one is on the way. */
function logLine(mesh: MeshView, call: Call): string {
  const [policy, error] = [atWaypoint(mesh, call), atZtunnel(mesh, call)];
  const isWaypoint = isThroughWaypoint(mesh, call);
  if (isWaypoint && (policy !== null || error === null)) return waypointLine(mesh, call, policy);
  const seen = isWaypoint ? WAYPOINT : call.caller;
  return ztunnelLine(peerOf(mesh, seen), podOf(mesh, call.destination), call.port, 'inbound', error);
}

function meshOf(policies: readonly unknown[]): MeshView {
  const ambient = { 'istio.io/dataplane-mode': 'ambient' };
  const waypoint = {
    labels: {
      'gateway.networking.k8s.io/gateway-name': 'waypoint',
      'gateway.istio.io/managed': 'istio.io-mesh-controller',
      'istio.io/dataplane-mode': 'none',
    },
    annotations: { 'sidecar.istio.io/status': '{}' },
  };
  return createMesh([
    ...namespaceObjects({
      shop: ambient,
      ops: ambient,
      pay: { ...ambient, 'istio.io/use-waypoint': 'waypoint' },
      legacy: {},
    }),
    ...PLACES.map((place, index) =>
      place === WAYPOINT ? podObject(place, index, waypoint, 'istio-proxy') : podObject(place, index),
    ),
    ...PLACES.map((place, index) => [place, serviceObject(place, index)] as const).flatMap(([place, service]) =>
      DESTINATIONS.includes(place) ? [service] : [],
    ),
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name: 'waypoint', namespace: 'pay', labels: { 'istio.io/waypoint-for': 'service' } },
      spec: {
        gatewayClassName: 'istio-waypoint',
        listeners: [{ name: 'mesh', port: 15_008, protocol: 'HBONE' }],
      },
    },
    ...policies,
  ]);
}

/** Pods in ambient mode behind the waypoint of their namespace, with policies at the waypoint and at ztunnel. */
export const waypointWorld: World = {
  space: spaceOf(CALLERS, DESTINATIONS, [true, false]),
  policies: fc
    .tuple(
      authorizations('p', NAMED, bySelector, { maxLength: 2 }),
      authorizations('w', CALLERS, byReference, { maxLength: 2 }),
      peerAuthentications,
    )
    .map((parts) => parts.flat()),
  meshOf,
  verdict,
  // Behind a waypoint nobody sees who called it. Who comes into the mesh uses Services.
  seen: (mesh, call, was) => {
    const [before, after] = [was, mesh].map((each) => podOf(each, call.caller).dataplane);
    if (before !== after) return verdict(mesh, { ...call, viaService: true });
    if (atWaypoint(was, call) !== null) return verdict(mesh, call);
    return atZtunnel(mesh, call) === null ? 'allow' : 'deny';
  },
  logLine,
  destinationsOf: ({ destination, viaService }) => {
    const [namespace, name] = split(destination);
    return viaService ? [`${name}.${namespace}.svc.cluster.local`] : [destination];
  },
};
