import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { reportSchema } from '../src/report/schema.ts';
import { listOf, valueAt } from '../src/text/untyped.ts';

const BIN = resolve('dist/cli.js');
const WRONG = 'fixtures/static/policy-selector-missed/service-of-that-name/mesh.yaml';
const RIGHT = 'fixtures/static/policy-selector-missed/quiet-selected/mesh.yaml';

function run(words: readonly string[], input = ''): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...words], { encoding: 'utf8', input });
  return { code: status, out: stdout, err: stderr };
}

describe('meshmend lint', () => {
  it('tells what is wrong, where, and what to change', () => {
    const { code, out } = run(['lint', WRONG]);
    expect(code).toBe(0);
    expect(out).toContain('WARNING policy-selector-missed, certain');
    expect(out).toContain('select pods by');
    expect(out).toContain(`mesh.yaml:${lineOf(WRONG, 'matchLabels:')}`);
    expect(out.split('\n').filter((line) => line.length > 80 && !/^ {3}(?:Try|Check|Run|Place) /.test(line))).toEqual(
      [],
    );
  });

  it('answers with exit code 1 at --fail-on, and 0 where nothing is so bad', () => {
    expect(run(['lint', WRONG, '--fail-on', 'warning']).code).toBe(1);
    expect(run(['lint', WRONG, '--fail-on', 'error']).code).toBe(0);
    expect(run(['lint', RIGHT, '--fail-on', 'warning']).code).toBe(0);
  });

  it('prints the report that the schema promises, of several paths and of stdin', () => {
    const valid = new Ajv2020({ strict: false }).compile(reportSchema);
    for (const { out } of [
      run(['lint', WRONG, RIGHT, '-o', 'json']),
      run(['lint', '-', '-o', 'json'], readFileSync(WRONG, 'utf8')),
    ]) {
      const report: unknown = JSON.parse(out);
      expect(valid(report), JSON.stringify(valid.errors)).toBe(true);
      expect(listOf(valueAt(report, 'findings')).map((finding) => valueAt(finding, 'ruleId'))).toContain(
        'policy-selector-missed',
      );
    }
  });

  it('prints a finding a line', () => {
    const lines = run(['lint', WRONG, '-o', 'ndjson']).out.trim().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line)).length).toBe(lines.length);
  });

  it('reads folders and patterns', () => {
    expect(run(['lint', 'fixtures/static/peer-mode-open']).out).toContain('peer-mode-open');
    expect(run(['lint', 'fixtures/static/peer-mode-*/*/mesh.yaml']).out).toContain('peer-mode-open');
  });

  it('says what it could not check, and what would allow it', () => {
    const { out } = run(['lint', 'fixtures/static/policy-selector-missed/quiet-no-pods']);
    expect(out).toContain('nothing to repair');
    expect(out).toContain('not checked: whether the selectors of 1 policy match pods');
  });

  it('a path without objects, or that is not there, is an error of the input', () => {
    expect(run(['lint', 'no/such/path']).code).toBe(3);
    expect(run(['lint', 'package.json']).code).toBe(3);
    expect(run(['lint']).code).toBe(2);
  });

  it('explains its findings like those of logs', () => {
    const { code, out } = run(['explain', 'policy-selector-missed']);
    expect(code).toBe(0);
    expect(out).toContain('What not to do');
    expect(run(['explain']).out).toContain('policy-selector-missed');
  });
});

/** Number of the last line that holds a text. */
function lineOf(path: string, text: string): number {
  return (
    readFileSync(path, 'utf8')
      .split('\n')
      .findLastIndex((line) => line.includes(text)) + 1
  );
}
