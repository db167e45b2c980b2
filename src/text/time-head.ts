const ZERO = 48;
const HYPHEN = 45;
const PLUS = 43;
const DOT = 46;
const COLON = 58;
const LETTER_T = 84;
const LETTER_Z = 90;
/** Length of a time without fraction and zone: `2026-01-02T03:04:05`. */
const WHOLE = 19;
const MAX_FRACTION = 9;
/** Length of an offset: `+01:00`. */
const OFFSET = 6;

/**
 * How long the RFC 3339 time is with which a text begins: `T` in the middle, up to nine digits of fraction, `Z` or an offset with
 * a colon; 0: it begins with none. Only the form is looked at. A pattern does the same, but this stands before every line.
 */
export function timeLength(text: string): number {
  if (text.charCodeAt(10) !== LETTER_T || text.charCodeAt(4) !== HYPHEN || text.charCodeAt(7) !== HYPHEN) return 0;
  if (text.charCodeAt(13) !== COLON || text.charCodeAt(16) !== COLON || !hasWholeDigits(text)) return 0;
  const end = fractionEnd(text);
  const zone = text.charCodeAt(end);
  if (zone === LETTER_Z) return end + 1;
  if ((zone !== PLUS && zone !== HYPHEN) || text.charCodeAt(end + 3) !== COLON) return 0;
  return areDigits(text, end + 1, end + 3) && areDigits(text, end + 4, end + OFFSET) ? end + OFFSET : 0;
}

function hasWholeDigits(text: string): boolean {
  return (
    areDigits(text, 0, 4) &&
    areDigits(text, 5, 7) &&
    areDigits(text, 8, 10) &&
    areDigits(text, 11, 13) &&
    areDigits(text, 14, 16) &&
    areDigits(text, 17, WHOLE)
  );
}

/** Where the fraction ends; without one, where the seconds do. */
function fractionEnd(text: string): number {
  if (text.charCodeAt(WHOLE) !== DOT) return WHOLE;
  let end = WHOLE + 1;
  while (end <= WHOLE + MAX_FRACTION && areDigits(text, end, end + 1)) end++;
  return end === WHOLE + 1 ? WHOLE : end;
}

/** Behind the end of the text stands no digit. */
function areDigits(text: string, start: number, end: number): boolean {
  for (let index = start; index < end; index++) {
    const digit = text.charCodeAt(index) - ZERO;
    if (!(digit >= 0 && digit <= 9)) return false;
  }
  return true;
}
