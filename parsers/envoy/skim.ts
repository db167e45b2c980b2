import type { Skimmed } from '../../src/model/record.ts';
import {
  bytesOf,
  endOfInteger,
  endOfPlain,
  endOfWord,
  integerAt,
  isDigit,
  standsAt,
  startOfPort,
} from '../../src/text/bytes.ts';
import { addPiece, closePieces, leaveOut, openPieces } from '../../src/text/cut.ts';
import { skimPath } from './skim-path.ts';

/** Length of START_TIME as it is printed by default, `2026-01-02T03:04:05.678Z`. */
export const STAMP: number = 24;
/** Longer lines are parsed: the parsers have limits for values that begin there. */
export const MAX_LENGTH: number = 8192;
const BLANK = 32;
const QUOTE = 34;
const MINUS = 45;
const ZERO = 48;
const THREE = 51;
const OPENING = 91;

/** What an era of Istio's default text prints between the request and the counts. */
export interface Era {
  /** Blanks up to the first quoted value. */
  readonly blanks: number;
  readonly quoted: number;
}

const AFTER_TIME = bytesOf('] "');
const BETWEEN = bytesOf('" "');
const AFTER_QUOTED = bytesOf('" ');

/**
 * Makes the skimmer of an era's default text. Values are not escaped there, so a line counts only if no quoted value holds a
 * quote: then every quote stands where the format has one, and no value can pass for a column. Left out is what the
 * client writes and no flow is told by: query, X-Forwarded-For, request id, and the user agent of what worked.
 */
export function textSkimmer(era: Era): (bytes: Uint8Array, start: number, end: number, into: Skimmed) => boolean {
  // INVARIANT: a place beyond the end, from a line that stops early, ends in -1: the tail is looked for before `end` only.
  return (bytes, start, end, into) => {
    const time = start + 1;
    const request = time + STAMP;
    if (bytes[start] !== OPENING || end - start > MAX_LENGTH || !standsAt(bytes, request, AFTER_TIME)) return false;
    into.timeStart = time;
    into.timeEnd = request;
    openPieces(into, request);
    const answer = skimRequest(bytes, request + AFTER_TIME.length, end, into);
    const counts = answer < 0 ? -1 : endOfAnswer(bytes, answer, end, era);
    const headers = counts < 0 ? -1 : skimCounts(bytes, counts, end, into);
    const tail = headers < 0 ? -1 : skimHeaders(bytes, counts, headers, end, into);
    if (tail < 0 || !skimTail(bytes, tail, end, into)) return false;
    if (!isSuccess(bytes, answer + 1)) {
      keepSize(bytes, endOfInteger(bytes, counts, end) + 1, end, into);
      keepAgent(bytes, endOfPlain(bytes, headers, end) + BETWEEN.length, end, into);
    }
    return true;
  };
}

/** Whether the code at `at` is 0 or below 400. */
export function isSuccess(bytes: Uint8Array, at: number): boolean {
  const first = bytes[at] as number;
  const length = first === ZERO ? 1 : 3;
  return first >= ZERO && first <= THREE && !isDigit(bytes[at + length]);
}

/** The size of an error tells who answered, and so it tells flows apart: keeps the bytes sent, which stand at `at`. */
export function keepSize(bytes: Uint8Array, at: number, end: number, into: Skimmed): void {
  addPiece(into, at, endOfInteger(bytes, at, end));
}

/** Who only probed is another caller where something failed: keeps the user agent, which stands at `at`. */
export function keepAgent(bytes: Uint8Array, at: number, end: number, into: Skimmed): void {
  addPiece(into, at, endOfPlain(bytes, at, end));
}

/** Leaves out the query of `METHOD PATH PROTOCOL"`; answers the place behind. */
function skimRequest(bytes: Uint8Array, at: number, end: number, into: Skimmed): number {
  const path = placeAfter(bytes, BLANK, at, end);
  const protocol = path < 0 ? -1 : placeAfter(bytes, BLANK, path, end);
  if (protocol < 0) return -1;
  skimPath(bytes, path, protocol - 1, into);
  return placeAfter(bytes, QUOTE, protocol, end);
}

/** The place behind the word at `at` and the byte that has to follow it; -1: another follows, or it is no plain word. */
function placeAfter(bytes: Uint8Array, byte: number, at: number, end: number): number {
  const stop = endOfWord(bytes, at, end);
  return stop >= 0 && stop < end && bytes[stop] === byte ? stop + 1 : -1;
}

/** The place of the counts, behind code, flags, details, termination and the quoted values of the era. */
function endOfAnswer(bytes: Uint8Array, answer: number, end: number, era: Era): number {
  let at = answer;
  for (let blank = 0; blank < era.blanks; blank++) {
    at = placeAfter(bytes, BLANK, at, end);
    if (at < 0) return -1;
  }
  for (let value = 0; value < era.quoted; value++) {
    const close = bytes[at] === QUOTE ? endOfPlain(bytes, at + 1, end) : -1;
    if (!standsAt(bytes, close, AFTER_QUOTED)) return -1;
    at = close + 2;
  }
  return at;
}

/** Reads `RECEIVED SENT DURATION SERVICE "`; answers the place behind. */
function skimCounts(bytes: Uint8Array, at: number, end: number, into: Skimmed): number {
  const received = endOfInteger(bytes, at, end);
  const sent = received < 0 ? -1 : endOfInteger(bytes, received + 1, end);
  const duration = sent < 0 ? -1 : endOfInteger(bytes, sent + 1, end);
  if (duration < 0 || bytes[received] !== BLANK || bytes[sent] !== BLANK || bytes[duration] !== BLANK) return -1;
  const service = bytes[duration + 1] === MINUS ? duration + 2 : endOfInteger(bytes, duration + 1, end);
  if (service < 0 || bytes[service] !== BLANK || bytes[service + 1] !== QUOTE) return -1;
  into.bytesReceived = integerAt(bytes, at, received);
  into.bytesSent = integerAt(bytes, received + 1, sent);
  into.durationMs = integerAt(bytes, sent + 1, duration);
  return service + 2;
}

/** Leaves out all from the counts to the request id, which stays where it is absent: only HTTP has one. */
function skimHeaders(bytes: Uint8Array, counts: number, at: number, end: number, into: Skimmed): number {
  const forwardedFor = endOfPlain(bytes, at, end);
  if (!standsAt(bytes, forwardedFor, BETWEEN)) return -1;
  const userAgent = endOfPlain(bytes, forwardedFor + 3, end);
  if (!standsAt(bytes, userAgent, BETWEEN)) return -1;
  const id = userAgent + 3;
  const idEnd = endOfPlain(bytes, id, end);
  if (idEnd === id || !standsAt(bytes, idEnd, BETWEEN)) return -1;
  leaveOut(into, counts, idEnd === id + 1 ? id : idEnd);
  const authority = endOfPlain(bytes, idEnd + 3, end);
  if (!standsAt(bytes, authority, BETWEEN)) return -1;
  const host = endOfPlain(bytes, authority + 3, end);
  return standsAt(bytes, host, AFTER_QUOTED) ? host + 2 : -1;
}

/** Leaves out the ports of `CLUSTER OWN-SIDE LOCAL REMOTE …` that the proxy and the client chose. */
function skimTail(bytes: Uint8Array, at: number, end: number, into: Skimmed): boolean {
  const upstreamLocal = placeAfter(bytes, BLANK, at, end);
  const local = upstreamLocal < 0 ? -1 : placeAfter(bytes, BLANK, upstreamLocal, end);
  const remote = local < 0 ? -1 : placeAfter(bytes, BLANK, local, end);
  const rest = remote < 0 ? -1 : placeAfter(bytes, BLANK, remote, end);
  if (rest < 0 || endOfPlain(bytes, rest, end) !== end) return false;
  leaveOut(into, startOfPort(bytes, upstreamLocal, local - 1), local - 1);
  leaveOut(into, startOfPort(bytes, remote, rest - 1), rest - 1);
  closePieces(into, end);
  return true;
}
