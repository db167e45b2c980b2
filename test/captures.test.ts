import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { categoriesOf, reportOnFiles } from './analysis.ts';
import { hasShared, needsShared, shared } from './shared.ts';

interface Expectation {
  readonly must: readonly string[];
  readonly may?: readonly string[];
}

type Expected = Readonly<Record<'ztunnel' | 'envoy', Readonly<Record<string, Expectation>>>>;

const expected: Expected | null = hasShared ? parse(readFileSync(shared('captures/expected.yaml'), 'utf8')) : null;

/** The kind of scenario behind a folder: no release in front, no number, `-debug` or Envoy release behind. */
function kindOf(folder: string): string {
  return folder
    .replace(/^_\d+\.\d+-/, '')
    .replace(/-envoy-1\.\d+$/, '')
    .replace(/-debug$/, '')
    .replace(/-\d$/, '');
}

function folders(proxy: 'ztunnel' | 'envoy'): string[] {
  if (!hasShared) return [];
  return readdirSync(shared(`captures/${proxy}`), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== '_mixed')
    .map((entry) => entry.name);
}

function check(proxy: 'ztunnel' | 'envoy', folder: string, files: readonly string[]): void {
  const paths = files.map((file) => shared(`captures/${proxy}/${folder}/${file}`)).filter((path) => existsSync(path));
  const expectation = expected?.[proxy][kindOf(folder)];
  expect(expectation, `no expectation for ${kindOf(folder)}`).toBeDefined();
  if (expectation === undefined) return;
  const report = reportOnFiles(paths);
  const found: readonly string[] = categoriesOf(report);
  const missing = expectation.must.filter((category) => !found.includes(category));
  const wrong = found.filter((category) => ![...expectation.must, ...(expectation.may ?? [])].includes(category));
  expect({ missing, wrong }).toEqual({ missing: [], wrong: [] });
  for (const input of report.inputs) {
    expect(input.records + input.joined + input.skipped + input.malformed + input.truncated).toBe(input.lines);
    expect([input.name, input.malformed, input.problems]).toEqual([input.name, 0, []]);
  }
  expect(report.problems.filter((problem) => !problem.about.startsWith('input'))).toEqual([]);
}

describe.skipIf(!hasShared)(needsShared('captures of real ztunnels'), () => {
  describe.each(['', '.json', '.debug'])('printed as source%s.log', (suffix) => {
    const with_ = folders('ztunnel').filter((folder) =>
      existsSync(shared(`captures/ztunnel/${folder}/source${suffix}.log`)),
    );
    it.each(with_)('%s', (folder) => {
      check('ztunnel', folder, [`source${suffix}.log`, `destination${suffix}.log`]);
    });
  });
});

describe.skipIf(!hasShared)(needsShared('captures of real Envoys'), () => {
  describe.each(['text', 'json', 'legacy-1.9-1.22'])('printed as %s', (format) => {
    const with_ = folders('envoy').filter((folder) => existsSync(shared(`captures/envoy/${folder}/${format}.log`)));
    it.each(with_)('%s', (folder) => {
      check('envoy', folder, [`${format}.log`]);
    });
    it.each(with_)('%s, with the other proxy', (folder) => {
      check('envoy', folder, [`${format}.log`, `client.${format}.log`, `server.${format}.log`]);
    });
  });
});
