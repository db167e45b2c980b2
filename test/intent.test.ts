import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeManifests } from '../src/mesh/manifests.ts';
import { createMesh, unknownMesh } from '../src/mesh/view.ts';
import type { Finding } from '../src/model/finding.ts';
import type { MeshView } from '../src/model/mesh.ts';
import { type Draft, NO_WISHES, type Remedy } from '../src/model/remedy.ts';
import { exceptCaller } from '../src/remedy/edits/index.ts';
import { namesCaller, withhold } from '../src/remedy/guard/withhold.ts';
import { parseCaller } from '../src/text/caller-id.ts';
import { listOf, recordOf, textOf, valueAt } from '../src/text/untyped.ts';
import { reportOn } from './analysis.ts';
import { askedOn } from './asked.ts';
import { loadScenario, meshFromScenario, scenarioLines } from './scenario.ts';
import { hasShared, needsShared, shared } from './shared.ts';

/** The findings of a log with their flows. */
function findingsOf(log: string, mesh: MeshView): readonly Finding[] {
  return [...askedOn(log, mesh).findings.values()];
}

const PODS = {
  api: ['pay', 'api', '10.0.1.1'],
  ledger: ['pay', 'ledger', '10.0.1.2'],
  web: ['shop', 'web', '10.0.0.10'],
  job: ['shop', 'default', '10.0.0.11'],
  cron: ['shop', 'default', '10.0.0.12'],
  lone: ['tools', 'default', '10.0.0.13'],
  own: ['pay', 'default', '10.0.1.3'],
  activator: ['knative-serving', 'activator', '10.0.2.1'],
} as const;
type PodName = keyof typeof PODS;

/** An ambient mesh with the pods above, and AuthorizationPolicies for `pay/api` by their rules. */
function meshWith(...policies: readonly string[]): MeshView {
  const namespaces = [...new Set(Object.values(PODS).map(([namespace]) => namespace))];
  const documents = [
    ...namespaces.map(
      (name) =>
        `{apiVersion: v1, kind: Namespace, metadata: {name: ${name}, labels: {istio.io/dataplane-mode: ambient}}}`,
    ),
    ...Object.entries(PODS).map(
      ([name, [namespace, account, ip]]) =>
        `{apiVersion: v1, kind: Pod, metadata: {name: ${name}, namespace: ${namespace}, labels: {app: ${name}}}, spec: {serviceAccountName: ${account}, containers: [{name: app, ports: [{containerPort: 8080}]}]}, status: {podIP: ${ip}, phase: Running}}`,
    ),
    ...policies.map(
      (spec, index) =>
        `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p${index}, namespace: pay}, spec: ${spec}}`,
    ),
  ];
  return createMesh(decodeManifests(documents.join('\n---\n'), 'mesh.yaml').objects);
}

const API = 'selector: {matchLabels: {app: api}}';
const allow = (ruleList: string): string => `{${API}, rules: ${ruleList}}`;
const deny = (ruleList: string): string => `{${API}, action: DENY, rules: ${ruleList}}`;
const NONE_ALLOWED = 'connection closed due to policy rejection: allow policies exist, but none allowed';
const DENIED = 'connection closed due to policy rejection: explicitly denied by: pay/p0';

interface Call {
  readonly port?: number;
  readonly error?: string | null;
  readonly plain?: boolean;
  readonly time?: string;
}

function line(from: PodName, to: PodName, { port = 8080, error = null, plain = false, time = '04:05' }: Call): string {
  const [namespace, account, ip] = PODS[from];
  const [toNamespace, toAccount, toIp] = PODS[to];
  const identity = plain ? '' : ` src.identity="spiffe://cluster.local/ns/${namespace}/sa/${account}"`;
  const dialled = plain ? `dst.addr=${toIp}:${port}` : `dst.addr=${toIp}:15008 dst.hbone_addr=${toIp}:${port}`;
  const [level, outcome] = error === null ? ['info', ''] : ['error', ` error="${error}"`];
  return `2026-01-02T03:${time}.000000Z\t${level}\taccess\tconnection complete\tsrc.addr=${ip}:40000 src.workload="${from}" src.namespace="${namespace}"${identity} ${dialled} dst.workload="${to}" dst.namespace="${toNamespace}" dst.identity="spiffe://cluster.local/ns/${toNamespace}/sa/${toAccount}" direction="inbound" bytes_sent=0 bytes_recv=0 duration="0ms"${outcome}`;
}

/** What is said of the first refusal in a log. */
function judged(mesh: MeshView, ...lines: readonly string[]): readonly [string, string] {
  const [finding] = reportOn({ log: `${lines.join('\n')}\n` }, mesh).findings;
  return [finding?.intended ?? 'nothing', finding?.intendedBecause ?? ''];
}

const OWN = '[{from: [{source: {namespaces: [pay]}}]}]';
const OWN_ACCOUNT = '[{from: [{source: {principals: [cluster.local/ns/pay/sa/ledger]}}]}]';
const SHOP_JOB = '[{from: [{source: {principals: [cluster.local/ns/shop/sa/job]}}]}]';

describe('an ALLOW policy that no caller of another namespace meets', () => {
  const refused = line('web', 'api', { error: NONE_ALLOWED });

  it('isolates namespaces, where it admits its own only, or the platform beside them', () => {
    const platform = 'cluster.local/ns/knative-serving/sa/activator';
    for (const spec of [
      OWN,
      OWN_ACCOUNT,
      `[{from: [{source: {namespaces: [pay]}}]}, {from: [{source: {principals: [${platform}]}}]}]`,
      '[{when: [{key: source.namespace, values: [pay]}]}]',
      '[{from: [{source: {serviceAccounts: [ledger]}}]}]',
    ]) {
      const [intended, because] = judged(meshWith(allow(spec)), refused);
      expect([spec, intended]).toEqual([spec, 'likely']);
      expect(because).toBe('AuthorizationPolicy pay/p0 keeps other namespaces out of pay, and the caller is of shop.');
    }
  });

  it('does not where it says nothing of namespaces, or names another application', () => {
    for (const spec of [
      '[{from: [{source: {requestPrincipals: ["*"]}}]}]',
      '[{to: [{operation: {paths: ["/metrics"]}}]}]',
      '[{from: [{source: {ipBlocks: [10.9.0.0/16]}}]}]',
      '[{from: [{source: {namespaces: [pay, tools]}}]}]',
      '[{from: [{source: {namespaces: [pay], principals: [cluster.local/ns/shop/sa/web]}}]}]',
      '[{from: [{source: {principals: ["cluster.local/ns/pay*"]}}]}]',
      '[]',
      SHOP_JOB,
    ]) {
      expect([spec, ...judged(meshWith(allow(spec)), refused)]).toEqual([spec, 'unknown', '']);
    }
  });

  it('does not where a rule that lost its HTTP fields names the caller', () => {
    const meant = '[{from: [{source: {namespaces: [shop]}}], to: [{operation: {methods: [GET]}}]}]';
    expect(judged(meshWith(allow(OWN), allow(meant)), refused)[0]).toBe('unknown');
  });

  it('means neither its own namespace nor the platform', () => {
    const mesh = meshWith(allow(OWN_ACCOUNT));
    expect(judged(mesh, line('own', 'api', { error: NONE_ALLOWED }))[0]).toBe('unknown');
    expect(judged(mesh, line('activator', 'api', { error: NONE_ALLOWED }))[0]).toBe('unknown');
  });

  it('means callers without identity too', () => {
    expect(judged(meshWith(allow(OWN)), line('web', 'api', { error: NONE_ALLOWED, plain: true }))[0]).toBe('likely');
  });

  it('shows nothing without a mesh', () => {
    expect(judged(unknownMesh, refused)).toEqual(['unknown', '']);
  });
});

describe('a DENY policy', () => {
  const refused = line('web', 'api', { error: DENIED });

  it.each([
    ['everything', '[{}]', 'likely', 'has an empty rule'],
    ['the caller by name', '[{from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}]}]', 'yes', 'by name'],
    ['a namespace', '[{from: [{source: {namespaces: [shop]}}]}]', 'likely', 'by what it says (namespaces shop)'],
    ['a port', '[{to: [{operation: {ports: ["8080"]}}]}]', 'likely', 'by what it says (ports 8080)'],
    [
      'addresses',
      '[{from: [{source: {ipBlocks: [10.0.0.0/24]}}]}]',
      'likely',
      'by what it says (ipBlocks 10.0.0.0/24)',
    ],
    ['other namespaces', '[{from: [{source: {notNamespaces: [pay]}}]}]', 'likely', 'keeps other namespaces out of pay'],
  ])('that denies %s looks wanted', (_what, spec, intended, words) => {
    const [told, because] = judged(meshWith(deny(spec)), refused);
    expect(told).toBe(intended);
    expect(because).toContain(words);
  });

  it('that lists who is not denied, others of other namespaces among them, leaves it open', () => {
    const listed = '[{from: [{source: {notPrincipals: [cluster.local/ns/pay/sa/x, cluster.local/ns/tools/sa/y]}}]}]';
    expect(judged(meshWith(deny(listed)), refused)).toEqual(['unknown', '']);
    expect(judged(meshWith(deny('[{from: [{source: {notNamespaces: [pay, tools]}}]}]')), refused)[0]).toBe('unknown');
  });

  it('that ztunnel widens, as it does not know what the rule asks of HTTP, was not meant so', () => {
    const http = '[{from: [{source: {namespaces: [shop]}}], to: [{operation: {methods: [DELETE]}}]}]';
    expect(judged(meshWith(deny(http)), refused)).toEqual(['unknown', '']);
  });
});

describe('the first caller of another namespace', () => {
  const listed = deny('[{from: [{source: {notPrincipals: [cluster.local/ns/pay/sa/ledger]}}]}]');
  const refused = line('web', 'api', { error: DENIED });

  it('looks unwanted where no policy admits anybody of elsewhere', () => {
    expect(judged(meshWith(listed), refused)[1]).toContain('nobody of shop was seen to get through');
  });

  it('does not once somebody of its namespace got through there', () => {
    const worked = line('job', 'api', {});
    expect(judged(meshWith(listed), refused, worked)[0]).toBe('unknown');
    expect(judged(meshWith(listed), refused, line('job', 'ledger', {}))[0]).toBe('likely');
  });

  it('does not where another policy names its namespace, or it has no identity', () => {
    const named = allow('[{from: [{source: {namespaces: [shop]}}], to: [{operation: {methods: [GET]}}]}]');
    expect(judged(meshWith(listed, named), refused)[0]).toBe('unknown');
    expect(judged(meshWith(listed), line('web', 'api', { error: DENIED, plain: true }))[0]).toBe('unknown');
  });
});

describe('the service account default', () => {
  const open = allow('[{from: [{source: {principals: [cluster.local/ns/pay/sa/ledger, cluster.local/ns/ops/sa/x]}}]}]');

  it('says little of a caller where several workloads share it, or for another namespace', () => {
    expect(judged(meshWith(open), line('job', 'api', { error: NONE_ALLOWED }))[1]).toContain(
      '2 workloads share (cron, job)',
    );
    expect(judged(meshWith(open), line('lone', 'api', { error: NONE_ALLOWED }))[1]).toContain(
      'no service account of its own',
    );
  });

  it('is a usual start within a namespace, and no matter where a policy names it already', () => {
    expect(judged(meshWith(open), line('own', 'api', { error: NONE_ALLOWED }))[0]).toBe('unknown');
    const named = allow(
      '[{from: [{source: {principals: [cluster.local/ns/tools/sa/default]}}], to: [{operation: {ports: ["1"]}}]}]',
    );
    expect(judged(meshWith(named), line('lone', 'api', { error: NONE_ALLOWED }))[0]).toBe('unknown');
  });
});

describe('a sweep', () => {
  /** One knock at each of some ports, so many seconds apart. */
  const knocks = (count: number, step = 1): readonly string[] =>
    Array.from({ length: count }, (_, index) => {
      const [minutes, seconds] = [Math.floor((index * step) / 60), (index * step) % 60];
      const time = [minutes, seconds].map((part) => String(part).padStart(2, '0')).join(':');
      return line('web', 'api', { port: 8000 + index, error: NONE_ALLOWED, time });
    });

  it('of many ports of one destination within minutes looks unwanted, without a mesh too', () => {
    expect(judged(unknownMesh, ...knocks(5))).toEqual([
      'likely',
      'The caller tried 5 ports of pay/api and got through nowhere, as a scanner does.',
    ]);
    expect(judged(unknownMesh, ...knocks(4))[0]).toBe('unknown');
  });

  it('is none over a long time, of one who gets through, or who tries again and again', () => {
    expect(judged(unknownMesh, ...knocks(6, 60))[0]).toBe('likely');
    expect(judged(unknownMesh, ...knocks(6, 61))[0]).toBe('unknown');
    expect(judged(unknownMesh, ...knocks(6), line('web', 'ledger', {}))[0]).toBe('unknown');
    const again = Array.from({ length: 10 }, () => knocks(6)).flat();
    expect(judged(unknownMesh, ...again)[0]).toBe('unknown');
  });
});

describe('changes that are withheld', () => {
  const mesh = meshWith(allow(OWN));
  const [finding] = findingsOf(line('web', 'api', { error: NONE_ALLOWED }), mesh);
  if (finding === undefined) throw new Error('nothing was found');

  const change = exceptCaller(
    { ...finding, policies: [{ kind: 'AuthorizationPolicy', namespace: 'pay', name: 'p0' }] },
    meshWith(deny('[{}]')),
  );
  const held = (of: Finding, view: MeshView, allowCallers: readonly string[] = []): Draft | null => {
    const [first = null] = withhold(change, of, { ...NO_WISHES, allowCallers }, view);
    return first?.kind === 'none' ? first : null;
  };

  it('are explained, with the id that asks for them and a look at the policies', () => {
    const draft = held(finding, mesh);
    expect(draft?.kind).toBe('none');
    expect(draft?.changes).toEqual([]);
    expect(draft?.summary).toBe(
      'No change is printed, as this denial looks wanted. AuthorizationPolicy pay/p0 keeps other namespaces out of pay, and the caller is of shop. If cluster.local/ns/shop/sa/web is legitimate, run again with --allow-caller cluster.local/ns/shop/sa/web.',
    );
    expect(draft?.commands.confirm).toEqual(['kubectl -n pay get authorizationpolicy p0 -o yaml']);
  });

  it.each(['spiffe://cluster.local/ns/shop/sa/web', 'cluster.local/ns/shop/sa/web', 'shop/web', '10.0.0.10'])(
    'are printed once the caller is named as %s',
    (id) => {
      expect(namesCaller(id, finding, mesh)).toBe(true);
      expect(held(finding, mesh, ['a/b', id])).toBeNull();
    },
  );

  it.each(['shop/api', 'shop', 'web', '10.0.0.1', 'other.example/ns/shop/sa/web', 'shop/*', '*', ''])(
    'are not by %j',
    (id) => {
      expect(namesCaller(id, finding, mesh)).toBe(false);
      expect(held(finding, mesh, [id])).not.toBeNull();
    },
  );

  it('concern denials that look wanted, and no others', () => {
    expect(held({ ...finding, intended: 'unknown', intendedBecause: null }, mesh)).toBeNull();
    expect(held({ ...finding, category: 'upstream' }, mesh)).toBeNull();
    expect(held({ ...finding, level: 'note' }, mesh)).toBeNull();
  });

  it('of a shared account come with better advice', () => {
    const [shared] = findingsOf(line('job', 'api', { error: NONE_ALLOWED }), meshWith(allow(SHOP_JOB)));
    if (shared === undefined) throw new Error('nothing was found');
    expect(held(shared, meshWith(allow(SHOP_JOB)))?.summary).toContain('a service account of its own first');
  });

  it('are named by ids that parseCaller knows, and by nothing else', () => {
    expect(parseCaller(' spiffe://td/ns/a/sa/b ')).toBe('td/ns/a/sa/b');
    expect(parseCaller('::ffff:10.0.0.1')).toBe('10.0.0.1');
    expect(parseCaller('2001:db8::1')).toBe('2001:db8::1');
    for (const wrong of ['spiffe://td/ns/a/sa/*', 'a', 'a/b/c', '10.0.0.0/8', 'td/ns//sa/b', 'A/B']) {
      expect(parseCaller(wrong)).toBeNull();
    }
    fc.assert(fc.property(fc.string(), (text) => parseCaller(text) === null || !/[*\s]/.test(parseCaller(text) ?? '')));
  });
});

describe('an exception from a denial that says whom it denies', () => {
  const drafts = (spec: string): ReturnType<typeof exceptCaller> => {
    const mesh = meshWith(deny(spec));
    const [finding] = findingsOf(line('web', 'api', { error: DENIED }), mesh);
    if (finding === undefined) throw new Error('nothing was found');
    return exceptCaller(finding, mesh);
  };
  const rulesAfter = (spec: string): unknown => valueAt(drafts(spec)[0]?.changes[0]?.after, 'spec', 'rules');
  const WEB = 'cluster.local/ns/shop/sa/web';

  it('needs a decision, and is one caller wide', () => {
    expect(rulesAfter('[{}]')).toEqual([{ from: [{ source: { notPrincipals: [WEB] } }] }]);
    expect(drafts('[{}]')[0]?.decision).toContain('Needs a decision of its owner');
    expect(rulesAfter('[{from: [{source: {namespaces: [shop]}}]}]')).toEqual([
      { from: [{ source: { namespaces: ['shop'], notPrincipals: [WEB] } }] },
    ]);
  });

  it('takes the caller out of a list of names, unless it is the only one', () => {
    const others = `[{from: [{source: {principals: [${WEB}, cluster.local/ns/shop/sa/x]}}]}]`;
    expect(rulesAfter(others)).toEqual([{ from: [{ source: { principals: ['cluster.local/ns/shop/sa/x'] } }] }]);
    expect(drafts(others)[0]).toMatchObject({ decision: expect.stringContaining('decision') });
    expect(drafts(`[{from: [{source: {principals: [${WEB}]}}]}]`)[0]).toMatchObject({ kind: 'none', changes: [] });
    expect(rulesAfter(`[{when: [{key: source.principal, values: [${WEB}, td/ns/a/sa/b]}]}]`)).toEqual([
      { when: [{ key: 'source.principal', values: ['td/ns/a/sa/b'] }] },
    ]);
  });

  it('is none where a token is asked for', () => {
    const mesh = meshWith(deny('[{from: [{source: {notRequestPrincipals: ["*"]}}]}]'));
    const [finding] = findingsOf(line('web', 'api', { error: DENIED }), meshWith(deny('[{}]')));
    if (finding === undefined) throw new Error('nothing was found');
    const [draft, ...others] = exceptCaller({ ...finding, enforcedBy: 'sidecar' }, mesh);
    expect([draft?.kind, draft?.changes, others]).toEqual(['configuration', [], []]);
    expect(draft?.summary).toContain('send a valid token: AuthorizationPolicy pay/p0 denies every request without one');
  });

  it('is none where ztunnel denies more than the rule says: that belongs to a waypoint', () => {
    const http = '[{from: [{source: {namespaces: [shop]}}], to: [{operation: {ports: ["8080"], methods: [DELETE]}}]}]';
    expect(drafts(http)).toMatchObject([{ changes: [], summary: expect.stringContaining('enforced by a waypoint') }]);
  });

  it('in a list of those not denied needs none', () => {
    const [draft] = drafts('[{from: [{source: {notPrincipals: [cluster.local/ns/pay/sa/x]}}]}]');
    expect(draft?.decision).toBeNull();
  });
});

describe.skipIf(!hasShared)(needsShared('whole incidents'), () => {
  const names = hasShared ? readdirSync(shared('scenarios')) : [];

  /** Changes that are printed for an incident, once some callers are named as legitimate. */
  const changesIn = (name: string, allowCallers: readonly string[]): readonly Remedy[] => {
    const path = shared(`scenarios/${name}.yaml`);
    const log = `${scenarioLines(loadScenario(path)).join('\n')}\n`;
    const { findings } = reportOn({ log }, meshFromScenario(path), { allowCallers });
    return findings.flatMap(({ remedies }) => remedies.filter(({ changes }) => changes.length > 0));
  };

  it.each([
    [
      'S13-default-deny-probe-is-intended',
      'client/client',
      'DENY',
      'notPrincipals',
      'cluster.local/ns/client/sa/client',
    ],
    [
      'S20-kserve-cross-namespace-403-is-isolation',
      'default/sleep',
      'ALLOW',
      'principals',
      'cluster.local/ns/default/sa/sleep',
    ],
  ])('%s: a change for exactly the caller that is named, and none before', (name, caller, action, list, principal) => {
    expect(changesIn(name, [])).toEqual([]);
    expect(changesIn(name, ['other/account'])).toEqual([]);
    const [remedy, ...others] = changesIn(name, [caller]);
    expect(others).toEqual([]);
    expect(remedy?.verification.status).toBe('verified');
    const spec = recordOf(remedy?.changes[0]?.after?.['spec']);
    expect(spec['action']).toBe(action);
    const sources = listOf(spec['rules']).flatMap((rule) => listOf(valueAt(rule, 'from')));
    expect(sources).toEqual([{ source: { [list]: [principal] } }]);
    expect(remedy?.decision === null).toBe(action === 'ALLOW');
  });

  it.each(names)('%s: looks wanted only if it is', (name) => {
    const path = shared(`scenarios/${name}`);
    const scenario = loadScenario(path);
    const report = reportOn({ log: `${scenarioLines(scenario).join('\n')}\n` }, meshFromScenario(path));
    const denials = report.findings.filter(({ category }) => category === 'authorization' || category === 'mutual-tls');
    const wanted = textOf(scenario['category']) === 'intended-deny';
    for (const { intended, intendedBecause } of denials) {
      expect(intended === 'likely' || intended === 'yes').toBe(wanted);
      expect(intendedBecause === null).toBe(!wanted);
    }
    if (wanted) expect(denials.length).toBeGreaterThan(0);
  });
});
