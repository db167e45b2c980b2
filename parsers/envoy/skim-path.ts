import type { Skimmed } from '../../src/model/record.ts';
import { isDigit } from '../../src/text/bytes.ts';
import { leaveOut } from '../../src/text/cut.ts';

/** Ids left out of one path: every one makes a piece more. */
const MAX_IDS = 4;
const HASH = 35;
const AMPERSAND = 38;
const HYPHEN = 45;
const SLASH = 47;
const SEMICOLON = 59;
const QUESTION = 63;
/** Shorter words of hexadecimal digits are no ids. */
const MIN_HEX = 8;
const UUID = 36;

/**
 * Leaves out what tells no flows apart: query, fragment, and segments that look like ids (less than what `pathShape` masks).
 * Only of a path that begins with a slash, as what is left of another may be read as an absent one; and nothing behind `;` or
 * `&`, because a secret that is masked there may run on into the query.
 */
export function skimPath(bytes: Uint8Array, from: number, end: number, into: Skimmed): void {
  let ids = 0;
  for (let at = from; at < end && bytes[at] === SLASH; ) {
    const start = at + 1;
    at = endOfSegment(bytes, start, end);
    const mark = at === end ? SLASH : bytes[at];
    if (mark === SEMICOLON || mark === AMPERSAND) return;
    if (ids < MAX_IDS && isId(bytes, start, at)) {
      leaveOut(into, start, at);
      ids++;
    }
    // The mark stays, so that no query is taken for an id.
    if (mark !== SLASH) leaveOut(into, at + 1, end);
  }
}

function endOfSegment(bytes: Uint8Array, from: number, end: number): number {
  for (let index = from; index < end; index++) {
    const byte = bytes[index];
    if (byte === SLASH || byte === QUESTION || byte === HASH || byte === SEMICOLON || byte === AMPERSAND) return index;
  }
  return end;
}

/** A number, or at least eight lower-case hexadecimal digits, or a UUID. One decimal digit has to be there. */
function isId(bytes: Uint8Array, start: number, end: number): boolean {
  let digits = 0;
  let hyphens = 0;
  for (let index = start; index < end; index++) {
    const byte = bytes[index] as number;
    if (isDigit(byte)) digits++;
    else if (byte === HYPHEN) hyphens++;
    else if (byte < 97 || byte > 102) return false;
  }
  const length = end - start;
  if (hyphens > 0)
    return (
      digits > 0 &&
      length === UUID &&
      hyphens === 4 &&
      [8, 13, 18, 23].every((place) => bytes[start + place] === HYPHEN)
    );
  return digits > 0 && (digits === length || length >= MIN_HEX);
}
