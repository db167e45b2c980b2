import type { At } from '../model/line.ts';

/** Characters of one line put together from pieces; a longer one is dropped. */
const MAX_LENGTH = 64 * 1024;
/** Lines that wait for their rest at the same time. */
const MAX_CUTS = 1024;

/** Pieces of one line, in order. `overlong`: there were too many, and the payload was dropped. */
export interface CutLine {
  readonly first: At;
  payload: string;
  pieces: number;
  overlong: boolean;
}

/** Lines that a collector cut, by the stream they belong to, until their last piece comes. Bounded. */
export class Pieces {
  readonly #cuts = new Map<string, CutLine>();

  /** Whether any line waits: nearly always none. */
  get waiting(): boolean {
    return this.#cuts.size > 0;
  }

  /** Keeps a piece. Answers a line that had to be given up for it, else null. */
  hold(stream: string, at: At, payload: string): CutLine | null {
    const known = this.#cuts.get(stream);
    const cut = known ?? { first: at, payload: '', pieces: 0, overlong: false };
    cut.pieces++;
    cut.overlong ||= cut.payload.length + payload.length > MAX_LENGTH;
    cut.payload = cut.overlong ? '' : cut.payload + payload;
    if (known !== undefined) return null;
    this.#cuts.set(stream, cut);
    const [oldest] = this.#cuts.size > MAX_CUTS ? this.#cuts.keys() : [];
    return oldest === undefined ? null : this.close(oldest);
  }

  /** What stands before the next line of a stream; '' if nothing waits. */
  before(stream: string): string {
    return this.#cuts.get(stream)?.payload ?? '';
  }

  /** Takes the waiting line of a stream out. */
  close(stream: string): CutLine | null {
    const cut = this.#cuts.get(stream) ?? null;
    this.#cuts.delete(stream);
    return cut;
  }

  /** Takes all out. */
  closeAll(): readonly CutLine[] {
    const cuts = [...this.#cuts.values()];
    this.#cuts.clear();
    return cuts;
  }
}
