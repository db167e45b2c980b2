import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMesh } from '../src/mesh/view.ts';
import type { KubeObject, MeshView } from '../src/model/mesh.ts';
import type { Remedy, Wishes } from '../src/model/remedy.ts';
import type { Report } from '../src/model/report.ts';
import { recordOf, valueAt } from '../src/text/untyped.ts';
import { reportOn } from './analysis.ts';
import { RUNS } from './random-mesh.ts';
import { networkWorld } from './random-network-mesh.ts';
import { sidecarWorld } from './random-sidecar-mesh.ts';
import { waypointWorld } from './random-waypoint-mesh.ts';
import { type Call, callerText, isListed, type World } from './random-world.ts';

function changing(report: Report): readonly Remedy[] {
  return report.findings.flatMap(({ remedies }) => remedies.filter(({ changes }) => changes.length > 0));
}

/** The mesh with the objects that a remedy says there will be, put together anew; pods of a namespace that asks for sidecars have one. */
function applied(mesh: MeshView, { changes, summary }: Remedy): MeshView {
  const nameOf = ({ kind, metadata }: KubeObject): string => `${kind} ${metadata.namespace}/${metadata.name}`;
  const changed = new Map(
    changes.map(({ object, after }) => [`${object.kind} ${object.namespace}/${object.name}`, after]),
  );
  const kept = mesh.objects.filter((object) => !changed.has(nameOf(object))).map(({ raw }) => raw);
  const objects = [...kept, ...[...changed.values()].filter((after) => after !== null)];
  if (changes.some(({ op, after }) => op !== 'delete' && after === null)) throw new Error(`cannot apply: ${summary}`);
  const asking = objects
    .filter((object) => valueAt(object, 'metadata', 'labels', 'istio-injection') === 'enabled')
    .map((object) => valueAt(object, 'metadata', 'name'));
  return createMesh(
    objects.map((object) => {
      const metadata = recordOf(object['metadata']);
      if (object['kind'] !== 'Pod' || !asking.includes(metadata['namespace'])) return object;
      return { ...object, metadata: { ...metadata, annotations: { 'sidecar.istio.io/status': '{}' } } };
    }),
  );
}

/** The report on one refused call, and on all that worked. */
function reportOnCall(world: World, mesh: MeshView, call: Call, wishes: Partial<Wishes>): Report {
  const worked = world.space.filter((each) => world.verdict(mesh, each) === 'allow');
  const lines = [call, ...worked].map((each) => world.logLine(mesh, each)).filter((line) => line !== null);
  return reportOn({ log: `${lines.join('\n')}\n` }, mesh, wishes);
}

/** Judged by the naive readings over every call of the space. */
function checkLaws(world: World, mesh: MeshView, remedy: Remedy, refused: Call): void {
  const verdicts = (each: MeshView): readonly string[] => world.space.map((call) => world.verdict(each, call));
  const once = applied(mesh, remedy);
  const [was, is] = [verdicts(mesh), verdicts(once)];
  expect(verdicts(applied(once, remedy)), 'applied twice').toEqual(is);
  world.space.forEach((call, index) => {
    if (call === refused) expect(world.seen(once, call, mesh), 'what was refused').toBe('allow');
    else if (was[index] === 'allow') {
      const isKnown = world.logLine(mesh, call) !== null;
      expect(isKnown ? is[index] : 'allow', `what worked: ${JSON.stringify(call)}`).toBe('allow');
    } else if (is[index] === 'allow') {
      const { newlyAllows } = remedy.verification;
      const isSeen = world.logLine(mesh, call) === world.logLine(mesh, refused);
      const isCalled = (['destination', 'port', 'viaService'] as const).every((key) => call[key] === refused[key]);
      const what = `${callerText(mesh, call)} ${JSON.stringify(call)} among\n${newlyAllows.join('\n')}`;
      expect(isSeen || isListed(newlyAllows, call, isCalled, mesh, world) ? '' : what, remedy.summary).toBe('');
    }
  });
}

const arbitraryWishes = fc.record({
  knownCaller: fc.boolean(),
  widen: fc.constantFrom<Wishes['widen'][]>(null, null, 'namespace', 'path-template'),
});

/** One of the calls that are refused and logged; null: there is none. */
function refusedAmong(world: World, mesh: MeshView, choice: number): Call | null {
  const refused = world.space.filter(
    (call) => world.verdict(mesh, call) === 'deny' && world.logLine(mesh, call) !== null,
  );
  return refused[choice % refused.length] ?? null;
}

function wishesFor(
  call: Call,
  { knownCaller, widen }: { knownCaller: boolean; widen: Wishes['widen'] },
): Partial<Wishes> {
  return { allowCallers: knownCaller ? [call.caller] : [], widen };
}

/** Runs of a property on each; the laws about order and repetition are tried less often. */
const worlds: readonly (readonly [string, World, number])[] = [
  ['sidecars', sidecarWorld, Math.ceil(RUNS / 15)],
  ['ambient pods behind a waypoint', waypointWorld, Math.ceil(RUNS / 15)],
  ['ambient pods behind NetworkPolicies', networkWorld, Math.ceil(RUNS / 10)],
];

describe.each(worlds)('a verified change in a mesh of %s', (name, world, runs) => {
  const choice = fc.nat({ max: 9999 });

  it('repairs what it says, denies nothing that worked, opens only what it lists, and applied twice equals once', () => {
    let verified = 0;
    fc.assert(
      fc.property(world.policies, choice, arbitraryWishes, (policies, number, wishes) => {
        const mesh = world.meshOf(policies);
        const call = refusedAmong(world, mesh, number);
        fc.pre(call !== null);
        const report = reportOnCall(world, mesh, call, wishesFor(call, wishes));
        for (const { remedies } of report.findings) {
          // A port that takes plain text stands behind what keeps it out, whatever that opens.
          const isExposed = ({ changes }: Remedy): boolean =>
            changes.some(({ object }) => object.kind === 'PeerAuthentication');
          const ranks = remedies
            .filter(({ verification }) => verification.status === 'verified')
            .map((remedy) => (isExposed(remedy) ? 1000 : 0) + remedy.verification.newlyAllows.length);
          expect(ranks, 'the narrowest first').toEqual(ranks.toSorted((a, b) => a - b));
        }
        for (const remedy of changing(report)) {
          expect(remedy.verification.status).not.toBe('refuted');
          if (remedy.verification.status !== 'verified') continue;
          verified++;
          checkLaws(world, mesh, remedy, call);
        }
      }),
      { numRuns: runs },
    );
    console.log(`${name}: ${verified} verified changes in ${runs} meshes`);
    expect(verified).toBeGreaterThan(runs / 5);
  });

  it('does not depend on the order of policies, and is the same on every run', () => {
    const told = (mesh: MeshView, call: Call, wishes: Partial<Wishes>): unknown =>
      reportOnCall(world, mesh, call, wishes).findings.map(({ cause, policies, remedies }) => ({
        cause,
        policies,
        remedies,
      }));
    fc.assert(
      fc.property(world.policies, choice, arbitraryWishes, (policies, number, wishes) => {
        const mesh = world.meshOf(policies);
        const call = refusedAmong(world, mesh, number);
        fc.pre(call !== null);
        const first = told(mesh, call, wishesFor(call, wishes));
        expect(told(world.meshOf(policies.toReversed()), call, wishesFor(call, wishes))).toEqual(first);
        expect(JSON.stringify(told(mesh, call, wishesFor(call, wishes)))).toBe(JSON.stringify(first));
      }),
      { numRuns: Math.ceil(runs / 4) },
    );
  });

  it('leaves nothing to do where it has been made', () => {
    fc.assert(
      fc.property(world.policies, choice, arbitraryWishes, (policies, number, wishes) => {
        const mesh = world.meshOf(policies);
        const call = refusedAmong(world, mesh, number);
        fc.pre(call !== null);
        const [remedy] = changing(reportOnCall(world, mesh, call, wishesFor(call, wishes))).filter(
          ({ verification }) => verification.status === 'verified',
        );
        fc.pre(remedy !== undefined && remedy.kind !== 'enrol');
        const report = reportOn({ log: `${world.logLine(mesh, call)}\n` }, applied(mesh, remedy));
        expect(changing(report)).toEqual([]);
        // Whether a NetworkPolicy was what dropped a connection, no log says.
        const told = report.findings[0]?.remedies[0]?.summary;
        expect(told).toMatch(
          /^(?:Nothing to do:|By the objects given NetworkPolicy |No NetworkPolicy of the mesh given stops )/,
        );
      }),
      { numRuns: Math.ceil(runs / 4) },
    );
  });
});

const authorization = (name: string, spec: object): object => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { name, namespace: 'pay', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec,
});
const network = (name: string, namespace: string, spec: object): object => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace },
  spec: { podSelector: {}, ...spec },
});
const strict = (selector: object | null): object => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  metadata: { name: 'm', namespace: 'pay', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { ...(selector === null ? {} : { selector }), mtls: { mode: 'STRICT' } },
});
const gold = { when: [{ key: 'request.headers[x-tier]', values: ['gold'] }] };
const web = { principals: ['cluster.local/ns/shop/sa/web'] };

/** Meshes in which much depends on one thing that is easily left out; the call that is refused, by parts of it. */
const TRAPS: readonly (readonly [string, World, readonly object[], Partial<Call>])[] = [
  [
    'another pod of the namespace that comes into the mesh is admitted where the caller is not',
    sidecarWorld,
    [authorization('p', { rules: [{ from: [{ source: { principals: ['cluster.local/ns/legacy/sa/cron'] } }] }] })],
    { caller: 'legacy/job', destination: 'pay/ledger' },
  ],
  [
    'requests with one header were admitted, and others are now',
    sidecarWorld,
    [
      authorization('a', { rules: [gold, { from: [{ source: { principals: [`spiffe://${web.principals[0]}`] } }] }] }),
      authorization('d', {
        selector: { matchLabels: { app: 'ledger' } },
        action: 'DENY',
        rules: [{ from: [{ source: { namespaces: ['shop'] } }], ...gold }],
      }),
    ],
    { caller: 'shop/web', destination: 'pay/api' },
  ],
  [
    'requests with one header were refused for another reason, and all are admitted now',
    sidecarWorld,
    [
      authorization('a', { rules: [{ from: [{ source: { principals: ['cluster.local/ns/shop/sa/cart'] } }] }] }),
      authorization('d', {
        action: 'DENY',
        rules: [{ when: [...gold.when, { key: 'source.principal', notValues: ['cluster.local/ns/legacy/sa/cron'] }] }],
      }),
    ],
    { caller: 'shop/web', destination: 'pay/ledger', port: 8080, request: { method: 'GET', path: '/a', tier: 'gold' } },
  ],
  [
    'elsewhere the caller is admitted with one header only',
    sidecarWorld,
    [
      authorization('a', { rules: [{ from: [{ source: { principals: [`spiffe://${web.principals[0]}`] } }] }] }),
      authorization('d', {
        selector: { matchLabels: { app: 'ledger' } },
        action: 'DENY',
        rules: [{ when: [{ key: 'request.headers[x-tier]', notValues: ['gold'] }] }],
      }),
    ],
    { caller: 'shop/web', destination: 'pay/api' },
  ],
  [
    'a NetworkPolicy opens for its other pods what nothing refuses behind it',
    networkWorld,
    [
      network('n', 'shop', { policyTypes: ['Egress'], egress: [{ ports: [{ port: 9090 }] }] }),
      authorization('p', { selector: { matchLabels: { app: 'ledger' } }, rules: [] }),
    ],
    { caller: 'shop/cart', destination: 'pay/ledger', port: 9090 },
  ],
  [
    'a NetworkPolicy, and a policy behind it',
    networkWorld,
    [
      network('n', 'pay', { ingress: [{ ports: [{ port: 8080 }] }] }),
      authorization('p', { rules: [{ from: [{ source: { principals: ['cluster.local/ns/ops/sa/monitor'] } }] }] }),
    ],
    { caller: 'shop/web', destination: 'pay/ledger', port: 8080 },
  ],
  [
    'a caller that comes into the mesh loses what it called by the address of a pod',
    waypointWorld,
    [
      authorization('p', {
        selector: { matchLabels: { app: 'ledger' } },
        action: 'DENY',
        rules: [{ from: [{ source: { principals: ['cluster.local/ns/legacy/sa/cron'] } }] }],
      }),
      strict({ matchLabels: { app: 'api' } }),
    ],
    { caller: 'legacy/cron', destination: 'pay/api' },
  ],
];

describe('a verified change', () => {
  it.each(TRAPS)('keeps its word where %s', (_name, world, policies, wanted) => {
    const mesh = world.meshOf(policies);
    const call = world.space.find(
      (each) =>
        world.verdict(mesh, each) === 'deny' &&
        Object.entries(wanted).every(
          ([key, value]) => JSON.stringify(Reflect.get(each, key)) === JSON.stringify(value),
        ),
    );
    if (call === undefined) throw new Error('nothing is refused');
    const remedies = changing(reportOnCall(world, mesh, call, { allowCallers: [call.caller] })).filter(
      ({ verification }) => verification.status === 'verified',
    );
    expect(remedies).not.toEqual([]);
    for (const remedy of remedies) checkLaws(world, mesh, remedy, call);
  });

  it('is none where what worked hangs on a header that no line shows', () => {
    const identified = { from: [{ source: { notPrincipals: ['cluster.local/ns/legacy/sa/cron'] } }] };
    const untold = { when: [{ key: 'request.headers[x-tier]', notValues: ['gold'] }] };
    const mesh = sidecarWorld.meshOf([
      authorization('p', { rules: [untold, { ...identified, to: [{ operation: { methods: ['GET', 'POST'] } }] }] }),
    ]);
    const call = sidecarWorld.space.find(
      (each) => each.caller === 'legacy/cron' && each.destination === 'pay/api' && each.request === null,
    );
    if (call === undefined) throw new Error('nothing is refused');
    const enrolment = changing(reportOnCall(sidecarWorld, mesh, call, {})).find(({ kind }) => kind === 'enrol');
    expect(enrolment?.verification).toMatchObject({
      status: 'unverifiable',
      reason: expect.stringContaining('by what its line does not show'),
    });
  });

  it('says perhaps where it hangs on a token that no line shows', () => {
    const mesh = sidecarWorld.meshOf([
      authorization('a', { rules: [{ from: [{ source: { principals: [`spiffe://${web.principals[0]}`] } }] }] }),
      authorization('d', {
        selector: { matchLabels: { app: 'ledger' } },
        action: 'DENY',
        rules: [{ from: [{ source: { notRequestPrincipals: ['*'] } }] }],
      }),
      {
        apiVersion: 'security.istio.io/v1',
        kind: 'RequestAuthentication',
        metadata: { name: 'r', namespace: 'pay' },
        spec: { jwtRules: [{ issuer: 'https://issuer.example', jwksUri: 'https://issuer.example/keys' }] },
      },
    ]);
    const call = sidecarWorld.space.find(
      ({ caller, destination, port }) => caller === 'shop/web' && destination === 'pay/api' && port === 8080,
    );
    const remedies = call === undefined ? [] : changing(reportOnCall(sidecarWorld, mesh, call, {}));
    expect(remedies.flatMap(({ verification }) => verification.newlyAllows)).toContain(
      `${web.principals[0]} to pay/ledger:8080 GET /a, the same caller at another workload, perhaps: it hangs on what is not known`,
    );
  });
});
