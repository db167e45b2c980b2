import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readMesh } from '../src/mesh/read.ts';
import type { ProbeResult, SuiteTally } from '../src/model/suite.ts';
import { renderFailure } from '../src/render/suite.ts';
import { addResults, type SuiteResults } from '../src/suite/result.ts';
import { runSuite } from '../src/suite/run-suite.ts';
import { runVectorLine } from '../src/suite/vector-line.ts';
import { isRecord } from '../src/text/kube-object.ts';
import { hasShared, needsShared, shared } from './shared.ts';

const NONE: SuiteTally = { passed: 0, failed: 0, skipped: 0 };

function runFile(file: string): SuiteResults {
  return runSuite(file, readFileSync(file, 'utf8'), (path) => readMesh([join(dirname(file), path)]));
}

function runText(text: string): readonly ProbeResult[] {
  return runSuite('cases.yaml', text, () => ({ objects: [], problems: [] })).results;
}

function runLine(text: string, truncated = false): SuiteResults {
  return runVectorLine({ at: { input: 'vectors.jsonl', line: 7 }, text, truncated });
}

function failuresOf({ results }: SuiteResults): readonly ProbeResult[] {
  return results.filter(({ pass }) => !pass);
}

describe.each(['fixtures/policy', 'fixtures/suite'])('%s', (folder) => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml') && name !== 'failing.yaml');
  it.each(files)('%s', (file) => {
    const run = runFile(join(folder, file));
    expect(run.results.length).toBeGreaterThan(1);
    expect(
      failuresOf(run).map(({ case: name, probe, expected, actual }) => ({ name, probe, expected, actual })),
    ).toEqual([]);
  });
});

describe.skipIf(!hasShared)(needsShared('vectors'), () => {
  const files = hasShared ? readdirSync(shared('vectors')).filter((name) => name.endsWith('.jsonl')) : [];

  it('all agree with the real programs', () => {
    const tally = files.reduce(
      (sum, file) =>
        linesOf(file)
          .map((line) => runLine(line))
          .reduce(addResults, sum),
      NONE,
    );
    process.stdout.write(`vectors: ${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped\n`);
    expect(tally).toMatchObject({ failed: 0 });
    expect(tally.passed).toBeGreaterThanOrEqual(42_367 + 16_582 + 1_518);
  });

  it.each(files)('%s: an answer that is changed on purpose is a failure, and the only one', (file) => {
    const lines = linesOf(file).filter((line) => !line.includes('rejectedByEnvoy'));
    fc.assert(
      fc.property(fc.constantFrom(...lines), fc.nat(), (line, seed) => {
        const flipped = flip(JSON.parse(line), seed);
        expect(failuresOf(runLine(JSON.stringify(flipped)))).toHaveLength(1);
      }),
      { numRuns: 40 },
    );
  });
});

function linesOf(file: string): readonly string[] {
  return readFileSync(shared(`vectors/${file}`), 'utf8')
    .trimEnd()
    .split('\n');
}

/** Changes one field of one expectation. */
function flip(line: Record<string, unknown>, seed: number): unknown {
  if (typeof line['valid'] === 'boolean') return { ...line, valid: !line['valid'] };
  const key = 'verdicts' in line ? 'verdicts' : 'results';
  const answers = [...(line[key] as Record<string, unknown>[])];
  const at = seed % answers.length;
  const answer = answers[at] ?? {};
  const fields = ['outcome', 'error', 'status', 'flags', 'details', 'connectionTermination', 'body', 'deniedBy'];
  const present = fields.filter((name) => name in answer);
  const field = present[Math.floor(seed / answers.length) % present.length] ?? 'outcome';
  answers[at] = { ...answer, [field]: changed(answer[field]) };
  return { ...line, [key]: answers };
}

function changed(value: unknown): unknown {
  if (value === 'allow') return 'deny';
  if (value === 'deny') return 'allow';
  if (Array.isArray(value)) return [...value, 'other/policy'];
  return typeof value === 'number' ? value + 1 : `${value}, but not quite`;
}

describe('lines that cannot be run', () => {
  it.each([
    ['not JSON', '{"id": "x"', 'not a JSON object'],
    ['another JSON', '[1, 2]', 'not a JSON object'],
    ['of no family', '{"id": "x", "objects": []}', 'neither an ambient case'],
    ['no object', '{"object": 7, "valid": true}', 'object: not an object'],
    ['no verdict', '{"object": {"kind": "A", "metadata": {"name": "a"}}, "valid": "yes"}', 'valid: must be'],
    ['a connection without address', '{"workload": {}, "connections": [{}], "verdicts": [{}]}', 'connections[0]'],
    ['fewer verdicts', '{"workload": {}, "connections": [{}], "verdicts": []}', '1 connections and 0 verdicts'],
    ['an unknown proxy', '{"proxy": {"type": "x"}, "requests": [], "results": []}', 'proxy.type'],
    ['a request without port', '{"proxy": {"type": "sidecar"}, "requests": [{}], "results": [{}]}', 'requests[0]'],
    ['a broken object', '{"proxy": {}, "objects": [1], "requests": [], "results": []}', 'objects[0]'],
  ])('%s', (_name, text, reason) => {
    const { results } = runLine(text);
    expect(results.map(({ pass, actual }) => [pass, actual.outcome])).toEqual([[false, 'malformed']]);
    expect(results[0]?.actual.because).toContain(reason);
    expect(results[0]?.case).toMatch(/^line 7$|^x$/);
  });

  it('one that was cut off', () => {
    expect(runLine('{"id": "x"}', true).results[0]?.actual.because).toContain('longer');
  });

  it('blank ones are none', () => {
    expect(runLine('  ')).toEqual({ results: [], skipped: 0 });
  });

  it('nothing throws, whatever stands in a line', () => {
    const family = fc.constantFrom(
      ['workload', 'connections', 'verdicts', 'objects', 'mesh', 'validation', 'attached'],
      ['proxy', 'requests', 'results', 'objects', 'mesh', 'validation'],
      ['object', 'valid', 'stage'],
    );
    const line = family.chain((keys) => fc.record(Object.fromEntries(keys.map((key) => [key, fc.jsonValue()]))));
    fc.assert(
      fc.property(line, (value) => {
        for (const { pass } of runLine(JSON.stringify(value)).results) expect(typeof pass).toBe('boolean');
      }),
    );
  });
});

describe('cases that cannot be run', () => {
  const probe = '{ from: 10.0.0.1, to: "10.0.0.2:80", expect: unknown }';
  it.each([
    ['empty', '', 'there is no case in it'],
    ['broken YAML', 'cases: [', 'line 1'],
    ['a list', '- 1', 'document: must be a mapping'],
    ['no cases', 'about: x', 'cases: there is none'],
    ['a misspelt field', `cases: [{ from: a/b, too: x, expect: allow }]`, 'cases[0].too: there is no such field'],
    ['no expectation', 'cases: [{ from: a/b, to: "c/d:80" }]', 'cases[0].expect: is missing'],
    ['an impossible expectation', `cases: [{ from: a/b, to: c, expect: maybe }]`, 'must be allow or deny or unknown'],
    ['an unknown caller', 'cases: [{ from: a/b, to: "c.d:80", expect: allow }]', 'from: there is no pod'],
    ['an object that is none', `objects: [{ kind: Pod }]\ncases: [${probe}]`, 'objects: Pod has no metadata'],
    ['too many aliases', `a: &a [${'x, '.repeat(99)}]\nb: [${'*a, '.repeat(200)}]`, 'alias'],
  ])('%s', (_name, text, reason) => {
    const failed = runText(text).filter(({ pass }) => !pass);
    expect(failed).toHaveLength(1);
    expect(`${failed[0]?.case}: ${failed[0]?.actual.because}`).toContain(reason);
  });

  it('nothing throws, whatever stands in a file', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => runText(JSON.stringify({ cases: [value] })).length > 0));
    fc.assert(fc.property(fc.string(), (text) => runText(text).length > 0));
  });
});

describe('meshmend test', () => {
  const folder = mkdtempSync(join(tmpdir(), 'meshmend-suite-'));
  const run = (...words: string[]): { code: number | null; out: string; err: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [resolve('dist/cli.js'), 'test', ...words], {
      encoding: 'utf8',
    });
    return { code: status, out: stdout, err: stderr };
  };
  const written = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  it('closes with the counts; exit 0 if all passed', () => {
    const { code, out } = run('fixtures/policy/envoy-allow-list.yaml');
    expect([code, out]).toEqual([0, '5 passed, 0 failed\n']);
  });

  it('prints failures; exit 1', () => {
    const { code, out } = run('fixtures/suite/failing.yaml');
    expect(code).toBe(1);
    expect(out).toMatch(/^FAIL fixtures\/suite\/failing\.yaml: /);
    expect(out).toContain('wanted outcome allow, got deny');
    expect(out.trimEnd().split('\n').at(-1)).toBe('1 passed, 1 failed');
  });

  it('-o json prints a line for each probe and the counts', () => {
    const { code, out } = run('fixtures/suite/failing.yaml', '-o', 'json');
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(code).toBe(1);
    expect(lines.at(-1)).toEqual({ passed: 1, failed: 1, skipped: 0 });
    for (const line of lines.slice(0, -1)) {
      expect(Object.keys(isRecord(line) ? line : {})).toEqual(['file', 'case', 'probe', 'expected', 'actual', 'pass']);
      expect(line).toMatchObject({
        actual: { outcome: 'deny', because: expect.any(String), error: expect.any(String) },
      });
    }
  });

  it('names a malformed line and goes on', () => {
    const file = written(
      'mixed.jsonl',
      '{"id": 1\n\n{"object": {"kind": "X", "metadata": {"name": "a"}}, "valid": true}\n',
    );
    const { code, out } = run(file);
    expect(code).toBe(1);
    expect(out).toContain('line 1');
    expect(out).toContain('1 passed, 1 failed');
  });

  it('a file without any case is a failure', () => {
    expect(run(written('empty.jsonl', '\n')).out).toContain('there is no case in it');
  });

  it('exit 2 for wrong use, 3 for what cannot be read', () => {
    expect([run().code, run('fixtures/policy', '-o', 'xml').code]).toEqual([2, 2]);
    const { code, err } = run('fixtures/policy/envoy-tokens.yaml', 'no-such-file.yaml');
    expect(code).toBe(3);
    expect(err).toContain('cannot read no-such-file.yaml');
    expect(run('fixtures/policy').code).toBe(3);
  });
});

describe('what is printed', () => {
  it('holds no control character that it did not write', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const result = { file: text, case: text, probe: text, expected: { error: text } };
        const actual = { outcome: 'deny', error: null, because: text } as const;
        const printed = renderFailure({ ...result, actual, pass: false }, { colour: false }) ?? '';
        expect(printed.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
      }),
    );
  });
});
