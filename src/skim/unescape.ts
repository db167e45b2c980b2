import { viewOf } from './words.ts';

const NEWLINE = 10;
const CARRIAGE_RETURN = 13;
const SPACE = 32;
const QUOTE = 34;
const BACKSLASH = 92;
const LETTER_U = 117;
const ZERO = 48;
/** What the letter behind a backslash stands for (RFC 8259, 7); 0: nothing here. */
const MEANINGS = Uint8Array.from({ length: 256 }, (_, letter) => {
  const index = '"\\/bfnrt'.indexOf(String.fromCharCode(letter));
  return index < 0 ? 0 : '"\\/\b\f\n\r\t'.charCodeAt(index);
});

/** Bytes that are looked at in one step. */
const WORD = 4;
const ONES = 0x01010101;
const SIGNS = 0x80808080 | 0;
const QUOTES = QUOTE * ONES;
const BACKSLASHES = BACKSLASH * ONES;
const SPACES = SPACE * ONES;

/** Reads strings of JSON into a buffer of its own, which is overwritten by the next one. */
export class StringReader {
  readonly bytes: Buffer;
  readonly #view: DataView;
  /** Bytes of the string that was read last, and how many of them end lines. */
  length = 0;
  lineEnds = 0;

  /** Longer strings are not read. */
  constructor(maxLength: number) {
    this.bytes = Buffer.alloc(maxLength);
    this.#view = viewOf(this.bytes);
  }

  /**
   * Reads the string whose first character stands at `at`; answers the place of the quote that ends it. -1: it has no end
   * before `end`, is too long, is no JSON, or has an escape for something else than an ASCII character.
   */
  read(line: DataView, at: number, end: number): number {
    const last = Math.min(end, at + this.bytes.length);
    let from = at;
    let to = 0;
    this.lineEnds = 0;
    while (from < last) {
      const plain = this.#copyPlain(line, from, last, to);
      from += plain;
      to += plain;
      // What stopped the copy stands within a word.
      for (const stop = Math.min(from + WORD, last); from < stop; to++) {
        const length = this.#copyOne(line, from, last, to);
        if (length === 0) {
          this.length = to;
          return line.getUint8(from) === QUOTE ? from : -1;
        }
        from += length;
      }
    }
    return -1;
  }

  /** Copies words without quote, backslash and control character; answers how many bytes those are. */
  #copyPlain(line: DataView, start: number, last: number, to: number): number {
    let at = start;
    for (; at + WORD <= last; at += WORD) {
      const word = line.getInt32(at, true);
      if (((zeroIn(word ^ QUOTES) | zeroIn(word ^ BACKSLASHES) | ((word - SPACES) & ~word)) & SIGNS) !== 0) break;
      this.#view.setInt32(to + at - start, word, true);
    }
    return at - start;
  }

  /** Copies what one character or escape stands for; answers the length of that, 0: there is none. */
  #copyOne(line: DataView, at: number, last: number, to: number): number {
    const byte = line.getUint8(at);
    if (byte === QUOTE || byte < SPACE) return 0;
    if (byte !== BACKSLASH) {
      this.bytes[to] = byte;
      return 1;
    }
    const meaning = meaningAt(line, at + 1, last);
    if (meaning === 0) return 0;
    this.bytes[to] = meaning;
    if (meaning === NEWLINE || meaning === CARRIAGE_RETURN) this.lineEnds++;
    return line.getUint8(at + 1) === LETTER_U ? 2 + WORD : 2;
  }
}

/** Its sign bits tell whether a byte of the word is zero; more of them may be set, never fewer. */
function zeroIn(word: number): number {
  return (word - ONES) & ~word;
}

/** What the escape means whose letter stands at `at`; 0: no ASCII character, or the zero. */
function meaningAt(line: DataView, at: number, last: number): number {
  if (at >= last) return 0;
  const letter = line.getUint8(at);
  return letter !== LETTER_U || at + WORD >= last ? (MEANINGS[letter] as number) : asciiAt(line, at + 1);
}

/** The ASCII character whose number stands at `at` in four hexadecimal digits; 0: none, or the zero. */
function asciiAt(line: DataView, at: number): number {
  if (line.getUint8(at) !== ZERO || line.getUint8(at + 1) !== ZERO) return 0;
  const high = digitOf(line.getUint8(at + 2));
  const low = digitOf(line.getUint8(at + 3));
  return high >= 0 && high < 8 && low >= 0 ? 16 * high + low : 0;
}

function digitOf(byte: number): number {
  if (byte >= ZERO && byte <= 57) return byte - ZERO;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
