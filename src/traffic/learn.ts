import type { Parser } from '../model/record.ts';
import type { Peeled } from './peeled.ts';

/** A format that was learnt from lines. */
export interface Learnt {
  /** For people, and for `--access-log-format`. */
  readonly format: string;
  readonly parser: Parser;
  /** Columns of which is known what they are. */
  readonly known: number;
}

/** Learns a format from payloads, among which others may stand; null: there is none for certain. Never throws. */
export type Infer = (payloads: readonly string[]) => Learnt | null;

/** Lines that are looked at together. */
const MAX_HELD = 200;
/** Characters of a line that can be held: longer ones are of no format to be learnt. */
const MAX_LENGTH = 8192;
/** So often is it tried in one input: most logs of other programs have nothing to be learnt. */
const MAX_TRIES = 8;

/** Holds lines of one input that no parser knows, until there are enough to learn their format. Memory is bounded. */
export class Learner {
  readonly #infer: Infer | null;
  #held: Peeled[] = [];
  #tries = 0;

  constructor(infer: Infer | null) {
    this.#infer = infer;
  }

  /** Keeps a line for later; false: nothing is learnt any more, or not from this line. */
  hold(line: Peeled): boolean {
    if (this.#infer === null || this.#tries >= MAX_TRIES || line.payload.length > MAX_LENGTH) return false;
    this.#held.push(line);
    return true;
  }

  get isHolding(): boolean {
    return this.#held.length > 0;
  }

  /** Whether there are enough lines to learn from. */
  get isFull(): boolean {
    return this.#held.length >= MAX_HELD;
  }

  /**
   * Gives back the lines that were held, and what was learnt from them. `peelings`: a line with its wrappings off, in all ways
   * it can have them.
   */
  settle(peelings: (line: Peeled) => readonly Peeled[]): {
    readonly lines: readonly Peeled[];
    readonly learnt: Learnt | null;
  } {
    const lines = this.#held;
    this.#held = [];
    if (lines.length === 0 || this.#infer === null) return { lines, learnt: null };
    this.#tries++;
    const ways = new Map<string, string[]>();
    for (const { wrappings, payload } of lines.flatMap(peelings)) {
      const way = wrappings.join(' ');
      const payloads = ways.get(way) ?? [];
      ways.set(way, payloads);
      payloads.push(payload);
    }
    const found = [...ways].flatMap(([way, payloads]) => {
      const learnt = this.#infer?.(payloads) ?? null;
      return learnt === null ? [] : [{ learnt, depth: depthOf(way) }];
    });
    // A wrapping may take a column of the format for its own; what is left of a line that has one says no less without it.
    const [best] = found.sort((a, b) => b.learnt.known - a.learnt.known || b.depth - a.depth);
    return { lines, learnt: best?.learnt ?? null };
  }
}

function depthOf(way: string): number {
  return way === '' ? 0 : way.split(' ').length;
}
