import { UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';

/** How log lines begin: a bracket, a brace, a date. */
const START = String.raw`(?=[[{]|\d{4}-\d\d-\d\d[T ]\d\d:)`;
const NUMBER = /^\d{1,10}:/;
/** The hour of a date before the first colon makes no name of a file. */
const FILE_AND_NUMBER = /^(?:[A-Za-z]:\\)?[^:]{1,512}(?<!\d-\d\d[T ]\d\d):\d{1,10}:/;
const FILE = new RegExp(String.raw`^(?:[A-Za-z]:\\)?[^:]{1,512}:${START}`);
/** Names hold dashes too, so the first one counts behind which a line may begin. */
const CONTEXT = new RegExp(String.raw`^(?:[^:]{1,512}?-)??(?:\d{1,10}-)?${START}`);

/** Context first: in the date behind it the others would see a file and a number. */
const FORMS = [NUMBER, CONTEXT, FILE_AND_NUMBER, FILE];

/**
 * `FILE:NUMBER:L`, `FILE:L`, `NUMBER:L`, and the same with `-` around a match (GNU grep -n, -H, -C; zgrep, ripgrep without
 * heading; findstr, Select-String). Names with a colon are not known but for a drive's.
 */
export const grep: Wrapping = {
  id: 'grep',
  title: 'grep -n, grep -H, zgrep',
  unwrap(text) {
    // Bare lines begin so, and names of files hardly do.
    const first = text.charCodeAt(0);
    if (first === 91 || first === 123 || isStamp(text)) return null;
    const prefix = FORMS.map((form) => form.exec(text)?.[0] ?? '').find(isSome);
    return prefix === undefined
      ? null
      : { payload: text.slice(prefix.length), time: null, origin: UNKNOWN_ORIGIN, more: false, stream: null };
  },
};

/** A date and a time stand in front: no name of a file, whatever follows. */
function isStamp(text: string): boolean {
  const between = text.charCodeAt(10);
  return text.charCodeAt(4) === 45 && text.charCodeAt(7) === 45 && (between === 84 || between === 32);
}

function isSome(prefix: string): boolean {
  return prefix !== '';
}
