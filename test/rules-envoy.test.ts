import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { envoyParsers } from '../parsers/envoy/index.ts';
import { Analysis } from '../src/analyze.ts';
import { decodeManifests } from '../src/mesh/manifests.ts';
import { createMesh, unknownMesh } from '../src/mesh/view.ts';
import type { Category, Rule } from '../src/model/finding.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { Report } from '../src/model/report.ts';
import type { Flow } from '../src/model/traffic.ts';
import { categoriesOf, SOME_TIME } from './analysis.ts';
import { hasShared, needsShared, shared } from './shared.ts';

const rules = await loadRules();

async function loadRules(): Promise<readonly Rule[]> {
  const folder = new URL('../rules/', import.meta.url);
  const names = readdirSync(folder).filter((name) => /^(?:envoy|knative)-.*\.ts$/.test(name));
  const modules = await Promise.all(names.map((name) => import(new URL(name, folder).href)));
  return modules.map((module: { rule: Rule }) => module.rule);
}

/** Feeds texts as one input each. `claims` gets, for every flow that is judged, the rules that claim it. */
function reportOn(texts: readonly string[], mesh: MeshView, claims: string[][] = []): Report {
  const watched = rules.map((rule) => watch(rule, claims));
  const tool = { name: 'meshmend', version: 'test' };
  const analysis = new Analysis({
    parsers: envoyParsers,
    wrappings: [],
    rules: watched,
    mesh,
    tool,
    since: null,
    until: null,
  });
  texts.forEach((text, number) => {
    const input = `log ${number}`;
    text.split('\n').forEach((line, index) => {
      analysis.feed({ at: { input, line: index + 1 }, text: line, truncated: false });
    });
    analysis.end(input);
  });
  return analysis.report(SOME_TIME, false);
}

const byFlow = new WeakMap<Flow, string[]>();

function watch(rule: Rule, claims: string[][]): Rule {
  return {
    ...rule,
    match(flow, mesh) {
      const match = rule.match(flow, mesh);
      if (match === null) return null;
      const known = byFlow.get(flow) ?? [];
      if (known.length === 0) claims.push(known);
      byFlow.set(flow, known);
      known.push(`${rule.meta.id} (${match.certainty})`);
      return match;
    },
  };
}

interface Expectation {
  readonly must: readonly Category[];
  readonly may?: readonly Category[];
}

const root = shared('captures/envoy/');
const folders = hasShared ? readdirSync(root).filter((name) => !name.startsWith('_')) : [];
const expected: Record<string, Expectation> = hasShared
  ? parse(readFileSync(shared('captures/expected.yaml'), 'utf8')).envoy
  : {};

/** The scenario behind a folder name: without release, `-debug` and number behind. */
function scenarioOf(folder: string): string {
  return folder.replace(/(?:-debug)?(?:-envoy-1\.\d+)?(?:-\d)?$/, '');
}

function texts(folder: string, format: string, ends: readonly string[]): readonly string[] {
  return ends
    .map((end) => `${root}${folder}/${end}${format}.log`)
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, 'utf8'));
}

/** The mesh as the scenario describes it. */
function meshOf(folder: string): MeshView {
  const { policiesInForce, meshConfig } = parse(readFileSync(`${root}${folder}/meta.yaml`, 'utf8'));
  const map = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'istio', namespace: 'istio-system' },
    data: { mesh: stringify(meshConfig ?? {}) },
  };
  const manifests = [
    readFileSync(`${root}_world.yaml`, 'utf8'),
    ...[map, ...(policiesInForce ?? [])].map((value) => stringify(value)),
  ];
  return createMesh(decodeManifests(manifests.join('\n---\n'), 'meta.yaml').objects);
}

/** What one proxy's text alone cannot tell: another scenario prints the same bytes. */
const UNDECIDABLE_WITHOUT_MESH = ['client-dr-simple-to-strict', 'client-own-cert-expired'];

describe.skipIf(!hasShared)(needsShared('captures of Envoy'), () => {
  describe.each(['text', 'json', 'legacy-1.9-1.22', 'custom-text', 'custom-json'])('%s', (format) => {
    test.each(folders)('%s', (folder) => {
      const both = texts(folder, format, ['', 'client.', 'server.']);
      const claims: string[][] = [];
      const report = reportOn(both, unknownMesh, claims);
      check(folder, report, UNDECIDABLE_WITHOUT_MESH.includes(scenarioOf(folder)));
      expect(claims.filter((claimed) => claimed.length > 1)).toEqual([]);
    });
  });

  test.each(folders)('%s with its mesh', (folder) => {
    check(folder, reportOn(texts(folder, 'text', ['', 'client.', 'server.']), meshOf(folder)), false);
  });

  test.each(folders.filter((folder) => existsSync(`${root}${folder}/debug.log`)))('%s debug log', (folder) => {
    check(folder, reportOn(texts(folder, 'debug', ['']), unknownMesh), true);
  });

  test.each(folders)('%s in formats without details is never called something else', (folder) => {
    for (const format of ['legacy-1.8', 'legacy-1.3-1.7']) {
      check(folder, reportOn(texts(folder, format, ['', 'client.', 'server.']), unknownMesh), true);
    }
  });
});

function check(folder: string, report: Report, mayBeLess: boolean): void {
  const found = categoriesOf(report);
  const { must, may = [] } = expected[scenarioOf(folder)] ?? { must: [] };
  const missing = mayBeLess ? [] : must.filter((category) => !found.includes(category));
  const wrong = found.filter((category) => !must.includes(category) && !may.includes(category));
  const seen = report.findings.map(({ ruleId, category, level, evidence }) => [
    ruleId,
    category,
    level,
    evidence[0]?.raw,
  ]);
  expect({ missing, wrong }, JSON.stringify(seen, null, 1)).toEqual({ missing: [], wrong: [] });
  expect(report.problems.filter(({ about }) => about.startsWith('rule'))).toEqual([]);
  for (const { level, ruleId, remedies } of report.findings) {
    if (level !== 'note') expect([ruleId, remedies.length]).not.toEqual([ruleId, 0]);
  }
}
