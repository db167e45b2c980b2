import type { DocumentReader, Wrapping } from '../model/line.ts';
import type { Taken } from './detect.ts';
import { inDocument, inside, type Peeled } from './peeled.ts';

/** Lines of one input that may be read twice because a document turned out to be none; beyond it none begins any more. */
const MAX_READ_TWICE = 100_000;

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
  readonly #peelings: (line: Peeled, layers: number) => readonly Peeled[];
  #open: OpenDocument | null = null;
  /** Lines of the part that is not complete. The reader limits them. */
  #lines: Peeled[] = [];
  #isFirstPart = false;
  #claim: Taken | null = null;
  #readTwice = 0;

  /** `peelings`: a line as it is and with up to so many wrappings off, in all ways. */
  constructor(wrappings: readonly Wrapping[], peelings: (line: Peeled, layers: number) => readonly Peeled[]) {
    this.#wrappings = wrappings;
    this.#peelings = peelings;
  }

  get isOpen(): boolean {
    return this.#open !== null;
  }

  /**
   * Whether a document begins with this line; if so it is to be taken next. `claim` is what a parser makes of the line if it is
   * none: a broken record, or a part of one.
   */
  begin(line: Peeled, claim: Taken | null): boolean {
    if (this.#readTwice >= MAX_READ_TWICE) return false;
    const open = this.#beginAt(line, line) ?? (MAY_BEGIN.test(line.payload) ? this.#beginInside(line) : null);
    if (open === null) return false;
    this.#open = open;
    this.#isFirstPart = true;
    this.#claim = claim;
    return true;
  }

  #beginInside(line: Peeled): OpenDocument | null {
    for (const inner of this.#peelings(line, MAX_LAYERS)) {
      const open = inner === line ? null : this.#beginAt(inner, line);
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

/** How a document begins within a line: with a bracket or brace at its end, a list in one line, the names of a table's columns. */
const MAY_BEGIN =
  /[[{]["'`\s]{0,8}$|[[{][\s]{0,8}[[{"]|\\n|[,;\t].{0,200}(?:message|_raw|content|textpayload|line|log)|(?:message|_raw|content|textpayload|line|log).{0,200}[,;\t]/i;

/** A line without these wrappings, as far as it has them. */
function peel(line: Peeled, layers: readonly Wrapping[]): Peeled {
  let peeled = line;
  for (const layer of layers) {
    const unwrapped = layer.unwrap(peeled.payload);
    if (unwrapped !== null && !unwrapped.more) peeled = inside(peeled, layer, unwrapped);
  }
  return peeled;
}
