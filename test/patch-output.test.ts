import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { applyPatch as applyDiff, parsePatch } from 'diff';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { decodeManifests } from '../src/mesh/manifests.ts';
import { readMesh } from '../src/mesh/read.ts';
import { createMesh } from '../src/mesh/view.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { ObjectChange, Remedy } from '../src/model/remedy.ts';
import type { ReportedFinding } from '../src/model/report.ts';
import { securityApi } from '../src/remedy/edits/api-version.ts';
import { applyPatch, decodePatch, isDone } from '../src/remedy/edits/apply-patch.ts';
import { createObject, draftOf, type PlannedChange, patchObject } from '../src/remedy/edits/change.ts';
import { deepCopy, type Edit, makePatch } from '../src/remedy/edits/json-patch.ts';
import { asStored } from '../src/remedy/edits/stored.ts';
import { checkCreation, checkPatch } from '../src/remedy/patch/check-patch.ts';
import { planChanges } from '../src/remedy/patch/plan.ts';
import { patchFiles, renderPatchStream } from '../src/render/patch.ts';
import { recordOf } from '../src/text/untyped.ts';
import { reportOnFiles } from './analysis.ts';
import { BLANK_FINDING } from './small-mesh.ts';

const FILE = 'policies.yaml';
const POLICIES = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: web, namespace: shop}
spec:
  action: ALLOW
  rules:
  - from:
    - source:
        principals: [cluster.local/ns/front/sa/front] # the front
    to:
    - operation:
        ports: ["80"]
  - from:
    - source:
        principals:
        - cluster.local/ns/back/sa/back
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict, namespace: shop}
spec:
  mtls: {mode: STRICT}
`;
const A = 'cluster.local/ns/a/sa/a';
const B = 'cluster.local/ns/b/sa/b';
const FIRST = ['spec', 'rules', 0, 'from', 0, 'source', 'principals'];
const SECOND = ['spec', 'rules', 1, 'from', 0, 'source', 'principals'];
const PORTS = ['spec', 'rules', 0, 'to', 0, 'operation', 'ports'];

const { objects: OBJECTS } = decodeManifests(POLICIES, FILE);
const MESH = createMesh(OBJECTS, { texts: new Map([[FILE, POLICIES]]) });

function patched(edits: readonly Edit[], index = 0): PlannedChange {
  const object = OBJECTS[index];
  const planned = object === undefined ? null : patchObject(object, edits);
  if (planned === null) throw new Error('nothing to change');
  return planned;
}

function append(at: readonly (string | number)[], value: unknown): PlannedChange {
  return patched([{ op: 'append', at, value }]);
}

function finding(planned: readonly PlannedChange[], parts: Partial<Remedy> = {}): ReportedFinding {
  const draft = draftOf(planned, { kind: 'policy-change', summary: 'Admit it.', risk: null, verify: ['kubectl logs'] });
  const remedy: Remedy = {
    ...draft,
    verification: {
      status: 'verified',
      reason: 'replayed',
      fixes: { of: 1, fixed: 1 },
      newlyAllows: [],
      newlyDenies: [],
      probes: [],
    },
    reach: null,
    ...parts,
  };
  const { flows: _, ...blank } = BLANK_FINDING;
  return { ...blank, remedies: [remedy] };
}

function filesOf(findings: readonly ReportedFinding[], mesh: MeshView = MESH): ReadonlyMap<string, string> {
  return new Map(patchFiles(planChanges(findings, mesh)).map(({ name, text }) => [name, text]));
}

describe('the files of a report', () => {
  it('are a patch, what Kustomize needs, a diff and the commands', () => {
    const files = filesOf([finding([append(FIRST, A)])]);
    expect([...files.keys()]).toEqual([
      '1-authorizationpolicy-shop-web.json',
      'kustomization.yaml',
      'changes.diff',
      'commands.txt',
    ]);
    expect(parse(files.get('kustomization.yaml') ?? '')).toEqual({
      apiVersion: 'kustomize.config.k8s.io/v1alpha1',
      kind: 'Component',
      patches: [
        {
          path: '1-authorizationpolicy-shop-web.json',
          target: {
            group: 'security.istio.io',
            version: 'v1',
            kind: 'AuthorizationPolicy',
            namespace: 'shop',
            name: 'web',
          },
        },
      ],
    });
    const operations = decodePatch(JSON.parse(files.get('1-authorizationpolicy-shop-web.json') ?? ''));
    expect(operations?.map(({ op, path }) => [op, path])).toEqual([
      ['test', '/kind'],
      ['test', '/metadata/namespace'],
      ['test', '/metadata/name'],
      ['test', '/spec/action'],
      ['test', '/spec/rules/0/from/0/source/principals'],
      ['add', '/spec/rules/0/from/0/source/principals/-'],
    ]);
    const commands = (files.get('commands.txt') ?? '')
      .split('\n')
      .filter((line) => !line.startsWith('#') && line !== '');
    expect(commands.map((line) => line.replace(/ -p .*/, ''))).toEqual([
      'kubectl -n shop get authorizationpolicy web -o yaml',
      'kubectl -n shop patch authorizationpolicy web --dry-run=server --warnings-as-errors --type=json --patch-file=1-authorizationpolicy-shop-web.json',
      'kubectl -n shop patch authorizationpolicy web --type=json --patch-file=1-authorizationpolicy-shop-web.json',
      'kubectl logs',
      'kubectl -n shop patch authorizationpolicy web --type=json',
    ]);
  });

  it('what is new is a manifest with the label of its maker, checked strictly', () => {
    const planned = createObject({ apiVersion: 'x/v1', kind: 'Thing', namespace: 'shop', name: 'n', spec: { a: 1 } });
    const files = filesOf([finding([planned])]);
    expect(parse(files.get('1-thing-shop-n.yaml') ?? '')).toEqual(planned.change.after);
    expect(planned.change.yaml).toContain('app.kubernetes.io/managed-by: meshmend');
    expect(parse(files.get('kustomization.yaml') ?? '')).toMatchObject({ resources: ['1-thing-shop-n.yaml'] });
    expect(files.get('commands.txt')).toContain(
      'kubectl create --validate=strict --dry-run=server -f 1-thing-shop-n.yaml\n',
    );
    expect(files.has('changes.diff')).toBe(false);
  });

  it('items of one list and of different rules are one patch and one diff; equal changes are one', () => {
    const twice = [append(FIRST, A), append(FIRST, B), append(FIRST, A), append(SECOND, B)];
    const { objects, diffs, leftOut } = planChanges(
      twice.map((planned) => finding([planned])),
      MESH,
    );
    expect(leftOut).toEqual([]);
    expect(objects.length).toBe(1);
    const outcome = applyPatch(recordOf(OBJECTS[0]?.raw), objects[0]?.jsonPatch ?? []);
    const changed = applyDiff(POLICIES, diffs[0]?.text ?? '');
    expect(outcome).toEqual({ ok: true, after: decodeManifests(String(changed), FILE).objects[0]?.raw });
    expect(changed).toContain(`principals: [cluster.local/ns/front/sa/front, ${A}, ${B}] # the front`);
  });

  it('what would allow more together than each alone is left for another run, whole', () => {
    const strict = patched([{ op: 'set', at: ['spec', 'mtls', 'mode'], value: 'PERMISSIVE' }], 1);
    const both = finding([strict, append(PORTS, '90')], { summary: 'Open both.' });
    const { objects, leftOut, remedies } = planChanges([finding([append(FIRST, A)]), both], MESH);
    expect(objects.map(({ object }) => object.name)).toEqual(['web']);
    expect(remedies.length).toBe(1);
    expect(leftOut).toEqual([
      { summary: 'Open both.', because: expect.stringContaining('AuthorizationPolicy shop/web is changed') },
    ]);
  });

  it('what is not proved is left out; what needs a decision is written down, but not among what changes all at once', () => {
    const unproved = finding([append(FIRST, A)]);
    const [remedy] = unproved.remedies;
    const status = { ...remedy?.verification, status: 'unverifiable', reason: 'no mesh' } as Remedy['verification'];
    const plan = planChanges([finding([append(FIRST, A)], { verification: status })], MESH);
    expect(plan.objects).toEqual([]);
    expect(renderPatchStream(plan)).toContain('meshmend: no change to apply; 1 cause was found');
    expect(renderPatchStream(plan)).toContain('not proved: no mesh');
    const files = filesOf([finding([append(FIRST, A)], { decision: 'It is a DENY.' })]);
    expect([...files.keys()]).toEqual(['1-authorizationpolicy-shop-web.json', 'commands.txt']);
    expect(files.get('commands.txt')).toContain('# Only if its owner agrees (It is a DENY.)');
  });

  it('the stream is YAML, every file a document of it', () => {
    const files = patchFiles(planChanges([finding([append(FIRST, A)])], MESH));
    const stream = renderPatchStream(planChanges([finding([append(FIRST, A)])], MESH));
    const documents = parseAllDocuments(stream);
    expect([...stream.matchAll(/^# file: (.*)$/gm)].map(([, name]) => name)).toEqual(files.map(({ name }) => name));
    expect(documents.map((document) => document.toJS())).toEqual(
      files.map(({ name, text }) => (/json$|yaml$/.test(name) ? parse(text) : text)),
    );
  });

  it('for any names, files have plain names that differ, and the stream stays one document a file', () => {
    const hostile = fc.string({ unit: 'binary', minLength: 1, maxLength: 90 });
    fc.assert(
      fc.property(fc.array(fc.tuple(hostile, hostile, hostile), { minLength: 1, maxLength: 4 }), (names) => {
        const findings = names.map(([kind, namespace, name]) =>
          finding([createObject({ apiVersion: 'x/v1', kind, namespace, name, spec: {} })], { summary: name }),
        );
        const plan = planChanges(findings, MESH);
        const files = patchFiles(plan);
        expect(new Set(files.map(({ name }) => name)).size).toBe(files.length);
        for (const { name } of files)
          expect(name).toMatch(/^[a-z0-9](?:[a-z0-9-]|\.(?!\.)){0,220}\.(?:json|yaml|diff|txt)$/);
        const documents = parseAllDocuments(renderPatchStream(plan));
        expect(documents.map(({ errors }) => errors.length)).toEqual(files.map(() => 0));
        expect(patchFiles(planChanges(findings, MESH))).toEqual(files);
      }),
      { numRuns: 200 },
    );
  });

  it('paths above or outside the folder are told from there', () => {
    const up = createMesh(decodeManifests(POLICIES, '../p/a.yaml').objects, {
      texts: new Map([['../p/a.yaml', POLICIES]]),
    });
    const [object] = up.objectsOf('AuthorizationPolicy');
    const planned = object === undefined ? null : patchObject(object, [{ op: 'append', at: FIRST, value: A }]);
    if (planned === null) throw new Error('nothing to change');
    const files = filesOf([finding([planned])], up);
    expect(parsePatch(files.get('changes.diff') ?? '')[0]?.oldFileName).toBe('a/p/a.yaml');
    expect(files.get('commands.txt')).toContain('patch -d .. -p1 < DIR/changes.diff');
  });
});

const value = fc.jsonValue({ maxDepth: 3 });
const key = fc.constantFrom('a', 'b', 'a/b', '~', '__proto__', '0');
const edit: fc.Arbitrary<Edit> = fc
  .tuple(
    fc.constantFrom('append', 'set', 'unset'),
    fc.array(fc.oneof(key, fc.nat(2)), { minLength: 1, maxLength: 3 }),
    value,
  )
  .map(([op, at, given]) =>
    op === 'unset' ? { op, at } : op === 'set' ? { op, at, value: given } : { op: 'append', at, value: given },
  );
const object = fc.dictionary(key, value, { maxKeys: 4 }).map((fields) => deepCopy(fields));

describe('laws of patches', () => {
  it('a patch applied gives the object after, its inverse the one before, and then it is done', () => {
    fc.assert(
      fc.property(object, fc.array(edit, { minLength: 1, maxLength: 3 }), (before, edits) => {
        const patch = makePatch(before, edits);
        if (patch === null) return;
        expect(applyPatch(before, patch.operations)).toEqual({ ok: true, after: patch.after });
        if (edits.length > 1) return;
        expect(applyPatch(patch.after, patch.inverse)).toEqual({ ok: true, after: before });
        if (edits[0]?.op !== 'unset') expect(isDone(patch.after, patch.operations)).toBe(true);
      }),
    );
  });

  it('an object that changed in a tested place makes exactly that test fail', () => {
    fc.assert(
      fc.property(object, edit, (before, one) => {
        const patch = makePatch(before, [one]);
        const [test] = patch?.operations ?? [];
        if (patch === null || test?.op !== 'test' || test.path === '') return;
        const stale = applyPatch(before, [{ op: 'replace', path: test.path, value: 'something else' }]);
        if (!stale.ok || test.value === 'something else') return;
        expect(applyPatch(stale.after, patch.operations)).toEqual({ ok: false, failed: test, found: 'something else' });
      }),
    );
  });

  it('holds for every change that the rules propose for the fixtures', () => {
    const folders = readdirSync('fixtures/rules', { recursive: true, encoding: 'utf8' })
      .map((path) => `fixtures/rules/${path}`)
      .filter((path) => existsSync(`${path}/mesh.yaml`) && existsSync(`${path}/input.log`))
      // In a scenario objects are no documents of their own.
      .filter((path) => !readFileSync(`${path}/mesh.yaml`, 'utf8').includes('schema: mesh-scenario'));
    let seen = 0;
    for (const folder of folders) {
      const { objects, texts } = readMesh([`${folder}/mesh.yaml`]);
      const mesh = createMesh(objects, { texts });
      const { findings } = reportOnFiles([`${folder}/input.log`], mesh);
      const changes = findings.flatMap(({ remedies }) => remedies.flatMap((remedy) => remedy.changes));
      for (const change of changes.filter(({ op }) => op === 'patch')) {
        seen += 1;
        expectSound(change, mesh);
      }
    }
    expect(seen).toBeGreaterThan(5);
  });
});

function expectSound({ before, after, jsonPatch, file, diff }: ObjectChange, mesh: MeshView): void {
  expect(applyPatch(recordOf(before), jsonPatch ?? [])).toEqual({ ok: true, after });
  const text = file === null ? null : mesh.sourceText(file);
  expect(diff).not.toBeNull();
  const read = decodeManifests(String(applyDiff(text ?? '', diff ?? '')), 'after.yaml').objects.map(({ raw }) => raw);
  expect(read.map(asStored)).toContainEqual(after);
  const others = decodeManifests(text ?? '', 'before.yaml').objects.map(({ raw }) => raw);
  expect(read.length).toBe(others.length);
  expect(read.filter((raw, index) => JSON.stringify(raw) !== JSON.stringify(others[index])).length).toBe(1);
}

describe('a manifest with characters that move a cursor, or end a line for some', () => {
  it('says the same, and holds none of them', () => {
    const odd = 'a\u009b31mb\u202ec\u2028d\u0085e\u200bf';
    const named = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'shop', name: 'odd' };
    const { change } = createObject({ ...named, spec: { odd, lines: 'one\ntwo' } });
    expect(parse(change.yaml)).toEqual(change.after);
    expect(change.yaml).toMatch(/^[\n\x20-\x7e]*$/);
    expect(createObject({ ...named, spec: { lines: 'one\ntwo' } }).change.yaml).toContain('  lines: |-\n');
  });
});

describe('whether a patch still fits', () => {
  const [planned] = planChanges([finding([append(FIRST, A)])], MESH).objects;
  const operations = planned?.jsonPatch ?? [];
  const meshOf = (text: string): MeshView => createMesh(decodeManifests(text, FILE).objects);

  it.each([
    ['fits', POLICIES, 'fits', null],
    ['is done', POLICIES.replace('sa/front]', `sa/front, ${A}]`), 'done', null],
    [
      'has nothing to go to',
      POLICIES.replace('name: web', 'name: other'),
      'stale',
      'there is no such object in the mesh',
    ],
    [
      'has another of its name in another namespace',
      POLICIES.replace('name: web, namespace: shop', 'name: web'),
      'stale',
      'there is no such object in the mesh',
    ],
    [
      'another value',
      POLICIES.replace('sa/front]', 'sa/back]'),
      'stale',
      'spec.rules[0].from[0].source.principals[0] is now cluster.local/ns/front/sa/back, was cluster.local/ns/front/sa/front when the logs were read',
    ],
    [
      'one more',
      POLICIES.replace('sa/front]', 'sa/front, more]'),
      'stale',
      'spec.rules[0].from[0].source.principals[1] is now more, was not there when the logs were read',
    ],
    [
      'another meaning',
      POLICIES.replace('ALLOW', 'DENY'),
      'stale',
      'spec.action is now DENY, was ALLOW when the logs were read',
    ],
    [
      'one less',
      POLICIES.replace('principals: [cluster.local/ns/front/sa/front]', 'namespaces: [front]'),
      'stale',
      'spec.rules[0].from[0].source.principals is gone, was ["cluster.local/ns/front/sa/front"] when the logs were read',
    ],
  ])('%s', (_name, text, state, because) => {
    expect(checkPatch(operations, meshOf(text))).toEqual({ about: 'AuthorizationPolicy shop/web', state, because });
  });

  it('fits an object as somebody wrote it, without what the API server fills in', () => {
    const text = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n';
    const [namespace] = decodeManifests(text, FILE).objects;
    const edits: Edit[] = [{ op: 'set', at: ['metadata', 'labels', 'istio.io/dataplane-mode'], value: 'ambient' }];
    const made = namespace === undefined ? null : patchObject(namespace, edits);
    expect(
      checkPatch(
        [
          { op: 'test', path: '/kind', value: 'Namespace' },
          { op: 'test', path: '/metadata/name', value: 'shop' },
          ...(made?.change.jsonPatch ?? []),
        ],
        meshOf(text),
      )?.state,
    ).toBe('fits');
  });

  it('names a field that was replaced', () => {
    const [other] = planChanges(
      [finding([patched([{ op: 'set', at: ['spec', 'mtls', 'mode'], value: 'PERMISSIVE' }], 1)])],
      MESH,
    ).objects;
    expect(checkPatch(other?.jsonPatch ?? [], meshOf(POLICIES.replace('STRICT', 'DISABLE')))).toMatchObject({
      because: 'spec.mtls.mode is now DISABLE, was STRICT when the logs were read',
    });
  });

  it('a new object fits while its name is free, and is done when it is there', () => {
    const [strict] = decodeManifests(POLICIES, FILE).objects.slice(1);
    if (strict === undefined) throw new Error('no object');
    expect(checkCreation(strict, meshOf(POLICIES)).state).toBe('done');
    expect(checkCreation(strict, meshOf(POLICIES.replace('name: strict', 'name: other'))).state).toBe('fits');
    expect(checkCreation(strict, meshOf(POLICIES.replace('STRICT', 'DISABLE')))).toMatchObject({
      state: 'stale',
      because: 'there is another one of this name: spec.mtls.mode is now DISABLE, was STRICT',
    });
  });

  it('what is no patch of this program is told from one that is', () => {
    expect(checkPatch([{ op: 'remove', path: '/spec' }], MESH)).toBeNull();
    for (const odd of [null, {}, [], [{ op: 'move', path: '/a', from: '/b' }], [{ op: 'add', path: 'a', value: 1 }]]) {
      expect(decodePatch(odd)).toBeNull();
    }
  });
});

describe('the apiVersion of new policies', () => {
  const beta = POLICIES.replaceAll('security.istio.io/v1', 'security.istio.io/v1beta1');
  it.each([
    ['1.21', POLICIES, 'v1beta1'],
    ['1.22.1', beta, 'v1'],
    [undefined, beta, 'v1beta1'],
    [undefined, POLICIES, 'v1'],
    [undefined, '', 'v1'],
  ])('release %s', (istioVersion, text, version) => {
    const options = istioVersion === undefined ? {} : { istioVersion };
    expect(securityApi(createMesh(decodeManifests(text, FILE).objects, options))).toBe(`security.istio.io/${version}`);
  });
});
