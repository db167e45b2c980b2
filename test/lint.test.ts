import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { staticRules } from '../rules/static/index.ts';
import { lintMesh } from '../src/lint/lint.ts';
import { deployed } from '../src/mesh/deployed.ts';
import { decodeManifests } from '../src/mesh/manifests.ts';
import { createMesh } from '../src/mesh/view.ts';
import type { KubeObject, MeshView } from '../src/model/mesh.ts';
import type { Report, ReportedFinding } from '../src/model/report.ts';
import type { StaticRule } from '../src/model/static.ts';
import { applyChanges } from '../src/remedy/apply.ts';
import { draftOf, patchObject } from '../src/remedy/edits/change.ts';
import { reportSchema } from '../src/report/schema.ts';
import { SOME_TIME } from './analysis.ts';
import { casesIn, expectCases, expectRegistered, expectWholePage } from './rule-cases.ts';

const FIXTURES = 'fixtures/static';
const ids = staticRules.map(({ meta }) => meta.id);
const cases = casesIn(FIXTURES);

describe('the registry of static rules', () => {
  it('names every file of the folder, sorted', () => {
    expectRegistered(ids, 'rules/static');
  });

  it.each(staticRules.map(({ meta }) => [meta.id, meta] as const))('%s has a whole page', (_id, meta) => {
    expectWholePage(meta);
  });
});

describe('fixtures of static rules', () => {
  it('exist for every rule: one case that fires, one that is quiet, and for no other', () => {
    expectCases(ids, cases, FIXTURES);
  });

  it.each(cases)('%s: %s', async (id, name) => {
    const path = join(FIXTURES, id, name, 'mesh.yaml');
    const report = lint(meshOf(path));
    const own = report.findings.filter(({ ruleId }) => ruleId === id);
    expect(report.problems.filter(({ about }) => about.startsWith('rule'))).toEqual([]);
    if (name.startsWith('quiet-')) expect(own).toEqual([]);
    else expect(own.length).toBeGreaterThan(0);
    const { generatedAt: _, tool: __, ...told } = report;
    await expect(`${JSON.stringify(told, null, 2)}\n`).toMatchFileSnapshot(
      `../${join(FIXTURES, id, name)}/expected.json`,
    );
  });
});

describe('laws of lint', () => {
  const valid = new Ajv2020({ strict: false }).compile(reportSchema);

  it.each(cases)('%s: %s keeps the promise of the report, and tells the line', (id, name) => {
    const report = lint(meshOf(join(FIXTURES, id, name, 'mesh.yaml')));
    expect(valid(report), JSON.stringify(valid.errors)).toBe(true);
    for (const { evidence } of report.findings) expect(evidence[0]?.line).toBeGreaterThan(0);
  });

  it.each(cases)('%s: %s: a change ends its finding, and makes none that is worse', (id, name) => {
    const mesh = meshOf(join(FIXTURES, id, name, 'mesh.yaml'));
    const before = lint(mesh);
    for (const finding of before.findings) {
      for (const { changes } of finding.remedies.filter(({ changes }) => changes.length > 0)) {
        const after = applyChanges(mesh, changes);
        expect(after).not.toBeNull();
        const told = after === null ? [] : lint(after).findings;
        expect(told.map(({ fingerprint }) => fingerprint)).not.toContain(finding.fingerprint);
        const known = new Set(before.findings.map(({ ruleId }) => ruleId));
        expect(loud(told).filter(({ ruleId }) => !known.has(ruleId))).toEqual([]);
      }
    }
  });

  it('the order of objects does not count', () => {
    const objects = cases.flatMap(([id, name]) => objectsOf(join(FIXTURES, id, name, 'mesh.yaml')));
    const unique = [...new Map(objects.map((object) => [keyOf(object), object])).values()];
    const told = (order: readonly KubeObject[]): readonly string[] =>
      lint(createMesh(order)).findings.map(({ fingerprint, cause }) => `${fingerprint} ${cause}`);
    const wanted = told(unique);
    fc.assert(
      fc.property(fc.shuffledSubarray(unique, { minLength: unique.length }), (order) => {
        expect(told(order)).toEqual(wanted);
      }),
      { numRuns: 10 },
    );
  });

  it('at most 1,000 findings are told, and how many more there are', () => {
    const empty = Array.from({ length: 1010 }, (_, index) => ({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: `policy${index}`, namespace: `ns${index}` },
      spec: { rules: [{}] },
    }));
    const report = lint(createMesh(empty), [only('allow-everything')]);
    expect(report.findings).toHaveLength(1000);
    expect(report.problems).toContainEqual({ about: 'findings', message: expect.stringMatching(/^10 more findings/) });
  });

  it('a finding stands on the line of its own object, not of one with its name elsewhere', () => {
    const policy = (namespace: string): string =>
      `- apiVersion: security.istio.io/v1\n  kind: AuthorizationPolicy\n  metadata:\n    name: same\n    namespace: ${namespace}\n  spec:\n    rules:\n    - {}\n`;
    const text = `apiVersion: v1\nkind: List\nitems:\n${policy('one')}${policy('two')}`;
    const objects = decodeManifests(text, 'mesh.yaml').objects;
    const mesh = createMesh(objects, { sources: ['mesh.yaml'], texts: new Map([['mesh.yaml', text]]) });
    const lines = lint(mesh, [only('allow-everything')]).findings.map(({ policies: [ref], evidence: [place] }) => [
      ref?.namespace,
      place?.line,
    ]);
    expect(lines).toEqual([
      ['one', 11],
      ['two', 19],
    ]);
  });

  it.each([
    ['the same labels', 'shop', '{selector: {matchLabels: {app: web}}, jwtRules: []}', true],
    ['all pods of the namespace', 'shop', '{jwtRules: []}', true],
    ['all pods of the mesh', 'istio-system', '{jwtRules: []}', true],
    ['a label that its pods have too', 'shop', '{selector: {matchLabels: {tier: front}}, jwtRules: []}', true],
    ['other pods of the namespace', 'shop', '{selector: {matchLabels: {app: cart}}, jwtRules: []}', false],
    ['another namespace', 'pay', '{jwtRules: []}', false],
  ])('a token is checked by a RequestAuthentication for %s, or is not', (_what, namespace, spec, isChecked) => {
    const pods = ['web', 'cart'].map(
      (app) =>
        `---\napiVersion: v1\nkind: Pod\nmetadata: {name: ${app}, namespace: shop, labels: {app: ${app}, tier: front}}\nstatus: {podIP: 10.0.0.${app.length}}\n`,
    );
    const text = `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: web, namespace: shop}\nspec: {selector: {matchLabels: {app: web}}, rules: [{from: [{source: {requestPrincipals: ['*']}}]}]}\n---\napiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: jwt, namespace: ${namespace}}\nspec: ${spec}\n${pods.join('')}`;
    const { findings } = lint(createMesh(decodeManifests(text, 'mesh.yaml').objects), [only('token-unchecked')]);
    expect(findings.length === 0).toBe(isChecked);
  });

  it.each([
    ['what must never be advised', { rules: [{}] }, 'must never be advised'],
    ['what an API server would refuse', { action: 'NONE', rules: [] }, 'an API server would refuse'],
  ])('a rule that proposes %s is told of, and the change is not', (_what, spec, told) => {
    const [object] = decodeManifests(
      'apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: web, namespace: shop}\nspec: {rules: [{from: [{source: {principals: [a/ns/b/sa/c]}}]}]}\n',
      'mesh.yaml',
    ).objects;
    const change = object === undefined ? null : patchObject(object, [{ op: 'set', at: ['spec'], value: spec }]);
    if (object === undefined || change === null) throw new Error('no change');
    const notes = { kind: 'policy-change', summary: 'Change it.', risk: null, verify: [] } as const;
    const wrong: StaticRule = {
      ...only('allow-everything'),
      check: () => [{ object, at: [], certainty: 'certain', cause: 'It is.', drafts: [draftOf([change], notes)] }],
    };
    const report = lint(createMesh([object]), [wrong]);
    expect(report.findings.map(({ remedies }) => remedies)).toEqual([[]]);
    expect(report.problems.map(({ message }) => message).join()).toContain(told);
  });

  // What grows with the square of these takes longer than a test may.
  it('reads a mesh of 5,000 pods and 1,000 policies', () => {
    expect(lint(createMesh(largeMesh(5000, 1000))).findings.length).toBeGreaterThan(0);
  });
});

function only(id: string): StaticRule {
  const rule = staticRules.find(({ meta }) => meta.id === id);
  if (rule === undefined) throw new Error(`no rule ${id}`);
  return rule;
}

function lint(mesh: MeshView, rules: readonly StaticRule[] = staticRules): Report {
  const tool = { name: 'meshmend', version: 'test' };
  return lintMesh({ rules, mesh, tool, generatedAt: SOME_TIME, problems: [] });
}

function loud(findings: readonly ReportedFinding[]): readonly ReportedFinding[] {
  return findings.filter(({ level }) => level !== 'note');
}

function objectsOf(path: string): readonly KubeObject[] {
  return decodeManifests(readFileSync(path, 'utf8'), path).objects;
}

function meshOf(path: string): MeshView {
  const texts = new Map([[path, readFileSync(path, 'utf8')]]);
  return createMesh(deployed(objectsOf(path)), { sources: [path], texts });
}

function keyOf({ kind, metadata }: KubeObject): string {
  return `${kind}/${metadata.namespace}/${metadata.name}`;
}

/** One namespace in ambient mode: every tenth policy selects nobody, names somebody who is not there, or asks for HTTP. */
function largeMesh(pods: number, policies: number): readonly unknown[] {
  const namespace = 'shop';
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { 'istio.io/dataplane-mode': 'ambient' } },
    },
    ...Array.from({ length: pods }, (_, index) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `app${index % 500}-${index}`, namespace, labels: { app: `app${index % 500}` } },
      spec: {
        serviceAccountName: `app${index % 500}`,
        containers: [{ name: 'app', ports: [{ containerPort: 8080 }] }],
      },
      status: { podIP: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}` },
    })),
    ...Array.from({ length: policies }, (_, index) => ({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: `policy${index}`, namespace },
      spec: {
        selector: { matchLabels: { app: index % 10 === 0 ? `gone${index}` : `app${index % 500}` } },
        action: index % 3 === 0 ? 'DENY' : 'ALLOW',
        rules: [
          {
            from: [{ source: { principals: [`cluster.local/ns/${namespace}/sa/app${index}`] } }],
            ...(index % 10 === 1 ? { to: [{ operation: { methods: ['GET'] } }] } : {}),
          },
        ],
      },
    })),
    ...Array.from({ length: policies / 5 }, (_, index) => ({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: `token${index}`, namespace },
      spec: { rules: [{ from: [{ source: { requestPrincipals: [`issuer/${index}`] } }] }] },
    })),
    ...Array.from({ length: policies / 5 }, (_, index) => ({
      apiVersion: 'security.istio.io/v1',
      kind: 'RequestAuthentication',
      metadata: { name: `tokens${index}`, namespace },
      spec: { selector: { matchLabels: { app: `gone${index}` } }, jwtRules: [{ issuer: 'issuer' }] },
    })),
    ...Array.from({ length: policies / 5 }, (_, index) => ({
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { name: `peer${index}`, namespace },
      spec: { selector: { matchLabels: { app: `app${index}` } }, mtls: { mode: 'STRICT' } },
    })),
  ];
}
