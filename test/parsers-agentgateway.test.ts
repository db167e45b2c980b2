import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { agentgatewayText } from '../parsers/agentgateway/text.ts';
import { UNKNOWN_ORIGIN } from '../src/model/line.ts';
import type { Parsed } from '../src/model/record.ts';
import { expectGolden } from './parser-cases.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/parsers/agentgateway-text/', import.meta.url));

function read(payload: string): Parsed {
  return agentgatewayText.parse({
    at: { input: 'test', line: 1 },
    wrappings: [],
    time: null,
    origin: UNKNOWN_ORIGIN,
    payload,
  });
}

describe('fixtures', () => {
  test.each(readdirSync(FIXTURES))('%s', async (name) => {
    await expectGolden(`${FIXTURES}${name}`, read);
  });
});

const LINE =
  'info request gateway=shop/edge listener=http route=shop/cart endpoint=10.244.2.9:8080 src.addr=10.244.1.7:40112 http.method=GET ' +
  'http.host=cart.shop.example http.path=/items http.version=HTTP/1.1 http.status=503 protocol=http ' +
  'error="upstream call failed: SendRequest: connection error" reason=UpstreamFailure duration=9ms';

describe('laws', () => {
  test('a line that was folded at any blanks is the same record', () => {
    const whole = read(LINE);
    const blanks = [...LINE].flatMap((char, index) => (char === ' ' && index > 16 ? [index] : []));
    fc.assert(
      fc.property(fc.subarray(blanks), (folds) => {
        const folded = [...LINE].map((char, index) => (folds.includes(index) ? '\n  ' : char)).join('');
        expect({ ...read(folded), raw: '' }).toEqual({ ...whole, raw: '' });
      }),
    );
  });

  test('every beginning of a line is unfinished or none of ours, and nothing throws', () => {
    fc.assert(
      fc.property(fc.nat(LINE.indexOf(' reason=')), (length) => {
        const kind = read(LINE.slice(0, length))?.kind ?? null;
        expect([null, 'unfinished']).toContain(kind);
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => void read(`${LINE.slice(0, 60)}${text}`)));
  });
});
