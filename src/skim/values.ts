import { endOfInteger, isDigit } from '../text/bytes.ts';
import type { Gap } from './frame.ts';

const SPACE = 32;
const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const DOT = 46;
const OPENING = 91;
const BACKSLASH = 92;
const CLOSING = 93;

/** The place behind the JSON value of this kind that stands at `at`; -1: there is none, or one with escapes. */
export function endOfValue(bytes: Uint8Array, at: number, end: number, kind: Exclude<Gap, number>): number {
  if (kind === 'string') return endOfString(bytes, at, end);
  if (kind === 'number') return endOfNumber(bytes, at, end);
  if (bytes[at] !== OPENING) return -1;
  for (let place = at + 1; place < end; place++) {
    const isText = bytes[place] === QUOTE;
    place = isText ? endOfString(bytes, place, end) : endOfNumber(bytes, place, end);
    if (place < 0 || bytes[place] !== COMMA)
      return place >= 0 && place < end && bytes[place] === CLOSING ? place + 1 : -1;
  }
  return -1;
}

function endOfString(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] !== QUOTE) return -1;
  for (let place = at + 1; place < end; place++) {
    const byte = bytes[place] as number;
    if (byte === QUOTE) return place + 1;
    if (byte < SPACE || byte === BACKSLASH) return -1;
  }
  return -1;
}

function endOfNumber(bytes: Uint8Array, at: number, end: number): number {
  const whole = endOfInteger(bytes, bytes[at] === MINUS ? at + 1 : at, end);
  if (whole < 0 || whole >= end || bytes[whole] !== DOT) return whole;
  let place = whole + 1;
  while (place < end && isDigit(bytes[place])) place++;
  return place > whole + 1 ? place : -1;
}
