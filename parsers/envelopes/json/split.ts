import { closingQuote } from '../../../src/text/rust-debug.ts';

/** What a document has around its records: labels of a stream, columns of a table. More is none of that. */
const MAX_PREFIX = 64 * 1024;
const MAX_DEPTH = 32;

/** A document of which the end is not there yet, taken apart behind a record. */
export interface Split {
  /** The part up to there, closed. */
  readonly whole: string;
  /** The rest, with what stands around it: what came before it in the objects that are open, but none of the records. */
  readonly rest: string;
}

/** A bracket or brace that is open. */
interface Container {
  readonly isList: boolean;
  readonly start: number;
  /** Where its member stands that is not complete: behind the bracket or brace, or behind a comma. */
  member: number;
}

/**
 * Takes a document apart at the last comma of the outermost list that has any; null: it has none, or is nested too deep. `holds` says
 * whether records stand in a document: the rest must not have any a second time. The text ends outside of strings. Linear.
 */
export function splitDocument(text: string, holds: (document: string) => boolean): Split | null {
  const end = lastComma(text);
  const open = end < 0 ? null : containersAt(text, end);
  if (open === null) return null;
  const close = [...open].reverse().map(({ isList }) => (isList ? ']' : '}'));
  const prefixes = [true, false].map((keepsMembers) => prefixOf(text, open, keepsMembers));
  const prefix = prefixes.find((one) => one.length <= MAX_PREFIX && !holds(one + close.join('')));
  return prefix === undefined
    ? null
    : { whole: text.slice(0, end) + close.join(''), rest: prefix + text.slice(end + 1) };
}

/** The last comma between items of a list, of the outermost lists that have any; -1: none. */
function lastComma(text: string): number {
  let least = MAX_DEPTH;
  let place = -1;
  walk(text, text.length, (at, open) => {
    if (open.length > least || open.at(-1)?.isList !== true) return;
    least = open.length;
    place = at;
  });
  return place;
}

function containersAt(text: string, end: number): readonly Container[] | null {
  return walk(text, end, () => {});
}

/** Calls `onComma` with the place of every comma up to `end` and what is open there; answers what is at the end. Null: too much is. */
function walk(
  text: string,
  end: number,
  onComma: (at: number, open: readonly Container[]) => void,
): readonly Container[] | null {
  const open: Container[] = [];
  for (let at = nextSign(text, 0, end); at < end; at = nextSign(text, at + 1, end)) {
    const code = text.charCodeAt(at);
    const inner = open.at(-1);
    if (code === CLOSING_BRACE || code === CLOSING_BRACKET) open.pop();
    else if (code !== COMMA) open.push({ isList: code === BRACKET, start: at, member: at + 1 });
    else if (inner !== undefined) {
      onComma(at, open);
      inner.member = at + 1;
    }
    if (open.length > MAX_DEPTH) return null;
  }
  return open;
}

/** The next comma, bracket or brace outside of strings; `end`: there is none. */
function nextSign(text: string, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    const code = text.charCodeAt(at);
    if (SIGNS.has(code)) return at;
    if (code !== QUOTE) continue;
    at = closingQuote(text, at + 1);
    if (at < 0) return end;
  }
  return end;
}

/** The brackets and braces that are open with the keys in between; the complete members of objects if asked for. */
function prefixOf(text: string, open: readonly Container[], keepsMembers: boolean): string {
  const parts = open.map(({ isList, start, member }, index) => {
    const next = open[index + 1]?.start;
    if (isList) return '[';
    return keepsMembers ? text.slice(start, next) : `{${text.slice(member, next)}`;
  });
  return parts.join('');
}

const QUOTE = 34;
const COMMA = 44;
const BRACKET = 91;
const CLOSING_BRACKET = 93;
const BRACE = 123;
const CLOSING_BRACE = 125;
const SIGNS: ReadonlySet<number> = new Set([COMMA, BRACKET, CLOSING_BRACKET, BRACE, CLOSING_BRACE]);
