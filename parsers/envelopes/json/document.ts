import type { DocumentReader } from '../../../src/model/line.ts';
import { closingQuote } from '../../../src/text/rust-debug.ts';
import { elementsOf } from './elements.ts';

/** What is held of a part of a document that is laid out over many lines. */
const MAX_PART_LENGTH = 1024 * 1024;
const MAX_PART_LINES = 20_000;

/** A list, or an object in which a list of objects stands, in one line: no record of a collector that was read before. */
const COMPACT = /^\s{0,64}(?:\[.*?\{|\{.*?\[\s{0,8}[[{])/;
/** The first line of a document that is laid out: a bracket or brace alone, or a list behind its key. */
const LAID_OUT = /^\s{0,64}(?:[[{]\s{0,8}\{?|"[^"\\]{1,64}"\s{0,8}:\s{0,8}\[\s{0,8}\{?)\s{0,8}$/;
const LIST = /^\s*(?:"[^"\\]*"\s*:\s*)?\[/;

/** The reader of the JSON document that begins with this line; null: none does. */
export function beginJsonDocument(text: string): DocumentReader | null {
  if (LAID_OUT.test(text)) return new LaidOutReader(LIST.test(text));
  return COMPACT.test(text) ? { next: readCompact() } : null;
}

function readCompact(): DocumentReader['next'] {
  let isFirst = true;
  return (text) => {
    if (!isFirst) return 'left';
    isFirst = false;
    const elements = elementsIn(text);
    return elements === null || elements.length === 0 ? 'left' : elements;
  };
}

/**
 * Reads a document over many lines. If it is a list, each item is a part of it; an object is one part, whole. Whatever is no
 * JSON, or longer than the limit, ends it.
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
    if (this.#depth > (this.#isList ? 1 : 0)) return this.#mayGoOn() ? 'open' : 'left';
    return this.#depth < 0 ? 'left' : this.#finishPart();
  }

  #mayGoOn(): boolean {
    return this.#part.length < MAX_PART_LINES && this.#length <= MAX_PART_LENGTH;
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

function elementsIn(text: string): readonly string[] | null {
  try {
    return elementsOf(JSON.parse(text));
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
