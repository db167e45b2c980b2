import { styleText } from 'node:util';
import type { Fields, ProbeResult, SuiteTally } from '../model/suite.ts';
import { printable, printableJson } from '../text/sanitize.ts';
import { listOf, recordOf } from '../text/untyped.ts';
import { indented, WIDTH, wrap } from './layout.ts';

/** As wide as `FAIL` and a blank. */
const INDENT = 5;

/** How to print for a terminal. */
export interface SuiteOptions {
  readonly colour: boolean;
}

/** One result as a JSON line. */
export function renderResultJson(result: ProbeResult): string {
  const { file, case: name, probe, expected, actual, pass } = result;
  return `${printableJson(JSON.stringify({ file, case: name, probe, expected, actual, pass }))}\n`;
}

/** The counts of a run as the last JSON line. */
export function renderTallyJson({ passed, failed, skipped }: SuiteTally): string {
  return `${JSON.stringify({ passed, failed, skipped })}\n`;
}

/** A failure for people: where, what was asked, what was wanted and what came. Null: it passed, and there is nothing to say. */
export function renderFailure(result: ProbeResult, { colour }: SuiteOptions): string | null {
  if (result.pass) return null;
  const { file, case: name, probe, expected, actual } = result;
  const mark = colour ? styleText(['red', 'bold'], 'FAIL', { validateStream: false }) : 'FAIL';
  const [first = '', ...rest] = wrap(printable(`${file}: ${name}`), WIDTH - INDENT);
  const wanted = differing(expected, actual);
  const lines = [
    `${mark} ${first}`,
    ...rest.map((line) => ' '.repeat(INDENT) + line),
    ...indented(probe === name ? '' : probe, INDENT),
    ...wanted.flatMap(([key, want, got]) => indented(`wanted ${key} ${want}, got ${got}`, INDENT)),
    ...indented(`because ${actual.because}`, INDENT),
    ...missTexts(actual).flatMap((text) => indented(text, INDENT)),
  ];
  return `${lines.join('\n')}\n`;
}

/** The closing line. */
export function renderTally({ passed, failed, skipped }: SuiteTally): string {
  return `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}\n`;
}

/** What was wanted and did not come; a list or a part of the reason may have come all the same, and is told with it. */
function differing(expected: Fields, actual: Fields): readonly (readonly [string, string, string])[] {
  return Object.entries(expected)
    .filter(([key, value]) => key !== 'because' && textOf(value) !== textOf(actual[key]))
    .map(([key, value]) => [key, textOf(value), textOf(actual[key])] as const);
}

/** Near misses told of, at most. */
const MAX_MISSES = 3;

/** The rules that came closest, where our own cases have them. */
function missTexts(actual: Fields): readonly string[] {
  return listOf(actual['nearMiss'])
    .slice(0, MAX_MISSES)
    .map(recordOf)
    .map(({ policy, rule, field, wanted, seen }) => `rule ${rule} of ${policy} wanted ${field} ${wanted}, saw ${seen}`);
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
