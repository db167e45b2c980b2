import fc from 'fast-check';
import { createMesh } from '../src/mesh/view.ts';
import type { MeshView } from '../src/model/mesh.ts';
import { type NaiveNetworkPolicy, type NaivePod, naivePasses } from './naive-network.ts';
import {
  authorizations,
  bySelector,
  type Call,
  identityOfPod,
  namespaceObjects,
  type Peer,
  PORTS,
  peerAuthentications,
  podObject,
  podOf,
  type World,
  ztunnelLine,
  ztunnelRefusal,
} from './random-world.ts';

const CALLERS = ['shop/web', 'shop/cart', 'ops/monitor', 'pay/api', 'legacy/cron'];
const DESTINATIONS = ['pay/api', 'pay/ledger'];
const PLACES: readonly string[] = [...new Set([...CALLERS, ...DESTINATIONS])];
const HBONE = 15_008;

const peer = fc.constantFrom<object>(
  { podSelector: { matchLabels: { app: 'api' } } },
  { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'shop' } } },
  {
    namespaceSelector: { matchExpressions: [{ key: 'team', operator: 'In', values: ['a', 'b'] }] },
    podSelector: { matchLabels: { app: 'web' } },
  },
  { namespaceSelector: {} },
  { namespaceSelector: { matchExpressions: [{ key: 'team', operator: 'Exists' }] } },
  { ipBlock: { cidr: '10.0.0.0/24', except: ['10.0.0.10/31'] } },
  { ipBlock: { cidr: '10.0.0.12/30' } },
);
const port = fc.constantFrom<object>(
  { port: 8080 },
  { protocol: 'TCP', port: 9090 },
  { port: 8080, endPort: 9090 },
  { port: HBONE },
  { protocol: 'UDP', port: 8080 },
);

function ruleOf(peers: 'from' | 'to'): fc.Arbitrary<object> {
  const some = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(item, { maxLength: 2 });
  return fc.tuple(some(peer), some(port)).map(([who, ports]) => ({
    ...(who.length === 0 ? {} : { [peers]: who }),
    ...(ports.length === 0 ? {} : { ports }),
  }));
}

const ingress = fc.array(ruleOf('from'), { maxLength: 2 });
const egress = fc.array(ruleOf('to'), { maxLength: 2 });

const networkPolicies = fc
  .array(
    fc.record({
      selected: fc.constantFrom('', 'api', 'ledger', 'web'),
      spec: fc.oneof(
        ingress.map((rules) => ({ namespace: 'pay', spec: { policyTypes: ['Ingress'], ingress: rules } })),
        egress.map((rules) => ({ namespace: 'shop', spec: { policyTypes: ['Egress'], egress: rules } })),
        fc.tuple(ingress, egress).map(([into, out]) => ({ namespace: 'pay', spec: { ingress: into, egress: out } })),
      ),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((policies) =>
    policies.map(({ selected, spec: { namespace, spec } }, index) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: `n${index}`, namespace },
      spec: { podSelector: selected === '' ? {} : { matchLabels: { app: selected } }, ...spec },
    })),
  );

function naivePod(mesh: MeshView, place: string): NaivePod {
  const { namespace, labels, ips } = podOf(mesh, place);
  const own = mesh.namespaces.find(({ name }) => name === namespace)?.labels ?? {};
  return { namespace, labels, ip: ips[0] ?? '', namespaceLabels: { ...own, 'kubernetes.io/metadata.name': namespace } };
}

/** What is spoken on the wire between pods in ambient mode: a tunnel. */
function isTunnel(mesh: MeshView, { caller, destination }: Call): boolean {
  return [caller, destination].every((place) => podOf(mesh, place).dataplane === 'ambient');
}

function passes(mesh: MeshView, call: Call): boolean {
  const policies = mesh.objectsOf('NetworkPolicy').map(({ raw }) => raw as unknown as NaiveNetworkPolicy);
  const [from, to] = [naivePod(mesh, call.caller), naivePod(mesh, call.destination)];
  return naivePasses(policies, from, to, isTunnel(mesh, call) ? HBONE : call.port);
}

function peerOf(mesh: MeshView, { caller }: Call): Peer {
  const pod = podOf(mesh, caller);
  return { pod, identity: identityOfPod(pod) };
}

function refusal(mesh: MeshView, call: Call): string | null {
  if (passes(mesh, call)) return ztunnelRefusal(mesh, peerOf(mesh, call), podOf(mesh, call.destination), call.port);
  return isTunnel(mesh, call)
    ? 'connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: deadline has elapsed'
    : 'io error: deadline has elapsed';
}

/** The line of the ztunnel that knows why: the caller's where nothing arrives. Who has none logs nothing then. */
function logLine(mesh: MeshView, call: Call): string | null {
  const [from, direction] = [peerOf(mesh, call), passes(mesh, call) ? 'inbound' : 'outbound'] as const;
  if (direction === 'outbound' && from.identity === null) return null;
  return ztunnelLine(from, podOf(mesh, call.destination), call.port, direction, refusal(mesh, call));
}

function meshOf(policies: readonly unknown[]): MeshView {
  const ambient = { 'istio.io/dataplane-mode': 'ambient' };
  return createMesh([
    ...namespaceObjects({ shop: { ...ambient, team: 'a' }, ops: { ...ambient, team: 'c' }, pay: ambient, legacy: {} }),
    ...PLACES.map((place, index) => podObject(place, index)),
    ...policies,
  ]);
}

/** Pods in ambient mode, some without, with NetworkPolicies on the way and policies at ztunnel. */
export const networkWorld: World = {
  space: CALLERS.flatMap((caller) =>
    DESTINATIONS.filter((destination) => destination !== caller).flatMap((destination) =>
      PORTS.map((each) => ({ caller, destination, port: each, viaService: false, request: null })),
    ),
  ),
  policies: fc
    .tuple(networkPolicies, authorizations('p', CALLERS, bySelector, { maxLength: 2 }), peerAuthentications)
    .map((parts) => parts.flat()),
  meshOf,
  verdict: (mesh, call) => (refusal(mesh, call) === null ? 'allow' : 'deny'),
  seen: (mesh, call) => (refusal(mesh, call) === null ? 'allow' : 'deny'),
  logLine,
  destinationsOf: ({ destination }) => [destination],
};
