import type { Fit } from '../model/plan.ts';
import { printable } from '../text/sanitize.ts';
import { indented } from './layout.ts';

const WORDS: Readonly<Record<Fit['state'], string>> = {
  fits: 'fits',
  done: 'already done',
  stale: 'no longer fits',
};
const INDENT = 3;

/** One answer per patch: what it says of the object, the file on a line that is never broken, and what is in the way. */
export function renderFits(fits: readonly Fit[]): string {
  return fits.flatMap(fitLines).join('');
}

function fitLines({ file, about, state, because }: Fit): readonly string[] {
  const head = `${WORDS[state]}: ${printable(about)}, ${printable(file)}`;
  return [head, ...(because === null ? [] : indented(because, INDENT))].map((line) => `${line}\n`);
}
