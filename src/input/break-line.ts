const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;
/** By how much each byte changes the depth of a document. */
const STEPS = Int8Array.from({ length: 256 }, (_, byte) => {
  const sign = String.fromCharCode(byte);
  return '[{'.includes(sign) ? 1 : ']}'.includes(sign) ? -1 : 0;
});

/** How a JSON document begins that may hold log lines: a list of lists or objects, or an object. */
const DOCUMENT = /^\s{0,64}(?:\[\s{0,64}[[{]|\{\s{0,64}"[^"\\]{0,128}"\s{0,8}:)/;
const MAX_BEGIN = 512;
/** Where the last place to break a line at is nearer to its beginning, most of it is one value. */
const LEAST = 0.5;
/** Deeper documents hold no records. */
const MAX_DEPTH = 64;

/**
 * Where the first `length` bytes of a line can be broken off that is longer: behind the last comma outside of strings, if the line
 * is a JSON document, such as the answer of a log server's API. 0: nowhere, or it is nested too deep. `isFirst`: no part of the line
 * was broken off so far; else the bytes stand behind one. Linear.
 */
export function placeToBreak(bytes: Buffer, length: number, isFirst: boolean): number {
  if (isFirst && !DOCUMENT.test(bytes.toString('latin1', 0, MAX_BEGIN))) return 0;
  let place = 0;
  let depth = 0;
  for (let at = 0; at < length && depth <= MAX_DEPTH; at++) {
    const byte = bytes[at] as number;
    depth += STEPS[byte] as number;
    if (byte === COMMA) place = at + 1;
    else if (byte === QUOTE) {
      at = endOfString(bytes, at + 1, length);
      if (at < 0) break;
    }
  }
  return depth > MAX_DEPTH || (isFirst && place < LEAST * length) ? 0 : place;
}

function endOfString(bytes: Buffer, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    if (bytes[at] === BACKSLASH) at++;
    else if (bytes[at] === QUOTE) return at;
  }
  return -1;
}
