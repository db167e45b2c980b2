import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createMesh } from '../src/mesh/view.ts';
import type { KubeObject, MeshView, ObjectRef, Pod } from '../src/model/mesh.ts';
import type { Decision } from '../src/model/policy.ts';
import { decideNetwork } from '../src/policy/network-policy.ts';
import { decodeKubeObject } from '../src/text/kube-object.ts';
import { listOf, recordOf, textOf, valueAt } from '../src/text/untyped.ts';
import { loadScenario, meshFromScenario } from './scenario.ts';
import { hasShared, needsShared, shared } from './shared.ts';

interface Probe {
  readonly from: string;
  /** `namespace/pod:port`. */
  readonly to: string;
}

interface Cases {
  readonly objects: readonly unknown[];
  readonly cases: readonly {
    readonly objects?: readonly object[];
    readonly probes: readonly Probe[];
  }[];
}

/** The cases that `meshmend test` runs; here they give laws their objects and connections. */
const fixture = fileURLToPath(new URL('../fixtures/policy/network-policy.yaml', import.meta.url));
const { objects: cluster, cases }: Cases = parse(readFileSync(fixture, 'utf8'));
const mesh = createMesh(cluster);

function podNamed(view: MeshView, name: string): Pod {
  const [namespace = '', pod = ''] = name.split('/');
  const found = view.podByName(namespace, pod);
  if (found === null) throw new Error(`no pod ${name}`);
  return found;
}

function endNamed(view: MeshView, name: string): Pod | { readonly ip: string } {
  return name.includes('/') ? podNamed(view, name) : { ip: name };
}

function networkPolicy(value: object): KubeObject {
  const object = decodeKubeObject(
    { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', ...value },
    { file: fixture, document: 0 },
  );
  if (typeof object === 'string') throw new Error(object);
  return object;
}

function names(refs: readonly ObjectRef[]): readonly string[] {
  return refs.map(({ namespace, name }) => `${namespace}/${name}`).sort();
}

function ask(policies: readonly KubeObject[], { from, to }: Probe): Decision {
  const [pod = '', port] = to.split(':');
  return decideNetwork(policies, mesh, {
    source: endNamed(mesh, from),
    destination: podNamed(mesh, pod),
    port: Number(port),
    protocol: 'TCP',
  });
}

describe('the rule that came closest', () => {
  const objects = [
    networkPolicy({
      metadata: { name: 'p', namespace: 'shop' },
      spec: {
        podSelector: {},
        ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 8080, endPort: 8090 }] }],
      },
    }),
  ];

  it('names the port that failed', () => {
    const probe: Probe = { from: 'shop/web', to: 'shop/cart:15008' };
    expect(ask(objects, probe).nearMiss).toMatchObject([
      { rule: 0, field: 'ingress[0].ports', wanted: '8080-8090', seen: '15008' },
    ]);
  });

  it('names the peer that failed', () => {
    const probe: Probe = { from: 'bank/ledger', to: 'shop/cart:8080' };
    expect(ask(objects, probe).nearMiss).toMatchObject([{ rule: 0, field: 'ingress[0].from', seen: 'bank/ledger' }]);
  });
});

describe('laws', () => {
  const all = cases.map(({ objects: policies = [] }) => policies.map(networkPolicy));
  const subset = fc.subarray(all.flat());
  const anyProbe = fc.constantFrom(...cases.flatMap(({ probes }) => probes));

  it('the order of policies does not matter', () => {
    fc.assert(
      fc.property(subset, anyProbe, (policies, probe) => {
        const there = ask(policies, probe);
        const back = ask([...policies].reverse(), probe);
        expect([back.outcome, names(back.determining)]).toEqual([there.outcome, names(there.determining)]);
      }),
    );
  });

  it('a rule for everything, added to a policy, denies nothing', () => {
    const open = networkPolicy({
      metadata: { name: 'open', namespace: 'shop' },
      spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'], ingress: [{}], egress: [{}] },
    });
    fc.assert(
      fc.property(subset, anyProbe, (policies, probe) => {
        if (ask(policies, probe).outcome === 'allow') expect(ask([...policies, open], probe).outcome).toBe('allow');
      }),
    );
  });
});

/** The pods behind `to` of an attempt. */
function destinationsOf(view: MeshView, to: unknown): readonly Pod[] {
  const pod = textOf(valueAt(to, 'pod'));
  if (pod !== null) return [podNamed(view, pod)];
  const service = view.serviceByHost((textOf(valueAt(to, 'service')) ?? '').split('/').reverse().join('.'));
  const selector = Object.entries(service?.selector ?? {});
  return view.pods.filter(
    ({ namespace, labels }) =>
      namespace === service?.namespace && selector.every(([key, value]) => labels[key] === value),
  );
}

/** Port on the wire: HBONE goes to 15008. */
function wirePortOf(attempt: unknown): number {
  if (textOf(valueAt(attempt, 'transport', 'via'))?.startsWith('HBONE')) return 15_008;
  return Number(valueAt(attempt, 'transport', 'workloadPort') ?? valueAt(attempt, 'to', 'workloadPort'));
}

/** The NetworkPolicies of a mesh after a change (`apply`, `delete`) of a scenario. */
function changedPolicies(view: MeshView, change: unknown): readonly KubeObject[] {
  const applied = listOf(valueAt(change, 'apply')).flatMap((value) => {
    const object = decodeKubeObject(value, { file: 'change', document: 0 });
    return typeof object === 'string' || object.kind !== 'NetworkPolicy' ? [] : [object];
  });
  const gone = new Set([
    ...names(applied.map(({ kind, metadata }) => ({ kind, ...metadata }))),
    ...listOf(valueAt(change, 'delete')).map((ref) => `${valueAt(ref, 'namespace')}/${valueAt(ref, 'name')}`),
  ]);
  const kept = view
    .objectsOf('NetworkPolicy')
    .filter(({ metadata }) => !gone.has(`${metadata.namespace}/${metadata.name}`));
  return [...kept, ...applied];
}

/** The answer to every attempt of a scenario, by id, after a change. */
function verdicts(path: string, change: unknown): Readonly<Record<string, Decision>> {
  const view = meshFromScenario(path);
  const policies = changedPolicies(view, change);
  return Object.fromEntries(
    listOf(loadScenario(path)['attempts']).map((attempt) => {
      const from = textOf(valueAt(attempt, 'from', 'pod')) ?? textOf(valueAt(attempt, 'from', 'ip')) ?? '';
      const [destination] = destinationsOf(view, valueAt(attempt, 'to'));
      if (destination === undefined) throw new Error(`${path}: no destination`);
      const probe = {
        source: endNamed(view, from),
        destination,
        port: wirePortOf(attempt),
        protocol: 'TCP' as const,
      };
      return [textOf(valueAt(attempt, 'id')) ?? '', decideNetwork(policies, view, probe)];
    }),
  );
}

function outcomesOf(decisions: Readonly<Record<string, Decision>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(decisions).map(([id, { outcome }]) => [id, outcome]));
}

/** `BLOCK_NETPOL` is a deny here; whatever another layer says, the network let it pass. */
function wanted(after: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(after).map(([id, verdict]) => [id, verdict === 'BLOCK_NETPOL' ? 'deny' : 'allow']),
  );
}

describe.skipIf(!hasShared)(needsShared('scenarios'), () => {
  it.each([
    'S03-networkpolicy-blocks-hbone-15008',
    'S04-networkpolicy-blocks-kubelet-probes-ambient',
    'S37-networkpolicy-blocks-mesh-client-to-activator',
  ])('%s', (id) => {
    const path = shared(`scenarios/${id}.yaml`);
    const scenario = loadScenario(path);
    const before = verdicts(path, null);
    for (const attempt of listOf(scenario['attempts']).map(recordOf)) {
      const decision = before[String(attempt['id'])];
      const verdict = valueAt(attempt, 'expect', 'verdict');
      expect(decision?.outcome).toBe(verdict === 'BLOCK_NETPOL' ? 'deny' : 'allow');
      if (verdict !== 'BLOCK_NETPOL') continue;
      expect(names(decision?.determining ?? [])).toEqual(valueAt(attempt, 'expect', 'decidingPolicies'));
    }
    for (const change of [scenario['fix'], ...listOf(scenario['wrong_fixes'])]) {
      const after = verdicts(path, valueAt(change, 'change'));
      expect(outcomesOf(after)).toEqual(wanted(recordOf(valueAt(change, 'after'))));
    }
  });
});
