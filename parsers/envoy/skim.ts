import type { Skimmed } from '../../src/model/record.ts';
import {
  bytesOf,
  endOfInteger,
  endOfPlain,
  integerAt,
  isStamp,
  placeOf,
  standsAt,
  startOfPort,
} from '../../src/text/bytes.ts';
import { closePieces, leaveOut, openPieces } from '../../src/text/cut.ts';

/** Length of START_TIME as it is printed by default, `2026-01-02T03:04:05.678Z`, and its digits of fraction. */
export const STAMP = 24;
export const FRACTION = 3;
/** Longer lines are parsed: the parsers have limits for values that begin there. */
export const MAX_LENGTH = 8192;
export const QUOTE = 34;
export const MINUS = 45;
const BLANK = 32;
const OPENING = 91;

/** What an era of Istio's default text prints between the flags and the counts. */
export interface Era {
  /** Blanks between the request and the first quoted value; one more where `details` hold blanks. */
  readonly blanks: number;
  /** Quoted values before the counts. */
  readonly quoted: number;
}

const AFTER_TIME = bytesOf('] "');
const BETWEEN = bytesOf('" "');

/**
 * Makes the skimmer of one era's default text. Values stand there unescaped, so a line counts only if no quoted value holds
 * a quote: then every quote is where the format has one, and nothing in a value can be taken for a column. What the
 * client writes and no flow tells apart (query, X-Forwarded-For, user agent, request id) is left out.
 */
export function textSkimmer(era: Era): (bytes: Uint8Array, start: number, end: number, into: Skimmed) => boolean {
  return (bytes, start, end, into) => {
    const time = start + 1;
    if (bytes[start] !== OPENING || end - start > MAX_LENGTH || !isStamp(bytes, time, FRACTION)) return false;
    const request = time + STAMP;
    if (!standsAt(bytes, request, AFTER_TIME)) return false;
    into.timeStart = time;
    into.timeEnd = request;
    openPieces(into, request);
    const answer = skimRequest(bytes, request + AFTER_TIME.length, end, into);
    const counts = skimAnswer(bytes, answer, end, era);
    const headers = skimCounts(bytes, counts, end, into);
    const tail = skimHeaders(bytes, headers, end, into);
    return skimTail(bytes, tail, end, into);
  };
}
