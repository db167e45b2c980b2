import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCeiling } from '../src/cli/ceiling.ts';
import { Failure } from '../src/model/failure.ts';
import type { KubeObject, MeshView } from '../src/model/mesh.ts';
import { decide } from '../src/policy/decide.ts';
import type { Probe } from '../src/policy/way/probe.ts';
import { aboveCeiling } from '../src/remedy/guard/ceiling.ts';
import { decodeKubeObject } from '../src/text/kube-object.ts';
import { namespace, pod, policy, probeFrom, smallMesh } from './small-mesh.ts';

function ceilingOf(...policies: readonly ReturnType<typeof policy>[]): readonly KubeObject[] {
  return policies.map((raw) => {
    const object = decodeKubeObject(raw, { file: 'ceiling.yaml', document: 0 });
    if (typeof object === 'string') throw new Error(object);
    return object;
  });
}

const NAMESPACES = ceilingOf(
  policy('pay', 'from-shop', { rules: [{ from: [{ source: { namespaces: ['shop'] } }], to: [ports('8080')] }] }),
);

function ports(...list: readonly string[]): unknown {
  return { operation: { ports: list } };
}

function above(mesh: MeshView, probe: Probe, ceiling = NAMESPACES): string | null {
  return aboveCeiling([probe], ceiling, mesh);
}

describe('what a ceiling allows', () => {
  it.each(['ambient', 'sidecar'] as const)('is judged by the own identity of the client, at %s pods', (mode) => {
    const mesh = smallMesh([], mode);
    expect(above(mesh, probeFrom(mesh, 'shop', 'web'))).toBeNull();
    expect(above(mesh, probeFrom(mesh, 'batch', 'report'))).toMatch(
      /^cluster\.local\/ns\/batch\/sa\/report to pay\/api:8080 is more than may be allowed: /,
    );
    expect(above(mesh, probeFrom(mesh, 'shop', 'web', { port: 9090 }))).toContain('more than may be allowed');
  });

  it('answers about the first connection beyond it', () => {
    const mesh = smallMesh([]);
    const [fine, bad, worse] = [
      probeFrom(mesh, 'shop', 'cart'),
      probeFrom(mesh, 'batch', 'report'),
      probeFrom(mesh, 'pay', 'ledger'),
    ];
    expect(aboveCeiling([fine, bad, worse], NAMESPACES, mesh)).toContain('ns/batch/');
    expect(aboveCeiling([], NAMESPACES, mesh)).toBeNull();
  });

  it('does not bound what no policy of it selects, unless one without rules is for the whole mesh', () => {
    const mesh = smallMesh([]);
    const probe = probeFrom(mesh, 'batch', 'report');
    const elsewhere = ceilingOf(policy('shop', 'x', { rules: [{ from: [{ source: { namespaces: ['shop'] } }] }] }));
    expect(above(mesh, probe, elsewhere)).toBeNull();
    expect(above(mesh, probe, ceilingOf(policy('istio-system', 'nothing', {})))).not.toBeNull();
  });

  it('does not look at the policies of the mesh', () => {
    const hostile = [
      policy('pay', 'nobody', {}),
      policy('pay', 'net', { podSelector: {} }, 'NetworkPolicy'),
      policy('istio-system', 'strict', { mtls: { mode: 'STRICT' } }, 'PeerAuthentication'),
      policy('pay', 'everybody', { rules: [{}] }),
    ];
    const mesh = smallMesh(hostile);
    expect(decide(mesh, probeFrom(mesh, 'shop', 'web')).outcome).not.toBe('allow');
    expect(above(mesh, probeFrom(mesh, 'shop', 'web'))).toBeNull();
    expect(above(mesh, probeFrom(mesh, 'batch', 'report'))).not.toBeNull();
  });

  it('asks about the client itself where a waypoint stands between', () => {
    const gateway = {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name: 'waypoint', namespace: 'pay', labels: { 'istio.io/waypoint-for': 'all' } },
      spec: { gatewayClassName: 'istio-waypoint' },
    };
    const mesh = smallMesh([gateway, namespace('pay', { 'istio.io/use-waypoint': 'waypoint' })]);
    const service = mesh.serviceByHost('api.pay');
    if (service === null) throw new Error('no Service');
    const labelled = { ...service, labels: { 'istio.io/use-waypoint': 'waypoint' } };
    const probes = [service, labelled].map(
      (each): Probe => ({
        ...probeFrom(mesh, 'shop', 'web'),
        destination: { kind: 'service', service: each, port: 80 },
      }),
    );
    for (const probe of probes) {
      expect(decide(mesh, probe).routes[0]?.hops.some(({ by }) => by === 'waypoint')).toBe(true);
      expect(above(mesh, probe)).toBeNull();
      expect(above(mesh, { ...probe, source: probeFrom(mesh, 'batch', 'report').source })).not.toBeNull();
    }
  });

  it('lets no plain text through where it names callers, and holds for pods without a proxy too', () => {
    const mesh = smallMesh([]);
    const plain = { kind: 'plain', ip: '192.0.2.7', tls: false, pod: null } as const;
    expect(above(mesh, { ...probeFrom(mesh, 'shop', 'web'), source: plain })).not.toBeNull();
    const outside = smallMesh([pod('pay', 'bare', 'bare', 'none')]);
    const bare = outside.podByName('pay', 'bare-6d4cf56db6-x7x2p');
    if (bare === null) throw new Error('no pod');
    const destination = { kind: 'pods', name: 'pay/bare', pods: [bare], port: 8080 } as const;
    expect(above(outside, { ...probeFrom(outside, 'shop', 'web'), destination })).toBeNull();
    expect(above(outside, { ...probeFrom(outside, 'batch', 'report'), destination })).not.toBeNull();
  });

  it('allows nothing by a rule of HTTP where the proxy does not know HTTP', () => {
    const get = ceilingOf(
      policy('pay', 'get', {
        rules: [{ from: [{ source: { namespaces: ['shop'] } }], to: [{ operation: { methods: ['GET'] } }] }],
      }),
    );
    const request = { method: 'GET', path: '/a' };
    const [ambient, sidecar] = [smallMesh([]), smallMesh([], 'sidecar')];
    expect(above(ambient, probeFrom(ambient, 'shop', 'web', request), get)).not.toBeNull();
    expect(above(sidecar, probeFrom(sidecar, 'shop', 'web', request), get)).toBeNull();
    expect(above(sidecar, probeFrom(sidecar, 'shop', 'web', { ...request, method: 'PUT' }), get)).not.toBeNull();
    const unknown = above(sidecar, probeFrom(sidecar, 'shop', 'web', { method: 'GET', path: null }), get);
    expect(unknown).toBeNull();
    const noMethod = probeFrom(sidecar, 'shop', 'web', request);
    expect(above(sidecar, { ...noMethod, request: { ...noMethod.request, method: null } }, get)).toContain(
      'cannot be judged by it, which counts as not allowed',
    );
  });

  it('law: whoever is beyond a ceiling stays beyond it with fewer rules', () => {
    const rule = fc.record({
      account: fc.constantFrom('web', 'cart', 'report'),
      home: fc.constantFrom('shop', 'batch'),
      port: fc.constantFrom('8080', '9090'),
    });
    const mesh = smallMesh([]);
    fc.assert(
      fc.property(fc.array(rule, { minLength: 1, maxLength: 4 }), fc.nat(), rule, (rules, left, asked) => {
        const ceiling = (kept: typeof rules): readonly KubeObject[] =>
          ceilingOf(
            policy('pay', 'c', {
              rules: kept.map(({ account, home, port }) => ({
                from: [{ source: { principals: [`cluster.local/ns/${home}/sa/${account}`] } }],
                to: [ports(port)],
              })),
            }),
          );
        const probe = probeFrom(mesh, asked.home, asked.account, { port: Number(asked.port) });
        const fewer = rules.toSpliced(left % rules.length, 1);
        if (above(mesh, probe, ceiling(rules)) !== null) expect(above(mesh, probe, ceiling(fewer))).not.toBeNull();
        const isListed = rules.some((one) => JSON.stringify(one) === JSON.stringify(asked));
        expect(above(mesh, probe, ceiling(rules)) === null).toBe(isListed);
      }),
    );
  });
});

describe('reading a ceiling', () => {
  const folder = mkdtempSync(join(tmpdir(), 'meshmend-ceiling-'));
  const write = (text: string): string => {
    const path = join(folder, 'ceiling.yaml');
    writeFileSync(path, text);
    return path;
  };
  const failure = (text: string): string => {
    try {
      readCeiling(write(text));
    } catch (error) {
      if (error instanceof Failure) return `${error.code}: ${error.message.replace(folder, '')}`;
    }
    return 'read';
  };
  const HEAD = 'apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n';
  const FINE = `${HEAD}metadata: {name: a, namespace: pay}\nspec: {rules: [{from: [{source: {namespaces: [shop]}}]}]}\n`;

  it('takes ALLOW policies, also without rules', () => {
    expect(readCeiling(write(FINE))).toHaveLength(1);
    expect(readCeiling(write(`${FINE}---\n${HEAD}metadata: {name: all, namespace: istio-system}\n`))).toHaveLength(2);
  });

  it.each([
    [
      'other kinds',
      `${FINE}---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n`,
      /usage: .*2: Namespace a is no/,
    ],
    ['other actions', FINE.replace('spec: {', 'spec: {action: DENY, '), /usage: .*1: .*pay\/a has the action DENY/],
    ['what is no object', `${FINE}---\nkid: AuthorizationPolicy\n`, /usage: .*document 2: it is no Kubernetes object/],
    ['dry-run', FINE.replace('pay}', 'pay, annotations: {istio.io/dry-run: "true"}}'), /usage: .*is in dry-run/],
    ['no namespace', FINE.replace(', namespace: pay', ''), /usage: .*has no namespace/],
    [
      'targets',
      FINE.replace('{rules', '{targetRefs: [{kind: Service, group: "", name: api}], rules'),
      /usage: .*targetRefs/,
    ],
    ['a name twice', `${FINE}---\n${FINE}`, /usage: .*stands in it twice/],
    ['invalid policies', FINE.replace('namespaces: [shop]', 'namespaces: [""]'), /usage: .*would be refused by istiod/],
    ['nothing', '', /usage: .*no AuthorizationPolicy in it/],
    ['broken YAML', `${FINE}---\na: [`, /input: /],
  ])('refuses %s', (_name, text, wanted) => {
    expect(failure(text)).toMatch(wanted);
  });

  it('says that a file cannot be read', () => {
    expect(() => readCeiling(join(folder, 'missing.yaml'))).toThrow(/cannot read .*missing\.yaml: ENOENT/);
    expect(() => readCeiling(folder)).toThrow(/cannot read/);
  });
});
