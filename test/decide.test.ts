import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deployed } from '../src/mesh/deployed.ts';
import { decodeManifests } from '../src/mesh/manifests.ts';
import { createMesh, unknownMesh } from '../src/mesh/view.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { Way } from '../src/model/way.ts';
import { decide } from '../src/policy/decide.ts';
import { describeRequest, type RequestWords } from '../src/policy/way/describe.ts';
import { findDestination, findSource } from '../src/policy/way/ends.ts';
import { renderWay } from '../src/render/decision.ts';
import { isRecord } from '../src/text/kube-object.ts';
import { nearNames } from '../src/text/near.ts';
import { listOf, recordOf, valueAt } from '../src/text/untyped.ts';
import { loadScenario } from './scenario.ts';
import { answer, type Change, changeOf, meshAfter, verdictOf } from './scenario-attempts.ts';
import { hasShared, needsShared, shared } from './shared.ts';

/** What a scenario wants and no answer of ours can be, and why. */
const OTHERWISE: ReadonlyMap<string, string> = new Map([
  ['S28 W1 A1', 'a client that speaks TLS gets no answer from a listener that speaks plaintext, whatever policies say'],
  [
    'S31 W1 A3',
    'the token is put in by the authorizer, which is no longer asked: what it would add stands in no object',
  ],
  ['S38 before A1', 'whether the key of a token is in a set that is fetched stands in no object'],
  ['S38 W2 A1', 'as above'],
]);

describe.skipIf(!hasShared)(needsShared('scenarios'), () => {
  const files = hasShared ? readdirSync(shared('scenarios')) : [];
  const rows = files.flatMap((file) => rowsOf(file));

  it('every attempt gets its verdict, before and after every change', () => {
    const wrong = rows.filter(({ got, wanted }) => got !== wanted);
    process.stdout.write(`scenarios: ${rows.length - wrong.length} of ${rows.length} verdicts\n`);
    expect(
      wrong.map(({ name, wanted, got }) => ({ name, wanted, got })).filter(({ name }) => !OTHERWISE.has(name)),
    ).toEqual([]);
    expect(wrong.map(({ name }) => name).sort()).toEqual([...OTHERWISE.keys()].sort());
    expect(rows.length).toBeGreaterThan(300);
  });

  it('the policies that decide are those the scenario names', () => {
    const differing = rows.flatMap(({ name, got, wanted, named, way }) => {
      if (got !== wanted) return [];
      const determining = way.determining.map(({ namespace, name: own }) => `${namespace}/${own}`);
      return named.filter((policy) => !determining.includes(policy)).map((policy) => `${name}: ${policy}`);
    });
    expect(differing).toEqual([]);
  });
});

interface Row {
  readonly name: string;
  readonly wanted: unknown;
  readonly got: string;
  /** Policies that the scenario says decide; only of attempts before any change. */
  readonly named: readonly string[];
  readonly way: Way;
}

function rowsOf(file: string): readonly Row[] {
  const scenario = loadScenario(shared(`scenarios/${file}`));
  const attempts = listOf(scenario['attempts']).map(recordOf);
  const before = Object.fromEntries(attempts.map(({ id, expect: wanted }) => [id, valueAt(wanted, 'verdict')]));
  const rounds: (readonly [string, Change | null, Readonly<Record<string, unknown>>])[] = [['before', null, before]];
  const changes = [
    ['fix', scenario['fix']] as const,
    ...listOf(scenario['wrong_fixes']).map((fix) => [String(valueAt(fix, 'id')), fix] as const),
  ];
  for (const [name, fix] of changes)
    rounds.push([name, changeOf(valueAt(fix, 'change')), recordOf(valueAt(fix, 'after'))]);
  return rounds.flatMap(([round, change, wanted]) => {
    const mesh = meshAfter(scenario, change);
    return attempts.flatMap((attempt) => {
      const id = String(attempt['id']);
      if (wanted[id] === undefined) return [];
      const way = answer(attempt, mesh);
      const named = round === 'before' ? listOf(valueAt(attempt, 'expect', 'decidingPolicies')) : [];
      const name = `${file.slice(0, 3)} ${round} ${id}`;
      return [{ name, wanted: wanted[id], got: verdictOf(way), named: named.flatMap(policyNamed), way }];
    });
  });
}

/** Generated policies stand for the PeerAuthentication they were made of; `none` names nobody. Gateways are no policies. */
function policyNamed(text: unknown): readonly string[] {
  const name = String(text).replace('none matched of: ', '').replace('converted_peer_authentication_', '');
  return name === 'none' || name.includes('istio_converted_static_strict') || name.includes('gateway') ? [] : [name];
}

const NOTHING: RequestWords = { method: null, path: null, host: null, headers: [], claims: null, authorizer: null };

function ask(mesh: MeshView, from: string, to: string, words: Partial<RequestWords> = {}): Way {
  const [source, destination] = [findSource(from, mesh), findDestination(to, mesh)];
  if (!source.ok) throw new Error(source.message);
  if (!destination.ok) throw new Error(destination.message);
  return decide(mesh, {
    source: source.value,
    destination: destination.value,
    request: describeRequest({ ...NOTHING, ...words }),
  });
}

function meshFrom(yaml: string): MeshView {
  const { objects, problems } = decodeManifests(yaml, 'mesh.yaml');
  expect(problems).toEqual([]);
  return createMesh(deployed(objects));
}

function pod(name: string, options: { mesh?: string; ip?: string; labels?: string; extra?: string } = {}): string {
  const [namespace, own] = name.split('/');
  const { mesh = 'ambient', ip = '10.0.0.1', labels = '', extra = '' } = options;
  const annotation =
    mesh === 'unknown'
      ? ''
      : `, annotations: { ambient.istio.io/redirection: ${mesh === 'ambient' ? 'enabled' : 'disabled'} }`;
  const proxy = mesh === 'sidecar' ? ', { name: istio-proxy }' : '';
  return `---
apiVersion: v1
kind: Pod
metadata: { name: ${own}, namespace: ${namespace}, labels: { app: ${own}${labels} }${annotation} }
spec: { serviceAccountName: ${own}, containers: [{ name: app, ports: [{ name: http, containerPort: 8080 }] }${proxy}]${extra} }
status: { podIP: ${ip} }
`;
}

function service(name: string, selector: string, extra = ''): string {
  const [namespace, own] = name.split('/');
  return `---
apiVersion: v1
kind: Service
metadata: { name: ${own}, namespace: ${namespace}${extra} }
spec: { clusterIP: 172.16.0.1, selector: { ${selector} }, ports: [{ name: http, port: 80, targetPort: http }] }
`;
}

const ONLY_WEB = `---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: only-web, namespace: bank }
spec:
  selector: { matchLabels: { app: ledger } }
  rules: [{ from: [{ source: { principals: [cluster.local/ns/shop/sa/web] } }], to: [{ operation: { ports: ['8080'] } }] }]
`;

const STRICT = `---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: bank }
spec: { mtls: { mode: STRICT } }
`;

function hopsOf({ routes }: Way): readonly string[] {
  return routes.flatMap(({ hops }) => hops.map(({ by, outcome }) => `${by} ${outcome}`));
}

describe('ambient', () => {
  const mesh = meshFrom(
    pod('shop/web') +
      pod('bank/ledger', { ip: '10.0.0.2' }) +
      service('bank/ledger', 'app: ledger') +
      ONLY_WEB +
      STRICT,
  );

  it('a Service port leads to the named port of the pod, which policies see', () => {
    const way = ask(mesh, 'shop/web', 'ledger.bank:80');
    expect([way.outcome, hopsOf(way)]).toEqual(['allow', ['source allow', 'ztunnel allow']]);
    expect(way.determining).toMatchObject([{ name: 'only-web' }]);
  });

  it('a deny names what the rule wanted and both ends of the log', () => {
    const way = ask(mesh, 'cluster.local/ns/shop/sa/cart', 'ledger.bank:80');
    expect(way.outcome).toBe('deny');
    expect(way.nearMiss).toMatchObject([
      { rule: 0, field: 'from[0].source.principals', seen: 'cluster.local/ns/shop/sa/cart' },
    ]);
    expect(way.routes[0]?.hops.map(({ error }) => error)).toEqual([
      'http status: 401 Unauthorized',
      'connection closed due to policy rejection: allow policies exist, but none allowed',
    ]);
  });

  it('the same from anywhere: by name, by address, past the mesh', () => {
    expect(ask(mesh, '10.0.0.1', '172.16.0.1:80').outcome).toBe('allow');
    expect(ask(mesh, '10.0.0.1', '10.0.0.2:8080').outcome).toBe('allow');
    expect(ask(mesh, 'plaintext:10.0.0.1', 'bank/ledger:8080')).toMatchObject({
      outcome: 'deny',
      determining: [{ kind: 'PeerAuthentication', name: 'default' }],
    });
  });

  it('the health probes of a node pass by ztunnel', () => {
    expect(ask(mesh, '169.254.7.127', 'bank/ledger:8080').outcome).toBe('allow');
  });

  it('identities of another trust domain do not get through the handshake', () => {
    expect(ask(mesh, 'spiffe://other/ns/shop/sa/web', 'ledger.bank:80').outcome).toBe('deny');
  });

  it('without a mesh nothing is known', () => {
    const probe = {
      source: { kind: 'plain', ip: '10.0.0.1', tls: false, pod: null },
      destination: { kind: 'address', ip: '10.0.0.2', port: 1 },
    } as const;
    expect(decide(unknownMesh, { ...probe, request: describeRequest(NOTHING) }).outcome).toBe('unknown');
  });
});

describe('what is not known', () => {
  const policies = ONLY_WEB + STRICT;

  it('of a pod of which nobody knows how it takes part, all ways are tried', () => {
    const mesh = meshFrom(pod('shop/web', { mesh: 'unknown' }) + pod('bank/ledger') + policies);
    const way = ask(mesh, 'shop/web', 'bank/ledger:8080');
    expect([way.outcome, way.routes.map(({ outcome }) => outcome)]).toEqual(['unknown', ['allow', 'allow', 'deny']]);
    expect(way.because).toContain('if shop/web is outside the mesh: deny');
    const other = ask(mesh, 'shop/web', 'bank/ledger:9090');
    expect([other.outcome, other.routes.length]).toEqual(['deny', 3]);
  });

  it('pods behind one Service that differ are decided one by one', () => {
    const closed = pod('bank/b', { ip: '10.0.0.3', labels: ', tier: closed' });
    const rule = ONLY_WEB.replace('app: ledger', 'tier: closed');
    const mesh = meshFrom(
      pod('bank/a', { labels: ', tier: open' }) +
        closed +
        pod('shop/cart') +
        service('bank/both', '').replace('selector: {  }', 'selector: {}') +
        rule,
    );
    const picked = meshFrom(
      pod('bank/a', { labels: ', of: both' }) +
        closed.replace('tier: closed', 'tier: closed, of: both') +
        pod('shop/cart') +
        service('bank/both', 'of: both') +
        rule,
    );
    expect(ask(mesh, 'shop/cart', 'both.bank:80').because).toContain('has no selector');
    const way = ask(picked, 'shop/cart', 'both.bank:80');
    expect([way.outcome, way.routes.map(({ outcome }) => outcome)]).toEqual(['unknown', ['allow', 'deny']]);
    expect(way.because).toContain('if the pod is bank/b: deny');
  });

  it('pods that are alike but for a hash are one', () => {
    const twins =
      pod('bank/a', { labels: ', of: x, pod-template-hash: one' }) +
      pod('bank/b', { ip: '10.0.0.3', labels: ', of: x, pod-template-hash: two' });
    const mesh = meshFrom(
      twins.replaceAll(/serviceAccountName: \w/g, 'serviceAccountName: x') +
        pod('shop/cart') +
        service('bank/x', 'of: x'),
    );
    expect(ask(mesh, 'shop/cart', 'x.bank:80').routes).toHaveLength(1);
  });

  it('an address that is not known decides only where a policy looks at it', () => {
    const block = ONLY_WEB.replace('principals: [cluster.local/ns/shop/sa/web]', 'ipBlocks: [10.0.0.0/8]');
    const caller = 'cluster.local/ns/shop/sa/web';
    expect(ask(meshFrom(pod('bank/ledger') + block), caller, 'bank/ledger:8080').outcome).toBe('unknown');
    expect(ask(meshFrom(pod('bank/ledger') + block), caller, 'bank/ledger:9090').outcome).toBe('deny');
    expect(ask(meshFrom(pod('bank/ledger') + ONLY_WEB), caller, 'bank/ledger:8080').outcome).toBe('allow');
  });

  it('what a request is not told of is named', () => {
    const http = ONLY_WEB.replace("ports: ['8080']", 'paths: [/a], methods: [GET]');
    const mesh = meshFrom(
      pod('shop/web', { mesh: 'sidecar' }) +
        pod('bank/ledger', { mesh: 'sidecar' }) +
        service('bank/ledger', 'app: ledger') +
        http,
    );
    expect(ask(mesh, 'shop/web', 'ledger.bank:80').because).toMatch(/^the path, the method are not known: /);
    expect(ask(mesh, 'shop/web', 'ledger.bank:80', { method: 'GET' }).because).toMatch(/^the path is not known: /);
    expect(ask(mesh, 'shop/web', 'ledger.bank:80', { method: 'PUT' }).outcome).toBe('deny');
    expect(ask(mesh, 'shop/web', 'ledger.bank:80', { method: 'GET', path: '/a' }).outcome).toBe('allow');
  });

  it('a configuration that Envoy refuses is not the one it runs with', () => {
    const template = ONLY_WEB.replace("ports: ['8080']", "paths: ['{*}']");
    const ends = pod('shop/web', { mesh: 'sidecar' }) + pod('bank/ledger', { mesh: 'sidecar' });
    const way = ask(meshFrom(ends + service('bank/ledger', 'app: ledger') + template), 'shop/web', 'ledger.bank:80');
    expect([way.outcome, way.because]).toEqual(['unknown', expect.stringContaining('keeps the one it had')]);
  });

  it('a manifest that admission refuses counts as absent, a stored object does not', () => {
    const broken = ONLY_WEB.replace("['8080']", "['http']");
    const mesh = meshFrom(pod('shop/cart') + pod('bank/ledger') + broken);
    const way = ask(mesh, 'shop/cart', 'bank/ledger:8080');
    expect([way.outcome, way.notes]).toEqual(['allow', [expect.stringContaining('only-web would be refused')]]);
    const stored = meshFrom(
      pod('shop/cart') + pod('bank/ledger') + broken.replace('name: only-web', 'uid: x, name: only-web'),
    );
    expect(ask(stored, 'shop/cart', 'bank/ledger:8080').outcome).toBe('deny');
  });
});

const NAMESPACE = (labels: string): string => `---
apiVersion: v1
kind: Namespace
metadata: { name: bank, labels: { ${labels} } }
`;

const WAYPOINT = `---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: waypoint, namespace: bank }
spec: { gatewayClassName: istio-waypoint, listeners: [{ name: mesh, port: 15008, protocol: HBONE }] }
`;

const AT_WAYPOINT = `---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: readers, namespace: bank }
spec:
  targetRefs: [{ kind: Service, group: '', name: ledger }]
  rules: [{ from: [{ source: { principals: [cluster.local/ns/shop/sa/web] } }], to: [{ operation: { methods: [GET] } }] }]
`;

describe('waypoints', () => {
  const ends = pod('shop/web') + pod('bank/ledger', { ip: '10.0.0.2' }) + service('bank/ledger', 'app: ledger');
  const use = NAMESPACE('istio.io/use-waypoint: waypoint');
  const onlyWaypoint = ONLY_WEB.replace('ns/shop/sa/web', 'ns/bank/sa/waypoint');

  it('decides about the request, and the pod sees the waypoint in place of the caller', () => {
    const mesh = meshFrom(ends + use + WAYPOINT + AT_WAYPOINT + onlyWaypoint);
    const way = ask(mesh, 'shop/web', 'ledger.bank:80', { method: 'GET' });
    expect([way.outcome, hopsOf(way)]).toEqual(['allow', ['source allow', 'waypoint allow', 'ztunnel allow']]);
    const refused = ask(mesh, 'shop/web', 'ledger.bank:80', { method: 'POST' });
    expect([refused.outcome, hopsOf(refused)]).toEqual(['deny', ['source allow', 'waypoint deny']]);
    expect(refused.routes[0]?.hops.at(-1)).toMatchObject({
      status: 403,
      details: 'rbac_access_denied_matched_policy[none]',
    });
    const past = ask(meshFrom(ends + use + WAYPOINT + ONLY_WEB), 'shop/web', 'ledger.bank:80', { method: 'GET' });
    expect(past.nearMiss).toMatchObject([{ seen: 'cluster.local/ns/bank/sa/waypoint' }]);
  });

  it('is left out for a pod dialled by its own address, for plaintext, and where it is not meant', () => {
    const mesh = meshFrom(ends + use + WAYPOINT);
    expect(hopsOf(ask(mesh, 'shop/web', 'bank/ledger:8080'))).toEqual(['source allow', 'ztunnel allow']);
    expect(hopsOf(ask(mesh, 'plaintext:10.0.0.1', 'ledger.bank:80'))).toEqual(['source allow', 'ztunnel allow']);
    const none = service('bank/ledger', 'app: ledger', ', labels: { istio.io/use-waypoint: none }');
    const without = meshFrom(pod('shop/web') + pod('bank/ledger') + none + use + WAYPOINT);
    expect(hopsOf(ask(without, 'shop/web', 'ledger.bank:80'))).toEqual(['source allow', 'ztunnel allow']);
  });

  it.each([
    ['service', ['waypoint allow'], []],
    ['workload', [], ['waypoint allow']],
    ['all', ['waypoint allow'], ['waypoint allow']],
    ['none', [], []],
  ])('waypoint-for %s', (traffic, toService, toPod) => {
    const gateway = WAYPOINT.replace(
      'namespace: bank',
      `namespace: bank, labels: { istio.io/waypoint-for: ${traffic} }`,
    );
    const mesh = meshFrom(ends + use + gateway);
    const middle = (to: string): readonly string[] => hopsOf(ask(mesh, 'shop/web', to)).slice(1, -1);
    expect([middle('ledger.bank:80'), middle('bank/ledger:8080')]).toEqual([toService, toPod]);
  });

  it('of another namespace must let this one attach', () => {
    const labels = NAMESPACE('istio.io/use-waypoint: waypoint, istio.io/use-waypoint-namespace: infra');
    const other = WAYPOINT.replace('namespace: bank', 'namespace: infra');
    const open = other.replace('protocol: HBONE', 'protocol: HBONE, allowedRoutes: { namespaces: { from: All } }');
    expect(hopsOf(ask(meshFrom(ends + labels + other), 'shop/web', 'ledger.bank:80'))).toHaveLength(2);
    expect(hopsOf(ask(meshFrom(ends + labels + open), 'shop/web', 'ledger.bank:80'))).toHaveLength(3);
  });

  it('that nobody has seen leaves the answer open; where Gateways are known it does not exist', () => {
    expect(ask(meshFrom(ends + use), 'shop/web', 'ledger.bank:80').outcome).toBe('unknown');
    const other = WAYPOINT.replace('name: waypoint', 'name: another');
    expect(ask(meshFrom(ends + use + other), 'shop/web', 'ledger.bank:80').outcome).toBe('allow');
  });
});

describe('sidecars', () => {
  const ends = (target = 'sidecar'): string =>
    pod('shop/web', { mesh: 'sidecar' }) +
    pod('bank/ledger', { mesh: target, ip: '10.0.0.2' }) +
    service('bank/ledger', 'app: ledger');
  const rule = (mode: string, namespace = 'shop', extra = ''): string => `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ledger, namespace: ${namespace} }
spec: { host: ledger.bank.svc.cluster.local, ${extra} trafficPolicy: { tls: { mode: ${mode} } } }
`;

  it.each([
    ['auto mTLS', '', 'allow'],
    ['DISABLE', rule('DISABLE'), 'deny'],
    ['SIMPLE', rule('SIMPLE'), 'deny'],
    ['ISTIO_MUTUAL', rule('ISTIO_MUTUAL'), 'allow'],
    ['a rule of the Service that is not exported', rule('DISABLE', 'bank', "exportTo: ['.'],"), 'allow'],
    ['a rule of the Service', rule('DISABLE', 'bank'), 'deny'],
    ['a rule of the root namespace', rule('DISABLE', 'istio-system'), 'deny'],
    ['a rule of a third namespace', rule('DISABLE', 'lab'), 'allow'],
    ['the client decides first', rule('ISTIO_MUTUAL') + rule('DISABLE', 'bank'), 'allow'],
    ['a short name', rule('DISABLE', 'bank').replace('ledger.bank.svc.cluster.local', 'ledger'), 'deny'],
    [
      'the more specific host',
      rule('DISABLE').replace('ledger.bank.svc', '"*.svc').replace('local,', 'local",') +
        rule('ISTIO_MUTUAL').replace('name: ledger', 'name: own'),
      'allow',
    ],
    [
      'a port of its own',
      rule('ISTIO_MUTUAL').replace(
        'tls:',
        'portLevelSettings: [{ port: { number: 80 }, tls: { mode: DISABLE } }], tls:',
      ),
      'deny',
    ],
    ['for other clients', rule('DISABLE', 'shop', 'workloadSelector: { matchLabels: { app: cart } },'), 'allow'],
  ])('under STRICT: %s', (_name, extra, outcome) => {
    expect(ask(meshFrom(ends() + STRICT + extra), 'shop/web', 'ledger.bank:80').outcome).toBe(outcome);
  });

  it('auto mTLS is off where the namespace disables it, even towards a workload that is STRICT', () => {
    const disabled = STRICT.replace('STRICT', 'DISABLE');
    const own = STRICT.replace('name: default', 'name: ledger').replace(
      'spec: {',
      'spec: { selector: { matchLabels: { app: ledger } },',
    );
    const way = ask(meshFrom(ends() + disabled + own), 'shop/web', 'ledger.bank:80');
    expect([way.outcome, way.routes[0]?.hops.at(-1)?.details]).toEqual(['deny', 'filter_chain_not_found']);
  });

  it('mutual TLS that a rule forces on a pod without a proxy fails', () => {
    const way = ask(meshFrom(ends('none') + rule('ISTIO_MUTUAL')), 'shop/web', 'ledger.bank:80');
    expect([way.outcome, hopsOf(way).at(-1)]).toEqual(['deny', 'workload deny']);
    expect(ask(meshFrom(ends('none')), 'shop/web', 'ledger.bank:80').outcome).toBe('allow');
  });

  it('towards ambient pods they speak HBONE', () => {
    expect(ask(meshFrom(ends('ambient') + STRICT + ONLY_WEB), 'shop/web', 'ledger.bank:80').outcome).toBe('allow');
  });

  it('an ambient caller reaches a sidecar in plaintext unless the pod takes the tunnel', () => {
    const callers = pod('shop/web') + pod('bank/ledger', { mesh: 'sidecar', ip: '10.0.0.2' });
    const tunnel = callers.replace('app: ledger', 'app: ledger, networking.istio.io/tunnel: http');
    expect(ask(meshFrom(callers + STRICT), 'shop/web', 'bank/ledger:8080').outcome).toBe('deny');
    expect(ask(meshFrom(tunnel + STRICT), 'shop/web', 'bank/ledger:8080').outcome).toBe('allow');
  });
});

describe('NetworkPolicies on the way', () => {
  const closed = (port: number, namespace = 'bank'): string => `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: ports, namespace: ${namespace} }
spec: { podSelector: {}, ingress: [{ ports: [{ port: ${port} }] }] }
`;
  const ends = pod('shop/web') + pod('bank/ledger', { ip: '10.0.0.2' });

  it('see HBONE at port 15008 and plaintext at the port of the application', () => {
    const mesh = meshFrom(ends + closed(8080));
    const way = ask(mesh, 'shop/web', 'bank/ledger:8080');
    expect(hopsOf(way)).toEqual(['source allow', 'network-policy deny']);
    expect(way.routes[0]?.hops[0]?.error).toContain('maybe a NetworkPolicy is blocking HBONE port 15008');
    expect(ask(mesh, 'plaintext:10.0.0.1', 'bank/ledger:8080').outcome).toBe('allow');
    expect(ask(meshFrom(ends + closed(15008)), 'shop/web', 'bank/ledger:8080').outcome).toBe('allow');
  });

  it('of a caller that runs nobody knows where a refusal is not certain', () => {
    const from = closed(15008).replace('ports:', 'from: [{ podSelector: { matchLabels: { app: x } } }], ports:');
    expect(ask(meshFrom(pod('bank/ledger') + from), 'cluster.local/ns/a/sa/b', 'bank/ledger:8080').outcome).toBe(
      'unknown',
    );
  });
});

describe('endpoints', () => {
  it.each([
    ['no such port', service('bank/ledger', 'app: ledger'), 'ledger.bank:81', 'has no port 81, only 80'],
    ['no pod', service('bank/ledger', 'app: none'), 'ledger.bank:80', 'selects no pod'],
    [
      'no such name of a port',
      service('bank/ledger', 'app: ledger').replace('http }', 'grpc }'),
      'ledger.bank:80',
      'port named grpc',
    ],
  ])('%s', (_name, extra, to, because) => {
    const way = ask(meshFrom(pod('shop/web') + pod('bank/ledger') + extra), 'shop/web', to);
    expect([way.outcome, hopsOf(way)]).toEqual(['deny', ['service deny']]);
    expect(way.because).toContain(because);
  });
});

describe('ends', () => {
  const mesh = meshFrom(pod('shop/web') + pod('bank/ledger-6d4cf56db6-x7x2p') + service('bank/ledger', 'app: ledger'));

  it.each([
    ['shop/wbe', 'did you mean shop/web?'],
    ['bank/ledgr', 'did you mean bank/ledger?'],
    ['web', 'write namespace/pod'],
    ['plaintext:web', 'write plaintext:10.0.0.1'],
  ])('from %s', (text, hint) => {
    const end = findSource(text, mesh);
    expect(end.ok ? '' : end.hint).toContain(hint);
  });

  it.each([
    ['ledgre.bank:80', 'did you mean ledger.bank?'],
    ['bank/ledgerr:80', 'did you mean bank/ledger'],
    ['shop/web', 'write shop/web:8080'],
    ['10.9.9.9', 'write 10.9.9.9:8080'],
    ['ledger.bank:http', 'write namespace/pod:port'],
  ])('to %s', (text, hint) => {
    const end = findDestination(text, mesh);
    expect(end.ok ? '' : end.hint).toContain(hint);
  });

  it('a workload stands for its pods, a Service with one port needs none', () => {
    expect(findSource('bank/ledger', mesh)).toMatchObject({ ok: true, value: { kind: 'pods' } });
    expect(findDestination('ledger.bank', mesh)).toMatchObject({ ok: true, value: { kind: 'service', port: 80 } });
  });

  it('no text makes them throw', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect([typeof findSource(text, mesh).ok, typeof findDestination(text, mesh).ok]).toEqual([
          'boolean',
          'boolean',
        ]);
      }),
    );
  });

  it('a name is nearest to itself, and to itself with one letter gone', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 4, maxLength: 20, unit: 'grapheme-ascii' }), fc.nat(19), (name, at) => {
        expect(nearNames(name, ['zzzzzzzzzzzzzzzzzzzzzzzzzzzz', name])[0]).toBe(name);
        expect(nearNames(name.slice(0, at) + name.slice(at + 1), [name])).toContain(name);
      }),
    );
  });
});

describe('manifests that are not deployed yet', () => {
  const manifests = (labels: string): string => `
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { ${labels} } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec: { template: { metadata: { labels: { app: web } }, spec: { containers: [{ name: web }] } } }
`;
  it.each([
    ['istio-injection: enabled', 'sidecar'],
    ['istio.io/rev: stable', 'sidecar'],
    ['istio.io/dataplane-mode: ambient', 'ambient'],
    ['team: shop', 'none'],
  ])('a Deployment in a namespace with %s has a pod that is %s', (labels, dataplane) => {
    expect(meshFrom(manifests(labels)).podByName('shop', 'web')).toMatchObject({ dataplane, labels: { app: 'web' } });
  });

  it('one that has pods already gets no other', () => {
    const mesh = meshFrom(`${manifests('team: shop')}${pod('shop/web-1').replace('app: web-1', 'app: web')}`);
    expect(mesh.pods.map(({ name }) => name)).toEqual(['web-1']);
  });
});

describe('meshmend decide', () => {
  const run = (...words: string[]): { code: number | null; out: string; err: string } => {
    const mesh = ['--mesh', 'fixtures/suite/manifests'];
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [resolve('dist/cli.js'), 'decide', ...words, ...mesh],
      { encoding: 'utf8' },
    );
    return { code: status, out: stdout, err: stderr };
  };
  const denied = [
    '--from',
    'batch/report-runner',
    '--to',
    'ledger.payments:80',
    '--method',
    'GET',
    '--path',
    '/accounts/7',
  ];

  it('prints a block for each hop, in 80 columns but for names; exit 0 also for a deny', () => {
    const { code, out } = run(...denied);
    expect(code).toBe(0);
    expect(out).toContain('DENY');
    expect(out).toContain('rule 0 of payments/ledger-callers wanted from[0].source.principals');
    expect(out.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  it('-o json prints the same as data', () => {
    const value: unknown = JSON.parse(run(...denied, '-o', 'json').out);
    expect(Object.keys(isRecord(value) ? value : {}).sort()).toEqual(
      ['because', 'destination', 'determining', 'error', 'nearMiss', 'notes', 'outcome', 'routes', 'source'].sort(),
    );
    expect(value).toMatchObject({ outcome: 'deny', nearMiss: [{ seen: 'cluster.local/ns/batch/sa/report-runner' }] });
  });

  it('exit 2 with a hint for wrong words, 3 for a mesh that cannot be read', () => {
    const wrong = run('--from', 'shop/wbe', '--to', 'ledger.payments:80');
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('did you mean shop/web?')]);
    expect(run('--from', 'shop/web').code).toBe(2);
    expect(run('--from', 'shop/web', '--to', 'ledger.payments:80', '--header', 'x').code).toBe(2);
    expect(run('--from', 'shop/web', '--to', 'ledger.payments:80', '--mesh', 'no/such/folder').code).toBe(3);
  });

  it('claims may be JSON', () => {
    const { code } = run(
      '--from',
      'shop/web',
      '--to',
      'ledger.payments:80',
      '--jwt-claim',
      'groups=["a"]',
      '--header',
      'x: y',
    );
    expect(code).toBe(0);
  });
});

it('a rendered way holds no control character that it did not write', () => {
  const mesh = meshFrom(pod('shop/web'));
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const way = ask(mesh, 'plaintext:10.0.0.9', 'shop/web:8080');
      const hostile = { ...way, source: text, because: text, notes: [text] };
      expect(renderWay(hostile, { colour: false }).replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    }),
  );
});
