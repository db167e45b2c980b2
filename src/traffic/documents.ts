import type { DocumentReader, Wrapping } from '../model/line.ts';
import type { Taken } from './detect.ts';
import { inDocument, inside, type Peeled } from './peeled.ts';

/** Lines of one input that may be read twice because a document turned out to be none; beyond it none begins any more. */
const MAX_READ_TWICE = 100_000;

/** Elements of documents of one input, one after the other, of which none is ours; beyond it the input has no documents for us. */
const MAX_FOREIGN = 20_000;

/** What a line did to the open document. */
export type DocumentStep =
  /** The part that it belongs to goes on. */
  | { readonly kind: 'open' }
  /** It completed a part: what stands in it, and the lines of the part. */
  | { readonly kind: 'part'; readonly inside: readonly Peeled[]; readonly lines: readonly Peeled[] }
  /**
   * The document is over before these lines, this one the last. `failed`: the first of them began it, so that there was none;
   * `claim` is what a parser had said of that line then.
   */
  | {
      readonly kind: 'left';
      readonly lines: readonly Peeled[];
      readonly failed: boolean;
      readonly claim: Taken | null;
    };

/** Wrappings around the lines of a document, at most. */
const MAX_LAYERS = 2;

/** A document that was begun. */
interface OpenDocument {
  readonly reader: DocumentReader;
  readonly wrapping: Wrapping;
  /** What is around each of its lines, outermost first. */
  readonly layers: readonly Wrapping[];
  /** The first line of the part that is not complete, without the layers. */
  first: Peeled;
}

/** The document of many log lines that an input is in, if any: a table, an answer of an API. */
export class Documents {
  readonly #wrappings: readonly Wrapping[];
  #open: OpenDocument | null = null;
  /** Lines of the part that is not complete. The reader limits them. */
  #lines: Peeled[] = [];
  #isFirstPart = false;
  #claim: Taken | null = null;
  #readTwice = 0;
  #foreign = 0;

  constructor(wrappings: readonly Wrapping[]) {
    this.#wrappings = wrappings;
  }

  get isOpen(): boolean {
    return this.#open !== null;
  }

  /**
   * Whether a document begins with this line; if so it is to be taken next. `claim` is what a parser makes of the line if it is
   * none: a broken record, or a part of one.
   */
  begin(line: Peeled, claim: Taken | null): boolean {
    if (this.#readTwice >= MAX_READ_TWICE || this.#foreign >= MAX_FOREIGN) return false;
    const open = this.#beginAt(line, line) ?? this.#beginInside(line);
    if (open === null) return false;
    this.#open = open;
    this.#isFirstPart = true;
    this.#claim = claim;
    return true;
  }

  /** The document that begins within wrappings of a line, of which `inner` is what is left with some of them off. */
  #beginInside(line: Peeled, inner: Peeled = line, layers: number = MAX_LAYERS): OpenDocument | null {
    if (layers === 0 || !mayBegin(inner.payload)) return null;
    for (const wrapping of this.#wrappings) {
      const unwrapped = wrapping.unwrap(inner.payload);
      if (unwrapped === null || unwrapped.more) continue;
      const next = inside(inner, wrapping, unwrapped);
      const open = this.#beginAt(next, line) ?? this.#beginInside(line, next, layers - 1);
      if (open !== null) return open;
    }
    return null;
  }

  /** The document that begins with `inner`, which is `line` without some wrappings. */
  #beginAt(inner: Peeled, line: Peeled): OpenDocument | null {
    for (const wrapping of this.#wrappings) {
      const reader = wrapping.begin?.(inner.payload) ?? null;
      if (reader === null) continue;
      const ids = inner.wrappings.slice(line.wrappings.length);
      const layers = ids.flatMap((id) => this.#wrappings.find((other) => other.id === id) ?? []);
      return { reader, wrapping, layers, first: inner };
    }
    return null;
  }

  /** Takes the next line of the open document. */
  take(line: Peeled): DocumentStep {
    if (this.#open === null) return { kind: 'left', lines: [line], failed: false, claim: null };
    const { reader, wrapping, layers } = this.#open;
    const inner = peel(line, layers);
    if (this.#lines.length === 0) this.#open.first = inner;
    this.#lines.push(line);
    const answer = reader.next(inner.payload);
    if (answer === 'open') return { kind: 'open' };
    if (answer === 'left') return this.#leave();
    const { first } = this.#open;
    const lines = this.#lines;
    this.#lines = [];
    this.#isFirstPart = false;
    return { kind: 'part', inside: answer.map((text) => inDocument(first, wrapping, text)), lines };
  }

  /** Says how many elements of the last part no parser took, if none is ours; 0: some are. */
  noteForeign(elements: number): void {
    this.#foreign = elements === 0 ? 0 : this.#foreign + elements;
    if (this.#foreign >= MAX_FOREIGN) this.#leave();
  }

  /** The input ended: the lines of the part that is not complete, and what can be read of it. */
  end(): { readonly inside: readonly Peeled[]; readonly lines: readonly Peeled[] } {
    const open = this.#open;
    const { lines } = this.#leave();
    if (open === null || lines.length === 0) return { inside: [], lines };
    const texts = open.reader.end?.() ?? [];
    return { inside: texts.map((text) => inDocument(open.first, open.wrapping, text)), lines };
  }

  #leave(): DocumentStep & { readonly kind: 'left' } {
    const lines = this.#lines;
    const failed = this.#isFirstPart;
    this.#readTwice += lines.length;
    this.#open = null;
    this.#lines = [];
    this.#isFirstPart = false;
    return { kind: 'left', lines, failed, claim: failed ? this.#claim : null };
  }
}

/** How a document begins within a line: with a bracket or brace at the end of a line or text, a list in one line. */
const OPENS = /[[{]["'`\s]{0,8}$|[[{]\\?["'][,}\s]|\[[\s\\]{0,8}[[{"&\u201c]|\\n/;
/** Or with the names of a table's columns, one of which is the line's. */
const SEPARATOR = /[,;\t]/;
const COLUMN =
  /(?<![\w.-])(?:_raw|@?message|log|line|log_?line|logmessage|logentry|textpayload|content|event\.original|body)(?: \[[^\]]{1,40}\])?\\?["']?\s{0,4}(?:[,;\t\\<|&]|$)/i;

/** Whether a document may begin within a line, in wrappings of its own. Linear. */
function mayBegin(text: string): boolean {
  return OPENS.test(text) || (SEPARATOR.test(text) && COLUMN.test(text));
}

/** A line without these wrappings, as far as it has them. */
function peel(line: Peeled, layers: readonly Wrapping[]): Peeled {
  let peeled = line;
  for (const layer of layers) {
    const unwrapped = layer.unwrap(peeled.payload);
    if (unwrapped !== null && !unwrapped.more) peeled = inside(peeled, layer, unwrapped);
  }
  return peeled;
}
