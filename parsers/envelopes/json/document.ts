import type { DocumentReader } from '../../../src/model/line.ts';
import { jsonText } from '../../../src/text/json-line.ts';
import { isRecord } from '../../../src/text/kube-object.ts';
import { closingQuote } from '../../../src/text/rust-debug.ts';
import { elementsOf } from './elements.ts';
import { splitDocument } from './split.ts';

/** What is held of a part of a document that is laid out over many lines. One that becomes longer is taken apart. */
const MAX_PART_LENGTH = 256 * 1024;
const MAX_PART_LINES = 20_000;
/** Shorter lines are not broken by whoever cuts inputs into lines. */
const MIN_BROKEN = 128 * 1024;

/**
 * A list, an object in which a list stands, or a text of many lines, in one line: no record of a collector that was read before.
 * What begins with a time in brackets is no list.
 */
const COMPACT = /^\s{0,64}(?:\[(?!\d).*?[{"]|\{.*?\[\s{0,8}[[{"]|[{"].*?\\n.)/;
/** The first line of a document that is laid out: a bracket or brace alone, or a list behind its key. */
const LAID_OUT = /^\s{0,64}(?:[[{]\s{0,8}\{?|"[^"\\]{1,64}"\s{0,8}:\s{0,8}\[\s{0,8}\{?)\s{0,8}$/;
const LIST = /^\s*(?:"[^"\\]*"\s*:\s*)?\[/;

/** The reader of the JSON document that begins with this line; null: none does. */
export function beginJsonDocument(text: string): DocumentReader | null {
  if (LAID_OUT.test(text)) return new LaidOutReader(LIST.test(text));
  if (isBrokenOff(text)) return new LaidOutReader(LIST.test(text));
  const elements = COMPACT.test(text) ? elementsIn(text, false) : null;
  if (elements === null || elements.length === 0) return null;
  let isFirst = true;
  return {
    next() {
      const answer = isFirst ? elements : 'left';
      isFirst = false;
      return answer;
    },
  };
}

/** Whether the text is the beginning of a document in one line that is too long to be read in one. */
function isBrokenOff(text: string): boolean {
  return text.length >= MIN_BROKEN && text.endsWith(',') && (depthChange(text) ?? 0) > 0;
}

/**
 * Reads a document over many lines. If it is a list, each item is a part of it; an object is one part, whole, unless it is longer
 * than the limit: then its records are read in parts, too. Whatever is no JSON ends it.
 */
class LaidOutReader implements DocumentReader {
  readonly #isList: boolean;
  #isFirst = true;
  /** Brackets and braces that are open. */
  #depth = 0;
  #part: string[] = [];
  #length = 0;

  constructor(isList: boolean) {
    this.#isList = isList;
  }

  next(text: string): readonly string[] | 'open' | 'left' {
    const line = this.#isFirst && this.#isList ? text.replace(LIST, '') : text;
    const change = depthChange(line);
    const before = this.#isFirst && this.#isList ? 1 : this.#depth;
    if (change === null || (before === 0 && !this.#isFirst)) return 'left';
    this.#isFirst = false;
    this.#depth = before + change;
    this.#part.push(line);
    this.#length += line.length;
    if (this.#depth > (this.#isList ? 1 : 0)) return this.#mayGoOn() ? 'open' : this.#takeApart();
    return this.#depth < 0 ? 'left' : this.#finishPart();
  }

  #mayGoOn(): boolean {
    return this.#part.length < MAX_PART_LINES && this.#length <= MAX_PART_LENGTH;
  }

  /** Of a short part its lines say as much. */
  end(): readonly string[] {
    const complete = this.#length >= MIN_BROKEN ? this.#takeApart() : 'left';
    return complete === 'left' ? [] : complete;
  }

  /** What is complete of a part that became too long. */
  #takeApart(): readonly string[] | 'left' {
    const before = this.#isList ? '[' : '';
    const split = splitDocument(before + this.#part.join('\n'), (document) => elementsIn(document)?.length !== 0);
    if (split === null) return 'left';
    const rest = split.rest.slice(before.length);
    this.#part = [rest];
    this.#length = rest.length;
    return elementsIn(split.whole) ?? 'left';
  }

  #finishPart(): readonly string[] | 'left' {
    const whole = this.#part.join('\n').trim();
    this.#part = [];
    this.#length = 0;
    if (!this.#isList) return elementsIn(whole.replace(/,$/, '')) ?? 'left';
    const items = (this.#depth === 0 ? whole.replace(/\][\s,]*$/, '') : whole).replace(/,\s*$/, '');
    return elementsIn(`[${items}]`) ?? 'left';
  }
}

/** What stands in a document; null: it is none. `mayBeRecord`: it may be one record of a collector, and nothing else. */
function elementsIn(text: string, mayBeRecord = true): readonly string[] | null {
  try {
    const value: unknown = JSON.parse(text);
    const elements = elementsOf(value);
    return !mayBeRecord && isRecord(value) && elements.length === 1 && elements[0] === jsonText(value)
      ? null
      : elements;
  } catch {
    return null;
  }
}

/** Signs and letters of JSON outside of strings: of numbers, `true`, `false`, `null`. */
const PLAIN = new Set([...' \t\r,:+-.0123456789eEtrufalsn'].map((sign) => sign.charCodeAt(0)));

/** By how many brackets and braces the depth changes in this line of JSON; null: it is no line of JSON. Linear. */
function depthChange(text: string): number | null {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = closingQuote(text, at + 1);
      if (at < 0) return null;
    } else if (code === BRACE || code === BRACKET) depth++;
    else if (code === CLOSING_BRACE || code === CLOSING_BRACKET) depth--;
    else if (!PLAIN.has(code)) return null;
  }
  return depth;
}

const QUOTE = 34;
const BRACE = 123;
const BRACKET = 91;
const CLOSING_BRACE = 125;
const CLOSING_BRACKET = 93;
