import type { DocumentReader, Wrapping } from '../model/line.ts';
import type { Taken } from './detect.ts';
import { inDocument, type Peeled } from './peeled.ts';

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

/** The document of many log lines that an input is in, if any: a table, an answer of an API. */
export class Documents {
  readonly #wrappings: readonly Wrapping[];
  #open: { readonly reader: DocumentReader; readonly wrapping: Wrapping } | null = null;
  /** Lines of the part that is not complete. The reader limits them. */
  #lines: Peeled[] = [];
  #isFirstPart = false;
  #claim: Taken | null = null;
  #readTwice = 0;

  constructor(wrappings: readonly Wrapping[]) {
    this.#wrappings = wrappings.filter((wrapping) => wrapping.begin !== undefined);
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
    for (const wrapping of this.#wrappings) {
      const reader = wrapping.begin?.(line.payload) ?? null;
      if (reader === null) continue;
      this.#open = { reader, wrapping };
      this.#isFirstPart = true;
      this.#claim = claim;
      return true;
    }
    return false;
  }

  /** Takes the next line of the open document. */
  take(line: Peeled): DocumentStep {
    if (this.#open === null) return { kind: 'left', lines: [line], failed: false, claim: null };
    const { reader, wrapping } = this.#open;
    this.#lines.push(line);
    const answer = reader.next(line.payload);
    if (answer === 'open') return { kind: 'open' };
    if (answer === 'left') return this.#leave();
    const lines = this.#lines;
    const first = lines[0] ?? line;
    this.#lines = [];
    this.#isFirstPart = false;
    return { kind: 'part', inside: answer.map((text) => inDocument(first, wrapping, text)), lines };
  }

  /** The input ended: the lines of the part that is not complete. */
  end(): readonly Peeled[] {
    return this.#leave().lines;
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
