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

const ZERO = 48;
const COLON = 58;
const SLASH = 47;
const OPEN = 91;
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

const STAMP = bytesOf('0000-00-00T00:00:00.');

/** Whether a time stands at `at`: RFC 3339 in UTC, so many digits of fraction, `Z`. */
export function isStamp(bytes: Uint8Array, at: number, fraction: number): boolean {
  for (let index = 0; index < STAMP.length; index++) {
    const byte = bytes[at + index];
    if (STAMP[index] === ZERO ? !isDigit(byte) : byte !== STAMP[index]) return false;
  }
  const zone = at + STAMP.length + fraction;
  for (let index = zone - fraction; index < zone; index++) if (!isDigit(bytes[index])) return false;
  return bytes[zone] === LETTER_Z;
}

const LETTER_Z = 90;

/**
 * Where the port of the address from `from` to `end` starts, if it can be masked without changing what address it is:
 * `1.2.3.4:80`, `[2001:db8::1]:80`. `end` for everything else: no port, port 0 (which has a meaning of its own), a bare IPv6
 * address, a path.
 */
export function startOfPort(bytes: Uint8Array, from: number, end: number): number {
  let start = end;
  while (start > from && isDigit(bytes[start - 1])) start--;
  if (bytes[start - 1] !== COLON || bytes[start] === ZERO || end - start > 5) return end;
  if (start === end || integerAt(bytes, start, end) > 65535) return end;
  const bracketed = bytes[from] === OPEN;
  for (let index = from; index < start - 1; index++) {
    const byte = bytes[index];
    if (byte === SLASH || (byte === COLON && !bracketed)) return end;
    if (byte === CLOSE && index < start - 2) return end;
  }
  return !bracketed || bytes[start - 2] === CLOSE ? start : end;
}

/** 1 for bytes that end a plain value or need a closer look: control characters, the quote, the backslash, `J`. */
const SPECIAL = Uint8Array.from({ length: 256 }, (_, byte) => Number(byte < 32 || byte === 34 || byte === 92 || byte === 74));
const QUOTE = 34;

/**
 * Where the quoted value that starts at `at` ends: its closing quote. -1: it does not end before `end`, or it is not plain,
 * that is, it holds an escape, a control character, or what might be a token to be masked (`eyJ`).
 */
export function endOfPlain(bytes: Uint8Array, at: number, end: number): number {
  for (let index = at; index < end; index++) {
    const byte = bytes[index] as number;
    if (SPECIAL[byte] === 0) continue;
    if (byte === QUOTE) return index;
    if (byte !== LETTER_J || isTokenStart(bytes, index)) return -1;
  }
  return -1;
}

const LETTER_J = 74;

/** Whether the `J` at `at` is the third letter of `eyJ`, with which every JSON web token begins. */
function isTokenStart(bytes: Uint8Array, at: number): boolean {
  return bytes[at - 1] === 121 && bytes[at - 2] === 101;
}
