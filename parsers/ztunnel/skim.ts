import type { Skimmed } from '../../src/model/record.ts';
import { bytesOf, integerAt, placeOf, standsAt, startOfInteger, startOfPort } from '../../src/text/bytes.ts';
import { closePieces, leaveOut, openPieces } from '../../src/text/cut.ts';

/** Length of ztunnel's time stamp, `2026-01-02T03:04:05.678901Z`. */
const STAMP = 27;
const QUOTE = 34;
const BACKSLASH = 92;

/**
 * How a format prints a connection that ended. The volatile columns at the end are read backwards: what stands there
 * unescaped is no part of a value, so nobody can forge it. The level stands in no record.
 */
interface Layout {
  /** What may stand before the time, and between the time and the source's address. */
  readonly starts: readonly Uint8Array[];
  readonly heads: readonly Uint8Array[];
  /** The byte behind the address. */
  readonly addressEnd: number;
  readonly sent: Uint8Array;
  readonly received: Uint8Array;
  readonly duration: Uint8Array;
  /** What stands behind the digits of the duration: the rest of the line, or what leads to the error. */
  readonly tail: Uint8Array;
  readonly error: Uint8Array;
  /** What stands behind the error. */
  readonly close: Uint8Array;
}

const LEVELS = ['info', 'error'];

const TEXT: Layout = {
  starts: [bytesOf('')],
  heads: LEVELS.map((level) => bytesOf(`\t${level}\taccess\tconnection complete\tsrc.addr=`)),
  addressEnd: 32,
  sent: bytesOf('" bytes_sent='),
  received: bytesOf(' bytes_recv='),
  duration: bytesOf(' duration="'),
  tail: bytesOf('ms"'),
  error: bytesOf('ms" error="'),
  close: bytesOf('"'),
};

const JSON_LINE: Layout = {
  starts: LEVELS.map((level) => bytesOf(`{"level":"${level}","time":"`)),
  heads: [bytesOf('","scope":"access","message":"connection complete","src.addr":"')],
  addressEnd: QUOTE,
  sent: bytesOf('","bytes_sent":'),
  received: bytesOf(',"bytes_recv":'),
  duration: bytesOf(',"duration":"'),
  tail: bytesOf('ms"}'),
  error: bytesOf('ms","error":"'),
  close: bytesOf('"}'),
};

/** Skims a line of plain text that tells of a connection which ended; see `Parser.skim`. */
export function skimText(bytes: Uint8Array, start: number, end: number, into: Skimmed): boolean {
  return skimLine(bytes, start, end, TEXT, into);
}

/** The same of a JSON line. */
export function skimJson(bytes: Uint8Array, start: number, end: number, into: Skimmed): boolean {
  return skimLine(bytes, start, end, JSON_LINE, into);
}

function skimLine(bytes: Uint8Array, start: number, end: number, layout: Layout, into: Skimmed): boolean {
  const time = behind(bytes, start, layout.starts);
  if (time < 0) return false;
  const address = behind(bytes, time + STAMP, layout.heads);
  if (address < 0) return false;
  const errorEnd = end - layout.close.length;
  const error = startOfError(bytes, address, errorEnd, layout);
  const durationEnd = error < 0 ? end - layout.tail.length : error - layout.error.length;
  if (error < 0 && !standsAt(bytes, durationEnd, layout.tail)) return false;
  const countsStart = skimCounts(bytes, address, durationEnd, layout, into);
  const addressEnd = placeOf(bytes, layout.addressEnd, address, countsStart);
  if (addressEnd < 0) return false;
  into.timeStart = time;
  into.timeEnd = time + STAMP;
  openPieces(into, address);
  leaveOut(into, startOfPort(bytes, address, addressEnd), addressEnd);
  if (error >= 0) leaveOut(into, countsStart, error);
  closePieces(into, error < 0 ? countsStart : errorEnd);
  return true;
}

/** The place behind the one of `texts` that stands at `at`; -1: none does. */
function behind(bytes: Uint8Array, at: number, texts: readonly Uint8Array[]): number {
  for (const text of texts) if (standsAt(bytes, at, text)) return at + text.length;
  return -1;
}

/** Where the error begins that ends the line before `end`; -1: the line has none. Quotes within are escaped. */
function startOfError(bytes: Uint8Array, from: number, end: number, { close, error }: Layout): number {
  if (!standsAt(bytes, end, close)) return -1;
  let start = end;
  while (start > from && !(bytes[start - 1] === QUOTE && bytes[start - 2] !== BACKSLASH)) start--;
  return standsAt(bytes, start - error.length, error) ? start : -1;
}

/** Reads bytes and duration, the digits of which end before `end`; answers where they begin, -1 if they are not there. */
function skimCounts(bytes: Uint8Array, from: number, end: number, layout: Layout, into: Skimmed): number {
  const durationStart = startOfInteger(bytes, from, end);
  const receivedEnd = durationStart - layout.duration.length;
  const receivedStart = startOfInteger(bytes, from, receivedEnd);
  const sentEnd = receivedStart - layout.received.length;
  const sentStart = startOfInteger(bytes, from, sentEnd);
  const countsStart = sentStart - layout.sent.length;
  if (durationStart < 0 || receivedStart < 0 || sentStart < 0 || countsStart < from) return -1;
  if (!standsAt(bytes, receivedEnd, layout.duration)) return -1;
  if (!standsAt(bytes, sentEnd, layout.received) || !standsAt(bytes, countsStart, layout.sent)) return -1;
  into.bytesSent = integerAt(bytes, sentStart, sentEnd);
  into.bytesReceived = integerAt(bytes, receivedStart, receivedEnd);
  into.durationMs = integerAt(bytes, durationStart, end);
  return countsStart;
}
