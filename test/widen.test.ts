import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Finding } from '../src/model/finding.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { Draft } from '../src/model/remedy.ts';
import { decide } from '../src/policy/decide.ts';
import { validateForApply } from '../src/policy/validate.ts';
import { applyChanges } from '../src/remedy/apply.ts';
import { applyPatch } from '../src/remedy/edits/apply-patch.ts';
import { editsBetween } from '../src/remedy/edits/edits-between.ts';
import { forbiddenForm } from '../src/remedy/edits/forbidden.ts';
import { allowCaller, exceptCaller } from '../src/remedy/edits/index.ts';
import { makePatch } from '../src/remedy/edits/json-patch.ts';
import { templatesOf } from '../src/remedy/wishes/path-templates.ts';
import { widenDraft } from '../src/remedy/wishes/widen.ts';
import { decodeKubeObject } from '../src/text/kube-object.ts';
import { valueAt } from '../src/text/untyped.ts';
import { changeOf, draftOfChanges, pod, policy, probeFrom, refusal, requestFlows, smallMesh } from './small-mesh.ts';

const WEB = 'cluster.local/ns/shop/sa/web';
const CART = 'cluster.local/ns/shop/sa/cart';
const REPORT = 'cluster.local/ns/batch/sa/report';
const API = { selector: { matchLabels: { app: 'api' } } };

function widened(draft: Draft, finding: Finding, mesh: MeshView, how: 'namespace' | 'path-template'): Draft {
  const wide = widenDraft(draft, finding, mesh, how);
  if (wide === null || typeof wide === 'string') throw new Error(`not widened: ${wide}`);
  for (const change of wide.changes) {
    const object = decodeKubeObject(change.after, { file: '', document: 0 });
    expect(typeof object === 'string' ? object : validateForApply(object).errors).toEqual([]);
    expect(forbiddenForm(change)).toBeNull();
    if (change.before === null) continue;
    expect(applyPatch(change.before, change.jsonPatch ?? [])).toEqual({ ok: true, after: change.after });
  }
  return wide;
}

function rulesOf(draft: Draft): unknown {
  return valueAt(draft.changes[0]?.after, 'spec', 'rules');
}

/** The mesh after changes, and who of some callers is let in at a port. */
function admitted(mesh: MeshView, draft: Draft, port = 8080): readonly string[] {
  const after = applyChanges(mesh, draft.changes);
  if (after === null) throw new Error('cannot be applied');
  return ['shop/web', 'shop/cart', 'shop/other', 'batch/report', 'pay/ledger'].filter((name) => {
    const [home = '', account = ''] = name.split('/');
    return decide(after, probeFrom(after, home, account, { port })).outcome === 'allow';
  });
}

describe('a whole namespace in an ALLOW policy', () => {
  it('is a source of its own beside the callers of the rule, for the same ports and conditions', () => {
    const rule = { from: [{ source: { principals: [REPORT] } }], to: [{ operation: { ports: ['8080'] } }] };
    const mesh = smallMesh([policy('pay', 'api', { ...API, rules: [rule] }), pod('shop', 'x', 'other')]);
    const [narrow] = allowCaller(refusal(mesh), mesh);
    if (narrow === undefined) throw new Error('no draft');
    expect(admitted(mesh, narrow)).toEqual(['shop/web', 'batch/report']);
    const wide = widened(narrow, refusal(mesh), mesh, 'namespace');
    expect(rulesOf(wide)).toEqual([
      { ...rule, from: [{ source: { principals: [REPORT] } }, { source: { namespaces: ['shop'] } }] },
    ]);
    expect(admitted(mesh, wide)).toEqual(['shop/web', 'shop/cart', 'shop/other', 'batch/report']);
    expect(admitted(mesh, wide, 9090)).toEqual([]);
    expect(wide.summary).toContain('Let all of namespace shop through');
    expect(wide.risk).toContain('Beside the caller that is now: shop/cart, shop/other.');
    expect(wide.commands.apply).toHaveLength(2);
    expect(wide.changes[0]?.yaml).toContain('namespaces');
  });

  it('takes the place of the caller in a rule or policy that is new', () => {
    const mesh = smallMesh([policy('pay', 'wide', { rules: [] })]);
    const created = allowCaller(refusal(mesh), mesh).find(({ changes }) => changes[0]?.op === 'create');
    if (created === undefined) throw new Error('no draft');
    const wide = widened(created, refusal(mesh), mesh, 'namespace');
    expect(rulesOf(wide)).toEqual([
      { from: [{ source: { namespaces: ['shop'] } }], to: [{ operation: { ports: ['8080'] } }] },
    ]);
    expect(wide.changes[0]?.object).toEqual(created.changes[0]?.object);
  });

  it('keeps what else the source asks for, and takes the place of a name that never matched', () => {
    const source = { ipBlocks: ['10.0.0.0/8'], principals: [`spiffe://${WEB}`] };
    const before = policy('pay', 'api', { rules: [{ from: [{ source }] }] });
    const after = policy('pay', 'api', { rules: [{ from: [{ source: { ...source, principals: [WEB] } }] }] });
    const mesh = smallMesh([before]);
    const wide = widened(draftOfChanges(changeOf(before, after)), refusal(mesh), mesh, 'namespace');
    expect(rulesOf(wide)).toEqual([{ from: [{ source: { ipBlocks: ['10.0.0.0/8'], namespaces: ['shop'] } }] }]);
  });

  it('stands in a rule of its own where a condition lists the callers', () => {
    const rule = (...values: readonly string[]): object => ({
      to: [{ operation: { ports: ['8080'] } }],
      when: [{ key: 'source.principal', values }],
    });
    const [before, after] = [[REPORT], [REPORT, WEB]].map((values) =>
      policy('pay', 'api', { rules: [rule(...values)] }),
    );
    const mesh = smallMesh([before]);
    const wide = widened(draftOfChanges(changeOf(before ?? null, after ?? {})), refusal(mesh), mesh, 'namespace');
    expect(rulesOf(wide)).toEqual([
      rule(REPORT),
      { from: [{ source: { namespaces: ['shop'] } }], to: [{ operation: { ports: ['8080'] } }] },
    ]);
    expect(admitted(mesh, wide)).toEqual(['shop/web', 'shop/cart', 'shop/other', 'batch/report']);
  });

  it('does not touch what names other callers, nor other kinds, nor steps', () => {
    const mesh = smallMesh([]);
    const other = policy('pay', 'api', { rules: [{ from: [{ source: { principals: [CART] } }] }] });
    const peer = policy('pay', 'p', { mtls: { mode: 'STRICT' } }, 'PeerAuthentication');
    for (const draft of [
      draftOfChanges(),
      draftOfChanges(changeOf(null, other)),
      draftOfChanges(changeOf(null, peer)),
    ]) {
      expect(widenDraft(draft, refusal(mesh), mesh, 'namespace')).toBeNull();
      expect(widenDraft(draft, refusal(mesh), mesh, 'path-template')).toBeNull();
    }
    const source = { ...refusal(mesh).source, identity: null, principal: null };
    expect(widenDraft(draftOfChanges(changeOf(null, other)), refusal(mesh, { source }), mesh, 'namespace')).toBeNull();
  });

  it('leaves the other changes of a draft as they were', () => {
    const peer = policy('pay', 'p', { mtls: { mode: 'STRICT' } }, 'PeerAuthentication');
    const before = policy('pay', 'api', { rules: [] });
    const after = policy('pay', 'api', { rules: [{ from: [{ source: { principals: [WEB] } }] }] });
    const mesh = smallMesh([before]);
    const wide = widened(
      draftOfChanges(changeOf(null, peer), changeOf(before, after)),
      refusal(mesh),
      mesh,
      'namespace',
    );
    expect(wide.changes.map(({ op, after: made }) => [op, valueAt(made, 'spec')])).toEqual([
      ['create', peer['spec']],
      ['patch', { rules: [{ from: [{ source: { namespaces: ['shop'] } }] }] }],
    ]);
  });

  it('is never that of a waypoint', () => {
    const gateway = {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name: 'web', namespace: 'shop' },
      spec: { gatewayClassName: 'istio-waypoint' },
    };
    const mesh = smallMesh([gateway]);
    const guard = policy('pay', 'only', { rules: [{ from: [{ source: { principals: [WEB] } }] }] });
    expect(widenDraft(draftOfChanges(changeOf(null, guard)), refusal(mesh), mesh, 'namespace')).toContain(
      'is a waypoint',
    );
  });
});

describe('a whole namespace in a DENY policy', () => {
  it.each([
    [
      'a list of exceptions',
      { from: [{ source: { notPrincipals: [REPORT] } }] },
      ['shop/web', 'shop/cart', 'shop/other', 'batch/report'],
    ],
    ['a list of accounts', { from: [{ source: { notServiceAccounts: ['batch/report'] } }] }, null],
    ['no source', { to: [{ operation: { ports: ['8080'] } }] }, ['shop/web', 'shop/cart', 'shop/other']],
    [
      'a condition',
      { when: [{ key: 'source.principal', notValues: [REPORT] }] },
      ['shop/web', 'shop/cart', 'shop/other', 'batch/report'],
    ],
  ])('is one more exception: %s', (_name, rule, wanted) => {
    const deny = policy('pay', 'deny', { ...API, action: 'DENY', rules: [rule] });
    const mesh = smallMesh([deny]);
    const finding = refusal(mesh, { policies: [{ kind: 'AuthorizationPolicy', namespace: 'pay', name: 'deny' }] });
    const [narrow] = exceptCaller(finding, mesh);
    if (narrow === undefined) throw new Error('no draft');
    expect(admitted(mesh, narrow)).toContain('shop/web');
    expect(admitted(mesh, narrow)).not.toContain('shop/cart');
    if (wanted === null) {
      expect(widenDraft(narrow, finding, mesh, 'namespace')).toContain('serviceAccounts exclude');
    } else {
      expect(admitted(mesh, widened(narrow, finding, mesh, 'namespace'))).toEqual(wanted);
    }
  });
});

describe('path templates', () => {
  const templates = (...requests: readonly string[]): unknown => templatesOf(requestFlows(...requests));

  it('stand for whole segments in which paths differ', () => {
    expect(templates('GET /users/1/orders', 'GET /users/2/orders')).toEqual([
      { methods: ['GET'], paths: ['/users/{*}/orders'] },
    ]);
    expect(templates('GET /v1/models/bert:predict', 'GET /v1/models/gpt:predict')).toEqual([
      { methods: ['GET'], paths: ['/v1/models/{*}'] },
    ]);
    expect(templates('GET /ns/a/models/x', 'GET /ns/b/models/y')).toEqual([
      { methods: ['GET'], paths: ['/ns/{*}/models/{*}'] },
    ]);
  });

  it('keep the paths that are like no other, and put methods with equal paths together', () => {
    expect(
      templates('GET /users/1', 'GET /users/2', 'GET /health', 'POST /users/3', 'POST /users/4', 'POST /health'),
    ).toEqual([{ methods: ['GET', 'POST'], paths: ['/health', '/users/{*}'] }]);
  });

  it('need two paths of one method that have enough in common', () => {
    expect(templates('GET /users/1/orders')).toBeNull();
    expect(templates('GET /users/1', 'GET /users/1', 'GET /users/1')).toBeNull();
    expect(templates('GET /users/1', 'POST /users/2')).toBeNull();
    expect(templates('GET /login', 'GET /logout')).toBeNull();
    expect(templates('GET /1', 'GET /2')).toBeNull();
    expect(templates('GET /a/b/c', 'GET /a/x/y')).toBeNull();
    expect(templates('GET /a/b', 'GET /a/b/c')).toBeNull();
    expect(templates()).toBeNull();
  });

  it('are not made beside what cannot be listed', () => {
    expect(templates('GET /users/1', 'GET /users/2', 'GET /a*b')).toBeNull();
    expect(templates('GET /users/1', 'GET /users/2', 'GET /a//b')).toBeNull();
    expect(templates('GET /users/1', 'GET /users/2', 'GET /a/../b')).toBeNull();
    const many = Array.from({ length: 9 }, (_, index) => `GET /${'x'.repeat(index + 1)}`);
    expect(templates('GET /users/1', 'GET /users/2', ...many)).toBeNull();
  });

  it('take the place of paths in a new rule, with its port', () => {
    const mesh = smallMesh([policy('pay', 'wide', { rules: [] })], 'sidecar', { istioVersion: '1.27' });
    for (const paths of [2, 8]) {
      const shapes = Array.from(
        { length: paths },
        (_, index) => `GET /models/${'abcdefghijklmnopqrstuvwxyz'.charAt(index)}`,
      );
      const finding = refusal(mesh, { enforcedBy: 'sidecar', flows: requestFlows(...shapes) });
      const narrow = allowCaller(finding, mesh).find(({ changes }) => changes.length > 0);
      if (narrow === undefined) throw new Error('no draft');
      const wide = widened(narrow, finding, mesh, 'path-template');
      expect(rulesOf(wide)).toEqual([
        {
          from: [{ source: { principals: [WEB] } }],
          to: [{ operation: { ports: ['8080'], methods: ['GET'], paths: ['/models/{*}'] } }],
        },
      ]);
      expect(wide.summary).toContain('wider than what was seen');
      expect(wide.risk).not.toContain('for all paths');
      const after = applyChanges(mesh, wide.changes);
      if (after === null) throw new Error('cannot be applied');
      const answer = (path: string): string =>
        decide(after, probeFrom(after, 'shop', 'web', { method: 'GET', path })).outcome;
      expect([answer('/models/a'), answer('/models/zz'), answer('/models/a/b'), answer('/x')]).toEqual([
        'allow',
        'allow',
        'deny',
        'deny',
      ]);
    }
  });

  it('say so where the log shows one path for several of its form', () => {
    const mesh = smallMesh([policy('pay', 'wide', { rules: [] })], 'sidecar');
    const flows = requestFlows('GET /users/1', 'GET /users/2');
    const finding = refusal(mesh, { enforcedBy: 'sidecar', flows });
    const narrow = allowCaller(finding, mesh).find(({ changes }) => changes.length > 0);
    if (narrow === undefined) throw new Error('no draft');
    expect(narrow.risk).toContain('stay refused until their pattern is added');
    const wide = widened(narrow, finding, mesh, 'path-template');
    expect(wide.risk).not.toContain('stay refused');
    expect(wide.risk).toContain('It needs Istio 1.22 or later.');
  });

  it('need a release that knows them, and are for new rules only', () => {
    const old = smallMesh([policy('pay', 'wide', { rules: [] })], 'sidecar', { istioVersion: '1.21' });
    const flows = requestFlows('GET /users/1', 'GET /users/2');
    const finding = refusal(old, { enforcedBy: 'sidecar', flows });
    const narrow = allowCaller(finding, old).find(({ changes }) => changes.length > 0);
    expect(narrow === undefined ? null : widenDraft(narrow, finding, old, 'path-template')).toContain(
      'Istio 1.21 has no path templates',
    );
    const rule = (...principals: readonly string[]): object => ({
      rules: [{ from: [{ source: { principals } }], to: [{ operation: { paths: ['/users/1'] } }] }],
    });
    const [before, after] = [policy('pay', 'a', rule(CART)), policy('pay', 'a', rule(CART, WEB))];
    const mesh = smallMesh([before], 'sidecar');
    expect(widenDraft(draftOfChanges(changeOf(before, after)), finding, mesh, 'path-template')).toBeNull();
  });
});

describe('laws', () => {
  const PRINCIPALS = [WEB, CART, REPORT, 'cluster.local/ns/pay/sa/ledger'];
  const operation = fc.subarray(['8080', '9090'], { minLength: 1 }).map((ports) => [{ operation: { ports } }]);
  const rule = fc.record(
    {
      from: fc.array(
        fc.subarray(PRINCIPALS.slice(1), { minLength: 1 }).map((principals) => ({ source: { principals } })),
        { minLength: 1, maxLength: 2 },
      ),
      to: operation,
    },
    { requiredKeys: ['from'] },
  );

  it('a namespace admits every account of it that the narrow rule covers, and no other namespace more than before', () => {
    const mode = fc.constantFrom('ambient' as const, 'sidecar' as const);
    fc.assert(
      fc.property(fc.array(rule, { minLength: 1, maxLength: 3 }), fc.nat(), mode, (rules, which, dataplane) => {
        const index = which % rules.length;
        const chosen = rules[index] ?? { from: [] };
        const [first, ...others] = chosen.from;
        const from = [{ source: { principals: [...(first?.source.principals ?? []), WEB] } }, ...others];
        const [before, after] = [rules, rules.with(index, { ...chosen, from })].map((list) =>
          policy('pay', 'api', { ...API, rules: list }),
        );
        const mesh = smallMesh([before], dataplane);
        const narrow = draftOfChanges(changeOf(before ?? null, after ?? {}));
        const wide = widened(narrow, refusal(mesh), mesh, 'namespace');
        for (const port of [8080, 9090]) {
          const [now, then] = [admitted(mesh, narrow, port), admitted(mesh, wide, port)];
          const isOf = (name: string): boolean => name.startsWith('shop/');
          expect(then.filter((name) => !isOf(name))).toEqual(now.filter((name) => !isOf(name)));
          if (now.includes('shop/web')) expect(then.filter(isOf)).toEqual(['shop/web', 'shop/cart', 'shop/other']);
          else expect(then.filter(isOf)).toEqual(now.filter(isOf));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('the edits between two objects lead from one to the other', () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    const object = fc.dictionary(fc.constantFrom('a', 'b', 'c'), value);
    fc.assert(
      fc.property(object, object, (before, after) => {
        const distinct = JSON.parse(JSON.stringify(after), (_key, part: unknown) =>
          Array.isArray(part) ? [...new Map(part.map((item) => [JSON.stringify(item), item])).values()] : part,
        );
        const edits = editsBetween(before, distinct);
        const patch = makePatch(before, edits);
        expect(patch === null ? before : patch.after).toEqual(distinct);
      }),
    );
  });
});
