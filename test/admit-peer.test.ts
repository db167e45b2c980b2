import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMesh } from '../src/mesh/view.ts';
import { UNKNOWN_ORIGIN } from '../src/model/line.ts';
import type { MeshView, Pod } from '../src/model/mesh.ts';
import { type ConnectionRecord, UNKNOWN_PEER } from '../src/model/record.ts';
import { decideNetwork } from '../src/policy/network-policy.ts';
import { applyChanges } from '../src/remedy/apply.ts';
import { admitPeer } from '../src/remedy/edits/admit-peer.ts';
import { blockedCall, isLetThrough } from '../src/remedy/edits/blocked-call.ts';
import { forbiddenForm } from '../src/remedy/edits/index.ts';
import { workloadOf } from '../src/text/workload.ts';

type Json = Readonly<Record<string, unknown>>;

const NAMESPACES = ['a', 'b'];
const PORTS = [80, 8080, 15008];
const NAMES = ['web', 'cart', 'db'];

/** Six workloads in two namespaces, of which those of one name carry one label everywhere; web has two pods. */
const PODS = NAMESPACES.flatMap((namespace, space) =>
  NAMES.flatMap((name, index) =>
    (name === 'web' ? ['0', '1'] : ['0']).map((ordinal) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `${name}-${ordinal}`, namespace, labels: { app: name, tier: index === 0 ? 'front' : 'back' } },
      spec: {
        serviceAccountName: name,
        containers: [{ name: 'app', ports: PORTS.map((containerPort) => ({ containerPort })) }],
      },
      status: { podIP: `10.0.${space}.${index * 10 + Number(ordinal)}` },
    })),
  ),
);
const SPACES = NAMESPACES.map((name) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { name } },
}));

const labels = fc.constantFrom<Json>(
  {},
  { matchLabels: { app: 'web' } },
  { matchLabels: { app: 'cart' } },
  { matchLabels: { tier: 'back' } },
);
const peer = fc.oneof(
  labels.map((podSelector) => ({ podSelector })),
  fc.constantFrom(...NAMESPACES).map((name) => ({ namespaceSelector: { matchLabels: { name } } })),
  fc.tuple(fc.constantFrom(...NAMESPACES), labels).map(([name, podSelector]) => ({
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
    podSelector,
  })),
);
const ports = fc.subarray(PORTS).map((some) => some.map((port) => ({ protocol: 'TCP', port })));

function rule(peers: 'from' | 'to'): fc.Arbitrary<Json> {
  return fc.tuple(fc.array(peer, { maxLength: 2 }), ports).map(([some, entry]) => ({
    ...(some.length === 0 ? {} : { [peers]: some }),
    ...(entry.length === 0 ? {} : { ports: entry }),
  }));
}

const policies = fc.array(
  fc.record({
    namespace: fc.constantFrom(...NAMESPACES),
    podSelector: labels,
    types: fc.constantFrom<readonly string[]>(['Ingress'], ['Egress'], ['Ingress', 'Egress']),
    ingress: fc.array(rule('from'), { maxLength: 2 }),
    egress: fc.array(rule('to'), { maxLength: 2 }),
  }),
  { minLength: 1, maxLength: 5 },
);

const meshes = policies.map((some) =>
  createMesh([
    ...SPACES,
    ...PODS,
    ...some.map(({ namespace, podSelector, types, ingress, egress }, index) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: `p${index}`, namespace },
      spec: {
        podSelector,
        policyTypes: types,
        ...(types.includes('Ingress') ? { ingress } : {}),
        ...(types.includes('Egress') ? { egress } : {}),
      },
    })),
  ]),
);

function call(source: Pod, destination: Pod, port: number): ConnectionRecord {
  return {
    kind: 'connection',
    phase: 'complete',
    at: { input: 'test', line: 1 },
    parser: 'test',
    proxy: 'ztunnel',
    reporter: 'source',
    origin: UNKNOWN_ORIGIN,
    time: null,
    raw: '',
    source: { ...UNKNOWN_PEER, address: source.ips[0] ?? null },
    destination: { ...UNKNOWN_PEER, address: destination.ips[0] ?? null, port },
    service: null,
    hboneAddress: null,
    bytesSent: null,
    bytesReceived: null,
    durationMs: null,
    error: 'io error: deadline has elapsed',
    envoy: null,
  };
}

function outcome(mesh: MeshView, source: Pod, destination: Pod, port: number): string {
  const probe = { source, destination, port, protocol: 'TCP' as const };
  return decideNetwork(mesh.objectsOf('NetworkPolicy'), mesh, probe).outcome;
}

const ends = fc.tuple(fc.nat(PODS.length - 1), fc.nat(PODS.length - 1), fc.constantFrom(...PORTS));

test('a call is blocked if and only if the NetworkPolicies drop it', () => {
  fc.assert(
    fc.property(meshes, ends, (mesh, [from, to, port]) => {
      const [source, destination] = [mesh.pods[from], mesh.pods[to]];
      if (source === undefined || destination === undefined) return;
      const record = call(source, destination, port);
      const expected = outcome(mesh, source, destination, port);
      expect(blockedCall(record, mesh) !== null).toBe(expected === 'deny');
      expect(isLetThrough(record, mesh)).toBe(expected === 'allow');
    }),
  );
});

/** Every connection there can be, and its outcome: `a/web to b/cart:80 deny`. */
function outcomes(mesh: MeshView): ReadonlyMap<string, string> {
  const connections = mesh.pods.flatMap((one) =>
    mesh.pods.flatMap((other) => PORTS.map((port) => [one, other, port] as const)),
  );
  return new Map(
    connections.map(([one, other, port]) => [
      `${nameOf(one)} to ${nameOf(other)}:${port}`,
      outcome(mesh, one, other, port),
    ]),
  );
}

function nameOf({ namespace, name }: Pod): string {
  return `${namespace}/${workloadOf(name)}`;
}

test('an admitted caller reaches its port, and nobody else reaches anything more or less', () => {
  fc.assert(
    fc.property(meshes, ends, (mesh, [from, to, port]) => {
      const [source, destination] = [mesh.pods[from], mesh.pods[to]];
      if (source === undefined || destination === undefined) return;
      const blocked = blockedCall(call(source, destination, port), mesh);
      if (blocked === null) return;
      const [draft] = admitPeer(blocked, mesh);
      expect(draft?.changes.length).toBeGreaterThan(0);
      expect(draft?.changes.map(forbiddenForm).filter((form) => form !== null)).toEqual([]);
      const after = applyChanges(mesh, draft?.changes ?? []);
      const expected = new Map(outcomes(mesh)).set(`${nameOf(source)} to ${nameOf(destination)}:${port}`, 'allow');
      expect(after === null ? null : outcomes(after)).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});
