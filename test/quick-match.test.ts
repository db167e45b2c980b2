import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileSearch } from '../parsers/envoy/match.ts';
import { compileQuickMatcher } from '../parsers/envoy/quick-match.ts';
import { SHAPES, type Shape } from '../parsers/envoy/shapes.ts';
import type { Template } from '../parsers/envoy/template.ts';

const SHAPE_NAMES = Object.keys(SHAPES) as readonly Shape[];

const template: fc.Arbitrary<Template> = fc
  .tuple(
    fc.constantFrom('', '[', '"'),
    fc.array(
      fc.tuple(fc.constantFrom(...SHAPE_NAMES), fc.constantFrom(' ', ' "', '" ', '" "', '"', '] "', '  ', ' - ', '')),
      {
        minLength: 1,
        maxLength: 8,
      },
    ),
  )
  .map(([before, slots]) => ({
    before,
    slots: slots.map(([shape, after]) => ({
      rule: SHAPES[shape],
      notation: null,
      maxLength: null,
      after,
      isDistinct: false,
    })),
  }));

/** Values as proxies and hostile clients have them. */
const value = fc.oneof(
  fc.constantFrom(
    '-',
    '',
    '0',
    '200',
    'GET',
    '/a',
    '/a b',
    'HTTP/1.1',
    'UF,URX',
    'a b c',
    '10.0.0.1:80',
    '- -',
    '"',
    '" "',
    ']',
  ),
  fc.constantFrom(...SHAPE_NAMES.flatMap((shape) => SHAPES[shape].samples)),
  fc.string({ maxLength: 6 }),
);

describe('the short way of reading a line', () => {
  it('gives what the search gives, or leaves the line to it', () => {
    let taken = 0;
    fc.assert(
      fc.property(template, fc.array(value, { minLength: 8, maxLength: 8 }), fc.boolean(), (given, values, isMuch) => {
        const line = given.before + given.slots.map(({ after }, index) => `${values[index]}${after}`).join('');
        const quick = compileQuickMatcher(given)?.(line) ?? null;
        if (quick === null) return;
        taken++;
        expect(compileSearch(given, false, () => isMuch)(line)).toEqual(quick);
      }),
      { numRuns: 5000 },
    );
    expect(taken).toBeGreaterThan(200);
  });

  it('is not gone where a line can be read in several ways', () => {
    const slot = (shape: Shape, after: string): Template['slots'][number] => ({
      rule: SHAPES[shape],
      notation: null,
      maxLength: null,
      after,
      isDistinct: false,
    });
    expect(compileQuickMatcher({ before: '', slots: [slot('phrase', ' '), slot('phrase', '')] })).toBeNull();
    expect(compileQuickMatcher({ before: '', slots: [slot('word', ''), slot('word', ' ')] })).toBeNull();
    expect(compileQuickMatcher({ before: '', slots: [slot('word', '|'), slot('word', '')] })).toBeNull();
  });
});
