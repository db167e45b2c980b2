import { Failure } from '../model/failure.ts';

/** Bombs: what unpacks to more than this share of its size, beyond what is granted to anybody, is given up. Logs reach 10 to 60. */
export const MAX_RATIO = 200;
const GRANTED_BYTES = 64 * 1024 * 1024;
/** No input unpacks to more. */
const MAX_BYTES = 64 * 1024 * 1024 * 1024;

/** Watches how much more comes out of a decompressor than went in. */
export class Inflation {
  #in = 0;
  #out = 0;
  /** What came out since something went in. */
  #outOfPiece = 0;

  /** Compressed bytes that went in. */
  took(bytes: number): void {
    this.#in += bytes;
    this.#outOfPiece = 0;
  }

  /** Bytes that came out. Answers why there should be no more of them, or null. */
  gave(bytes: number): Failure | null {
    this.#out += bytes;
    this.#outOfPiece += bytes;
    const isBomb =
      this.#out > Math.max(GRANTED_BYTES, this.#in * MAX_RATIO) ||
      this.#outOfPiece > GRANTED_BYTES ||
      this.#out > MAX_BYTES;
    if (!isBomb) return null;
    const grown = `${this.#in} bytes unpack to more than ${this.#out}`;
    return new Failure('input', `it is given up as a bomb: ${grown}`, 'unpack it first if it is none');
  }
}
