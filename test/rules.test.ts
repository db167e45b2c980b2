import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parsers, wrappings } from '../parsers/index.ts';
import { rules } from '../rules/index.ts';
import { staticRules } from '../rules/static/index.ts';
import { decodeManifests } from '../src/mesh/manifests.ts';
import { createMesh } from '../src/mesh/view.ts';
import { renderRulesReadme } from '../src/render/explain.ts';
import { reportOn } from './analysis.ts';
import { rowSections } from './rows.ts';
import { casesIn, expectCases, expectRegistered, expectWholePage } from './rule-cases.ts';

const ids = rules.map((rule) => rule.meta.id);

describe('the registry of rules', () => {
  it('names every file of the folder, sorted', () => {
    expectRegistered(ids, 'rules');
  });

  it.each(rules.map((rule) => [rule.meta.id, rule] as const))('%s has a whole page', (_id, { meta, on }) => {
    expectWholePage(meta);
    expect(on.length).toBeGreaterThan(0);
  });

  it.each([...rules, ...staticRules].map((rule) => [rule.meta.id, rule.meta] as const))(
    '%s can be acted on',
    (_id, { page, cites }) => {
      for (const command of page.confirm) {
        expect(command).toMatch(/^(?:kubectl|istioctl|curl|openssl|nslookup|nc|printf|date) \S|^date /);
        expect(command).not.toMatch(/[<>\n]|\.\.\./);
      }
      // What not to do, and why: more than a ban.
      expect(page.never).toMatch(/^Do not /);
      expect(page.never.length).toBeGreaterThan(45);
      expect(cites.filter((cite) => !isCitation(cite))).toEqual([]);
    },
  );

  it('rules/README.md is what the metadata says (npm run update writes it)', async () => {
    await expect(renderRulesReadme(rules, staticRules, rowSections)).toMatchFileSnapshot('../rules/README.md');
  });
});

describe('the registry of parsers', () => {
  it('has unique ids', () => {
    const names = [...parsers, ...wrappings].map((entry) => entry.id);
    expect(new Set(names).size).toBe(names.length);
  });
});

const FIXTURES = 'fixtures/rules';
const cases = casesIn(FIXTURES);

describe('fixtures of rules', () => {
  it('exist for every rule: one case that fires, one that is quiet, and for no other', () => {
    expectCases(ids, cases, FIXTURES);
  });

  it.each(cases)('%s: %s', async (id, name) => {
    const folder = join(FIXTURES, id, name);
    const report = reportOn(
      { 'input.log': readFileSync(join(folder, 'input.log'), 'utf8') },
      meshOf(folder),
      {},
      formatOf(folder),
    );
    const own = report.findings.filter((finding) => finding.ruleId === id);
    expect(report.problems.filter((problem) => problem.about.startsWith('rule'))).toEqual([]);
    if (name.startsWith('quiet-')) expect(own).toEqual([]);
    else expect(own.length).toBeGreaterThan(0);
    const { generatedAt: _, tool: __, ...told } = report;
    await expect(`${JSON.stringify(told, null, 2)}\n`).toMatchFileSnapshot(`../${folder}/expected.json`);
  });
});

function meshOf(folder: string): ReturnType<typeof createMesh> | undefined {
  const path = join(folder, 'mesh.yaml');
  if (!existsSync(path)) return undefined;
  return createMesh(decodeManifests(readFileSync(path, 'utf8'), path).objects, { sources: [path] });
}

/** What the operator of a case gives as `--access-log-format`. */
function formatOf(folder: string): string | null {
  const path = join(folder, 'format.txt');
  return existsSync(path) ? readFileSync(path, 'utf8').trimEnd() : null;
}

/** `project version path`, `project path`, `project#issue`, an advisory, or an address. */
const CITATION =
  /^(?:[\w.-]+(?:\/[\w.-]+)?(?:#\d+|(?: v?[\w.-]+)? [\w.*-]+(?:\/[\w.*-]+)+(?: [A-Z]+\d+)?)|ISTIO-SECURITY-\d{4}-\d{3})$/;

function isCitation(cite: string): boolean {
  return cite.includes('://')
    ? URL.canParse(cite) && cite.startsWith('https://') && !/\s/.test(cite)
    : CITATION.test(cite);
}
