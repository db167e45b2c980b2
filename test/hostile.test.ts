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
