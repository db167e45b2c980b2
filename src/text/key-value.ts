import { closingQuote, unescapeDebug } from './rust-debug.ts';

const BLANK = 32;
const QUOTE = 34;
const EQUALS = 61;
const BACKSLASH = 92;
const MAX_KEY = 64;

/** `key=value` pairs; of a key that is printed twice the last one counts. Values are untrusted. */
export type Fields = ReadonlyMap<string, string>;

/** What `readPairs` found. */
export interface Pairs {
  readonly values: Fields;
  /** True: the last value has an opening quote and no closing one; its text up to the end is in `values`. */
  readonly open: boolean;
  /** The words that are no pair. */
  readonly strays: readonly string[];
}

/**
 * Reads pairs that stand one blank apart in an order known beforehand: the fast road, without a map. Ask for each key in
 * turn, with its `=` (and opening quote); null means that it does not come next. `atEnd` tells whether all was read.
 */
export class FieldReader {
  private readonly text: string;
  private readonly hasEscapes: boolean;
  private at: number;

  constructor(text: string, from: number) {
    this.text = text;
    this.hasEscapes = text.includes('\\', from);
    this.at = from;
  }

  /** True when every character was read as a pair that was asked for. */
  get atEnd(): boolean {
    return this.at === this.text.length;
  }

  /** The value behind `prefix` (`src.addr=`) up to the next blank, or null. */
  bare(prefix: string): string | null {
    if (!this.text.startsWith(prefix, this.at)) return null;
    const start = this.at + prefix.length;
    const blank = this.text.indexOf(' ', start);
    const end = blank < 0 ? this.text.length : blank;
    this.skipTo(end);
    return this.text.slice(start, end);
  }

  /** The unescaped value behind `prefix`, which ends in the opening quote (`src.workload="`), or null. */
  quoted(prefix: string): string | null {
    if (!this.text.startsWith(prefix, this.at)) return null;
    const start = this.at + prefix.length;
    const end = this.hasEscapes ? closingQuote(this.text, start) : this.text.indexOf('"', start);
    if (end < 0) {
      this.at = this.text.length + 1;
      return null;
    }
    this.skipTo(end + 1);
    const value = this.text.slice(start, end);
    return this.hasEscapes ? unescapeDebug(value) : value;
  }

  private skipTo(end: number): void {
    const length = this.text.length;
    if (end === length) this.at = end;
    else this.at = this.text.charCodeAt(end) === BLANK ? end + 1 : length + 1;
  }
}

/** A quote that is written as something else: an HTML entity, a curly one, escaped in JSON. Its value cannot be read. */
const FOREIGN_QUOTE = /=(?:&quot;|&#34;|\\"|[\u201c-\u201f])/;

/**
 * Reads `key=value` and `key="value"` words from `from` on, in any order, whatever blanks stand between them. Values
 * without quotes end at the next blank. Words that are no pair are set aside; if quotes are written as something else, all
 * are. Linear.
 */
export function readPairs(text: string, from: number): Pairs {
  if (!text.includes('="') && FOREIGN_QUOTE.test(text)) return { values: new Map(), open: false, strays: [text] };
  const values = new Map<string, string>();
  const strays: string[] = [];
  let at = skipBlanks(text, from);
  while (at < text.length) {
    const equals = keyEnd(text, at);
    const start = equals + 1;
    const quoted = equals >= 0 && text.charCodeAt(start) === QUOTE;
    const end = quoted ? closingQuote(text, start + 1) : wordEnd(text, at);
    if (equals < 0) strays.push(text.slice(at, end));
    else values.set(text.slice(at, equals), quoted ? unquoted(text, start + 1, end) : text.slice(start, end));
    if (end < 0) return { values, open: true, strays };
    at = skipBlanks(text, quoted ? end + 1 : end);
  }
  return { values, open: false, strays };
}

function unquoted(text: string, start: number, end: number): string {
  return unescapeDebug(end < 0 ? text.slice(start) : text.slice(start, end));
}

/**
 * Reads pairs whose values may be raw Rust Debug text with blanks in it (`err=Os { code: 111, kind: X } id=7`): a value
 * without quotes ends where, outside of quotes and brackets, a blank and the next `key=` follow. Linear.
 */
export function readDebugPairs(text: string): Fields {
  const values = new Map<string, string>();
  let at = skipBlanks(text, 0);
  while (at < text.length) {
    const equals = keyEnd(text, at);
    const next = nextKey(text, equals < 0 ? at : equals + 1);
    if (equals >= 0) values.set(text.slice(at, equals), debugValue(text.slice(equals + 1, next).trimEnd()));
    at = skipBlanks(text, next);
  }
  return values;
}

function debugValue(text: string): string {
  const whole = text.charCodeAt(0) === QUOTE && text.length > 1 && closingQuote(text, 1) === text.length - 1;
  return whole ? unescapeDebug(text.slice(1, -1)) : text;
}

/** Index of the blank before the next `key=` outside of quotes and brackets, from `from` on; the length if there is none. */
export function nextKey(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) at = Math.max(at, closingQuote(text, at + 1));
    else if (OPENING.has(code)) depth++;
    else if (CLOSING.has(code)) depth--;
    else if (depth <= 0 && isBlank(code) && keyEnd(text, at + 1) >= 0) return at;
  }
  return text.length;
}

const OPENING: ReadonlySet<number> = new Set([...'([{'].map((char) => char.charCodeAt(0)));
const CLOSING: ReadonlySet<number> = new Set([...')]}'].map((char) => char.charCodeAt(0)));

/** Index of the `=` that ends a key (letters, digits, `_`, `.`, `-`; at most 64) starting at `at`, or -1. */
function keyEnd(text: string, at: number): number {
  const limit = Math.min(text.length, at + MAX_KEY);
  for (let index = at; index < limit; index++) {
    const code = text.charCodeAt(index);
    if (code === EQUALS) return index > at ? index : -1;
    if (!isKeyCode(code)) return -1;
  }
  return -1;
}

function isKeyCode(code: number): boolean {
  const lower = code | 32;
  return (lower >= 97 && lower <= 122) || (code >= 48 && code <= 57) || code === 95 || code === 46 || code === 45;
}

function isBlank(code: number): boolean {
  return code === BLANK || (code >= 9 && code <= 13);
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (at < text.length && isBlank(text.charCodeAt(at))) at++;
  return at;
}

function wordEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && !isBlank(text.charCodeAt(at))) at++;
  return at;
}
