import type { At } from '../model/line.ts';
import type { Account } from './account.ts';
import { type Peeled, pieceKey, type Source } from './peeled.ts';

/** Characters of one line put together from pieces; a longer one is dropped. */
const MAX_LENGTH = 64 * 1024;
/** Lines that wait for their rest at the same time. */
const MAX_CUTS = 1024;

/** Pieces of one line, in order. `overlong`: there were too many, and the payload was dropped. */
interface CutLine {
  readonly first: At;
  payload: string;
  pieces: number;
  overlong: boolean;
}

/** Lines that a collector cut, by the stream they belong to, until their last piece comes; all accounted for. Bounded. */
export class Pieces {
  readonly #account: Account;
  readonly #cuts = new Map<string, CutLine>();

  constructor(account: Account) {
    this.#account = account;
  }

  /** Whether any line waits: nearly always none. */
  get waiting(): boolean {
    return this.#cuts.size > 0;
  }

  /** Keeps a piece; for it the oldest line that waits may be given up. */
  hold(piece: Peeled): void {
    const stream = pieceKey(piece);
    const known = this.#cuts.get(stream);
    const cut = known ?? { first: piece.at, payload: '', pieces: 0, overlong: false };
    cut.pieces++;
    cut.overlong ||= cut.payload.length + piece.payload.length > MAX_LENGTH;
    cut.payload = cut.overlong ? '' : cut.payload + piece.payload;
    if (known !== undefined) return;
    this.#cuts.set(stream, cut);
    const [oldest] = this.#cuts.size > MAX_CUTS ? this.#cuts.keys() : [];
    if (oldest !== undefined) this.#giveUp(oldest);
  }

  /** The line with the pieces that wait in its stream put before it. Changes nothing. */
  join(line: Peeled): Peeled {
    const before = this.waiting ? (this.#cuts.get(pieceKey(line))?.payload ?? '') : '';
    return before === '' ? line : { ...line, payload: before + line.payload };
  }

  /** The pieces that wait in the stream of `source` are part of a record, or of a line that no parser knows. */
  settle(source: Source, as: 'joined' | 'skipped'): void {
    const cut = this.waiting ? this.#close(pieceKey(source)) : null;
    if (cut === null) return;
    if (cut.overlong) this.#tellOverlong(cut);
    else if (as === 'joined') this.#account.join(cut.pieces);
    else this.#account.skipPieces(cut.payload, cut.pieces);
  }

  /** The input ended: what waits has no rest. */
  end(): void {
    for (const stream of [...this.#cuts.keys()]) this.#giveUp(stream);
  }

  #giveUp(stream: string): void {
    const cut = this.#close(stream);
    if (cut?.overlong) this.#tellOverlong(cut);
    else if (cut !== null) {
      this.#account.malformed(cut.first, 'the rest of a cut line is missing', cut.payload, cut.pieces);
    }
  }

  #tellOverlong({ first, pieces }: CutLine): void {
    this.#account.truncated(first, 'the pieces of a cut line are longer than the limit', '', pieces);
  }

  #close(stream: string): CutLine | null {
    const cut = this.#cuts.get(stream) ?? null;
    this.#cuts.delete(stream);
    return cut;
  }
}
