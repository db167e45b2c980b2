import type { Skimmed } from '../../src/model/record.ts';
import { bytesOf, endOfDigits, integerAt, isDigit, standsAt, startOfInteger } from '../../src/text/bytes.ts';

/** Length of ztunnel's time stamp, `2026-01-02T03:04:05.678901Z`. */
const STAMP = 27;
const COLON = 58;
const LETTER_Z = 90;

/**
 * How a format prints a connection that ended well. The volatile columns at the end are read backwards: what stands there
 * unescaped is no part of a value, so nobody can forge it.
 */
interface Layout {
  readonly start: Uint8Array;
  readonly head: Uint8Array;
  readonly addressEnd: number;
  readonly sent: Uint8Array;
  readonly received: Uint8Array;
  readonly duration: Uint8Array;
  readonly tail: Uint8Array;
}

const TEXT: Layout = {
  start: bytesOf(''),
  head: bytesOf('\tinfo\taccess\tconnection complete\tsrc.addr='),
  addressEnd: 32,
  sent: bytesOf('" bytes_sent='),
  received: bytesOf(' bytes_recv='),
  duration: bytesOf(' duration="'),
  tail: bytesOf('ms"'),
};

const JSON_LINE: Layout = {
  start: bytesOf('{"level":"info","time":"'),
  head: bytesOf('","scope":"access","message":"connection complete","src.addr":"'),
  addressEnd: 34,
  sent: bytesOf('","bytes_sent":'),
  received: bytesOf(',"bytes_recv":'),
  duration: bytesOf(',"duration":"'),
  tail: bytesOf('ms"}'),
};

/** Skims a line of plain text that tells of a connection which ended well; see `Parser.skim`. */
export function skimText(bytes: Uint8Array, start: number, end: number, into: Skimmed): boolean {
  return skimLine(bytes, start, end, TEXT, into);
}

/** The same of a JSON line. */
export function skimJson(bytes: Uint8Array, start: number, end: number, into: Skimmed): boolean {
  return skimLine(bytes, start, end, JSON_LINE, into);
}

function skimLine(bytes: Uint8Array, start: number, end: number, layout: Layout, into: Skimmed): boolean {
  const time = start + layout.start.length;
  const head = time + STAMP;
  if (!standsAt(bytes, head, layout.head) || !standsAt(bytes, start, layout.start)) return false;
  if (!isDigit(bytes[time]) || bytes[head - 1] !== LETTER_Z) return false;
  const address = head + layout.head.length;
  const shapeEnd = skimCounts(bytes, address, end, layout, into);
  const port = portColon(bytes, address, shapeEnd, layout.addressEnd);
  if (port < 0) return false;
  into.timeStart = time;
  into.timeEnd = head;
  into.pieces = 2;
  into.spans[0] = address;
  into.spans[1] = port;
  into.spans[2] = endOfDigits(bytes, port + 1, shapeEnd);
  into.spans[3] = shapeEnd;
  return true;
}

/** Reads bytes and duration from the end of the line; answers where they begin, -1 if they are not there. */
function skimCounts(bytes: Uint8Array, from: number, end: number, layout: Layout, into: Skimmed): number {
  const durationEnd = end - layout.tail.length;
  const durationStart = startOfInteger(bytes, from, durationEnd);
  if (durationStart < 0 || !standsAt(bytes, durationEnd, layout.tail)) return -1;
  const receivedEnd = durationStart - layout.duration.length;
  const receivedStart = startOfInteger(bytes, from, receivedEnd);
  if (receivedStart < 0 || !standsAt(bytes, receivedEnd, layout.duration)) return -1;
  const sentEnd = receivedStart - layout.received.length;
  const sentStart = startOfInteger(bytes, from, sentEnd);
  if (sentStart < 0 || !standsAt(bytes, sentEnd, layout.received)) return -1;
  const shapeEnd = sentStart - layout.sent.length;
  if (shapeEnd < from || !standsAt(bytes, shapeEnd, layout.sent)) return -1;
  into.bytesSent = integerAt(bytes, sentStart, sentEnd);
  into.bytesReceived = integerAt(bytes, receivedStart, receivedEnd);
  into.durationMs = integerAt(bytes, durationStart, durationEnd);
  return shapeEnd;
}

/** The last colon of the address at `from`, which ends at the byte `stop`; -1: it has none. */
function portColon(bytes: Uint8Array, from: number, end: number, stop: number): number {
  let colon = -1;
  for (let index = from; index < end && bytes[index] !== stop; index++) if (bytes[index] === COLON) colon = index;
  return colon;
}
