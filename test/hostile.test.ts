import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderJson } from '../src/render/json.ts';
import { renderNdjson } from '../src/render/ndjson.ts';
import { renderTerminal } from '../src/render/terminal.ts';
import { reportSchema } from '../src/report/schema.ts';
import { printable, printableJson } from '../src/text/sanitize.ts';
import { shellWord } from '../src/text/shell.ts';
import { reportOn } from './analysis.ts';

/** What may never reach a terminal from a log: control characters but for line ends, and what reorders or hides text. */
const DANGEROUS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;

const piece = fc.oneof(
  fc.constantFrom(
    '\u001b[2J',
    '\u001b]0;owned\u0007',
    '\u202e',
    '\r',
    '\u009b31m',
    '"',
    "'",
    '`',
    '$(id)',
    '\\u{1b}[31m',
    '; rm -rf /',
    '--server=http://evil',
    '\u2028',
  ),
  fc.string({ unit: 'binary', maxLength: 12 }),
);
const hostile = fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join('').replaceAll('\n', ''));

function ztunnelLine(workload: string, policy: string, identity: string): string {
  const quoted = (text: string): string => JSON.stringify(text);
  return `2026-01-02T03:04:05.000000Z\terror\taccess\tconnection complete\tsrc.addr=10.0.0.1:4000 src.workload=${quoted(workload)} src.namespace="shop" src.identity=${quoted(`spiffe://td/ns/shop/sa/${identity}`)} dst.addr=10.0.0.2:15008 dst.hbone_addr=10.0.0.2:8080 dst.workload=${quoted(workload)} dst.namespace="shop" direction="inbound" bytes_sent=0 bytes_recv=0 duration="0ms" error=${quoted(`connection closed due to policy rejection: explicitly denied by: shop/${policy}`)}`;
}

function envoyLine(path: string, agent: string, host: string): string {
  return `[2026-01-02T03:04:05.000Z] "GET ${path} HTTP/1.1" 403 - rbac_access_denied_matched_policy[none] - "-" 0 19 0 - "-" "${agent}" "id" "${host}" "-" inbound|8080|| - 10.0.0.2:8080 10.0.0.1:4000 - default`;
}

const validate = new Ajv2020({ strict: false }).compile(reportSchema);

describe('hostile logs', () => {
  it('no renderer emits a control or reordering character, whatever a log says', () => {
    fc.assert(
      fc.property(hostile, hostile, hostile, (a, b, c) => {
        const report = reportOn({ [`in${a}`]: `${ztunnelLine(a, b, c)}\n${envoyLine(a, b, c)}\n${a}${b}${c}\n` });
        for (const text of [
          renderTerminal(report, { colour: false, top: 9 }),
          renderJson(report),
          renderNdjson(report),
        ]) {
          expect(text).not.toMatch(DANGEROUS);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('JSON stays the same value and fits the schema', () => {
    fc.assert(
      fc.property(hostile, hostile, hostile, (a, b, c) => {
        const report = reportOn({ log: `${ztunnelLine(a, b, c)}\n${envoyLine(a, b, c)}\n` });
        const parsed: unknown = JSON.parse(renderJson(report));
        expect(parsed).toEqual(JSON.parse(JSON.stringify(report)));
        expect(validate(parsed), JSON.stringify(validate.errors)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('commands hold values from a log as single words', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const word = shellWord(text);
        expect(word.replace(/^'/, '')).not.toMatch(/^-/);
        const unquoted = word.replace(/'[^']*'|\\'/g, '');
        expect(unquoted).toMatch(/^[A-Za-z0-9_@%+=:,./-]*$/);
      }),
    );
  });

  it('printable text is left as it is, unsafe text is written out', () => {
    expect(printable('café 世界 😀 a-b_c')).toBe('café 世界 😀 a-b_c');
    expect(printable('\u001b[31m\u202e')).toBe('\\u{1b}[31m\\u{202e}');
    expect(JSON.parse(printableJson(JSON.stringify({ a: '\u007f\u2028\u{e0041}' })))).toEqual({
      a: '\u007f\u2028\u{e0041}',
    });
  });
});

describe('hostile size and depth', () => {
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);

  it.each([
    [
      'a ztunnel line with a deep value',
      `{"level":"info","time":"2026-01-01T00:00:00.000000Z","scope":"ztunnel","message":"x","f":${deep}}`,
    ],
    ['a wrapped deep object', `{"kubernetes":{"pod_name":"p"},"log":{"a":${deep}}}`],
    ['a deep value alone', deep],
  ])('%s does not end the run', (_, line) => {
    const [input] = reportOn({ log: `${line}\n` }).inputs;
    expect(input?.lines).toBe(1);
  });

  // What is quadratic takes minutes here, what is linear milliseconds: the test's own limit is the only clock.
  it.each([
    ['a word again and again', (size: number) => `a=${'upstream'.repeat(size / 8)}`],
    [
      'an RBAC dump',
      (size: number) =>
        `2026-01-01T00:00:00.000000Z\tdebug\tenvoy rbac\tchecking request: ${", headers: 'a', '".repeat(size / 16)}x\tthread=1`,
    ],
    ['lone braces', (size: number) => `{\n"a":[\n`.repeat(size / 200)],
    ['keys without values', (size: number) => 'src.addr= '.repeat(size / 10)],
    ['quotes', (size: number) => `[2026-01-01T00:00:00.000Z] "GET / ${'" "'.repeat(size / 3)}`],
  ])(
    '%s is read in bounded work',
    (_, make) => {
      const text = make(200_000);
      const { inputs } = reportOn({ log: `${text}\n` });
      const [input] = inputs;
      const { lines = 0, records = 0, joined = 0, skipped = 0, malformed = 0, truncated = 0 } = input ?? {};
      expect(records + joined + skipped + malformed + truncated).toBe(lines);
    },
    20_000,
  );
});
