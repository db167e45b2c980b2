import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { CATEGORIES, type RuleMeta } from '../src/model/finding.ts';

/** A rule and one of its cases, by the names of their folders. */
export type RuleCase = readonly [id: string, name: string];

/** All cases in `fixtures/<rules>/<id>/<case>/`; none where there is no such folder. */
export function casesIn(folder: string): readonly RuleCase[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((id) => readdirSync(join(folder, id)).map((name): RuleCase => [id, name]));
}

/** Every rule has a case that fires and one that is quiet, and no case is of another. */
export function expectCases(ids: readonly string[], cases: readonly RuleCase[], folder: string): void {
  const fires = ids.filter((id) => !cases.some(([rule, name]) => rule === id && !name.startsWith('quiet-')));
  const quiet = ids.filter((id) => !cases.some(([rule, name]) => rule === id && name.startsWith('quiet-')));
  expect(fires, `rules without a case in ${folder}/<id>/ that fires`).toEqual([]);
  expect(quiet, 'rules without a case named quiet-<why>').toEqual([]);
  expect([...new Set(cases.map(([rule]) => rule))].filter((rule) => !ids.includes(rule))).toEqual([]);
}

/** The index of a folder of rules names every file of it, sorted. */
export function expectRegistered(ids: readonly string[], folder: string): void {
  const files = readdirSync(folder).filter((file) => file.endsWith('.ts') && file !== 'index.ts');
  const missing = files.map((file) => file.replace(/\.ts$/, '')).filter((id) => !ids.includes(id));
  expect(missing, `files in ${folder}/ that its index.ts does not list: add a line for each`).toEqual([]);
  expect(ids).toEqual([...ids].sort());
  expect(new Set(ids).size).toBe(files.length);
}

/** Nothing is left out of the page of a rule. */
export function expectWholePage(meta: RuleMeta): void {
  expect(meta.id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)+$/);
  expect(CATEGORIES).toContain(meta.category);
  expect(meta.title.length).toBeLessThanOrEqual(70);
  expect(meta.title).not.toMatch(/\.$/);
  expect(meta.cites.length).toBeGreaterThan(0);
  expect(meta.page.confirm.length).toBeGreaterThan(0);
  for (const text of [meta.page.meaning, meta.page.printedBy, meta.page.change, meta.page.never]) {
    expect(text).toMatch(/\.$/);
  }
}
