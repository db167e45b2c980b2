/** The bytes of a text, to be looked for in bytes. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Whether `wanted` stands in `bytes` at `at`. */
export function standsAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  if (at < 0) return false;
  for (let index = 0; index < wanted.length; index++) if (bytes[at + index] !== wanted[index]) return false;
  return true;
}

/** The first place from `from` on where `byte` stands; -1: none before `end`. */
export function placeOf(bytes: Uint8Array, byte: number, from: number, end: number): number {
  for (let index = from; index < end; index++) if (bytes[index] === byte) return index;
  return -1;
}

const BLANK = 32;
const QUOTE = 34;
const SLASH = 47;
const ZERO = 48;
const COLON = 58;
const LETTER_J = 74;
const OPEN = 91;
const BACKSLASH = 92;
const CLOSE = 93;

/** More digits than this are no count of anything, and beyond exact numbers. */
const MAX_DIGITS = 15;

/**
 * Where the decimal integer that ends before `end` starts, not before `from`; -1: there is none, an absurd one, or one with
 * zeros in front, which JSON does not allow.
 */
export function startOfInteger(bytes: Uint8Array, from: number, end: number): number {
  let start = end;
  while (start > from && isDigit(bytes[start - 1])) start--;
  return isCount(bytes, start, end) ? start : -1;
}

/** Where the decimal integer that starts at `start` ends, `end` at most; -1 as above. */
export function endOfInteger(bytes: Uint8Array, start: number, end: number): number {
  let stop = start;
  while (stop < end && isDigit(bytes[stop])) stop++;
  return isCount(bytes, start, stop) ? stop : -1;
}

function isCount(bytes: Uint8Array, start: number, end: number): boolean {
  return start < end && end - start <= MAX_DIGITS && (bytes[start] !== ZERO || end - start === 1);
}

/** The value of the digits from `start` to `end`, as the two above found them. */
export function integerAt(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let index = start; index < end; index++) value = value * 10 + ((bytes[index] as number) - ZERO);
  return value;
}

/** Whether the byte is an ASCII digit. */
export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= 57;
}

/**
 * Where the port of the address from `from` to `end` starts, if it can be masked without changing what address it is:
 * `1.2.3.4:80`, `[2001:db8::1]:80`. `end` for everything else: no port, port 0 (which has a meaning of its own), a bare IPv6
 * address, a path.
 */
export function startOfPort(bytes: Uint8Array, from: number, end: number): number {
  let start = end;
  while (start > from && isDigit(bytes[start - 1])) start--;
  if (start === end || end - start > 5 || bytes[start] === ZERO || bytes[start - 1] !== COLON) return end;
  const isHost = bytes[from] === OPEN ? isBracketed(bytes, from, start - 1) : isPlainHost(bytes, from, start - 1);
  return isHost && integerAt(bytes, start, end) <= 65535 ? start : end;
}

function isPlainHost(bytes: Uint8Array, from: number, end: number): boolean {
  for (let index = from; index < end; index++) if (bytes[index] === COLON || bytes[index] === SLASH) return false;
  return true;
}

function isBracketed(bytes: Uint8Array, from: number, end: number): boolean {
  return placeOf(bytes, CLOSE, from, end) === end - 1 && placeOf(bytes, SLASH, from, end) < 0;
}

const PLAIN = 0;
const END = 1;
/** Sorts of bytes: the blank, what a plain text does not have or needs a closer look, all others. */
const BLANK_SORT = 2;
const SORTS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === BLANK) return BLANK_SORT;
  return byte < BLANK || byte === QUOTE || byte === BACKSLASH || byte === LETTER_J ? END : PLAIN;
});

/**
 * Where the plain text that starts at `at` ends: before the first quote, at `end` if there is none. -1: it is not plain,
 * that is, it holds an escape, a control character, or what may be a token to be masked (`eyJ`).
 */
export function endOfPlain(bytes: Uint8Array, at: number, end: number): number {
  for (let index = at; index < end; index++) {
    if (SORTS[bytes[index] as number] === END && !isHarmless(bytes, index)) return bytes[index] === QUOTE ? index : -1;
  }
  return end;
}

/** The same of a word: it ends before a blank, too. */
export function endOfWord(bytes: Uint8Array, at: number, end: number): number {
  for (let index = at; index < end; index++) {
    const sort = SORTS[bytes[index] as number];
    if (sort === PLAIN || (sort === END && isHarmless(bytes, index))) continue;
    return sort === BLANK_SORT || bytes[index] === QUOTE ? index : -1;
  }
  return end;
}

/** Whether a `J` stands there that begins no JSON web token. */
function isHarmless(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === LETTER_J && !(bytes[at - 1] === 121 && bytes[at - 2] === 101);
}
