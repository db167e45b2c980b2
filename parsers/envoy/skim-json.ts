import type { Skimmed } from '../../src/model/record.ts';
import { bytesOf, endOfInteger, endOfPlain, integerAt, standsAt, startOfPort } from '../../src/text/bytes.ts';
import { closePieces, leaveOut, openPieces } from '../../src/text/cut.ts';
import { isSuccess, keepAgent, keepSize, MAX_LENGTH, STAMP } from './skim.ts';
import { skimPath } from './skim-path.ts';

const QUOTE = 34;
const COMMA = 44;
const OPEN = 123;
const CLOSE = 125;
const NULL = bytesOf('null');

/**
 * What is left out of a value. `kept`: nothing; `free`: all of it, no flow is told by it; `id`: the same where there is one,
 * only HTTP has; `path`: its ids and its query; `port`: the port that the proxy or the client chose; `code`: nothing,
 * and the bytes sent are kept with an error; `agent`: kept with an error only; the others are read.
 */
type Kind = 'kept' | 'code' | 'agent' | 'free' | 'id' | 'path' | 'port' | 'time' | 'received' | 'sent' | 'duration';

const KINDS: Readonly<Record<string, Kind>> = {
  authority: 'kept',
  bytes_received: 'received',
  bytes_sent: 'sent',
  connection_termination_details: 'kept',
  downstream_local_address: 'kept',
  downstream_remote_address: 'port',
  duration: 'duration',
  istio_policy_status: 'kept',
  method: 'kept',
  path: 'path',
  protocol: 'kept',
  request_id: 'id',
  requested_server_name: 'kept',
  response_code: 'code',
  response_code_details: 'kept',
  response_flags: 'kept',
  route_name: 'kept',
  start_time: 'time',
  upstream_cluster: 'kept',
  upstream_host: 'kept',
  upstream_local_address: 'port',
  upstream_service_time: 'free',
  upstream_transport_failure_reason: 'kept',
  user_agent: 'agent',
  x_forwarded_for: 'free',
};

interface Key {
  /** The key with its quotes and colon. */
  readonly literal: Uint8Array;
  readonly kind: Kind;
  /** Its bit in the set of keys that a line has. */
  readonly bit: number;
  /** The key that stood behind this one last: fixed in one file, sorted since Envoy 1.33. */
  next: Key | null;
}

const KEYS: readonly Key[] = Object.entries(KINDS).map(([name, kind], index) => ({
  literal: bytesOf(`"${name}":`),
  kind,
  bit: 1 << index,
  next: null,
}));
/** Lines without one of these are parsed. */
const NEEDED = KEYS.filter(({ kind }) => ['code', 'time', 'received', 'sent', 'duration'].includes(kind)).reduce(
  (bits, { bit }) => bits | bit,
  0,
);

/** What was met on the line that is being skimmed: bits of keys, and where three values stand; `agent` 0: it is absent. */
const met = { keys: 0, code: 0, sent: 0, agent: 0 };

/**
 * Skims a line of Istio's default JSON, of all releases (istio 86c9f01f pilot/pkg/model/telemetry_logging.go), keys in any
 * order; see `Parser.skim`. A line counts only if it is flat, has known keys only, each once, and no escapes.
 */
export function skimJson(bytes: Uint8Array, start: number, end: number, into: Skimmed): boolean {
  if (bytes[start] !== OPEN || end - start > MAX_LENGTH) return false;
  met.keys = 0;
  met.agent = 0;
  openPieces(into, start);
  let key: Key | null = null;
  let at = start;
  do {
    key = keyAt(bytes, at + 1, key);
    at = key === null ? -1 : skimMember(bytes, at + 1 + key.literal.length, end, key, into);
  } while (at >= 0 && at < end && bytes[at] === COMMA);
  if (at < 0 || bytes[at] !== CLOSE || at + 1 !== end || (met.keys & NEEDED) !== NEEDED) return false;
  closePieces(into, end);
  if (!isSuccess(bytes, met.code)) {
    keepSize(bytes, met.sent, end, into);
    if (met.agent > 0) keepAgent(bytes, met.agent, end, into);
  }
  return true;
}

function skimMember(bytes: Uint8Array, at: number, end: number, { kind, bit }: Key, into: Skimmed): number {
  if ((met.keys & bit) !== 0) return -1;
  met.keys |= bit;
  if (kind === 'code') met.code = digitsAt(bytes, at);
  else if (kind === 'sent') met.sent = digitsAt(bytes, at);
  else if (kind === 'agent' && bytes[at] === QUOTE) met.agent = at + 1;
  return skimValue(bytes, at, end, kind, into);
}

/** Numbers were texts up to Istio 1.7. */
function digitsAt(bytes: Uint8Array, at: number): number {
  return bytes[at] === QUOTE ? at + 1 : at;
}

function keyAt(bytes: Uint8Array, at: number, last: Key | null): Key | null {
  if (last?.next && standsAt(bytes, at, last.next.literal)) return last.next;
  for (const key of KEYS) {
    if (!standsAt(bytes, at, key.literal)) continue;
    if (last !== null) last.next = key;
    return key;
  }
  return null;
}

/** Leaves out what is volatile of the value at `at`; answers the place behind it, -1: it is not as expected. */
function skimValue(bytes: Uint8Array, at: number, end: number, kind: Kind, into: Skimmed): number {
  if (kind === 'received' || kind === 'sent' || kind === 'duration') return skimCount(bytes, at, end, kind, into);
  if (bytes[at] !== QUOTE) return skimBare(bytes, at, end, kind, into);
  const start = at + 1;
  const close = endOfPlain(bytes, start, end);
  if (close < 0) return -1;
  switch (kind) {
    case 'kept':
    case 'code':
      break;
    case 'agent':
    case 'free':
      leaveOut(into, at, close + 1);
      break;
    case 'id':
      if (close > start + 1) leaveOut(into, start, close);
      break;
    case 'path':
      skimPath(bytes, start, close, into);
      break;
    case 'port':
      leaveOut(into, startOfPort(bytes, start, close), close);
      break;
    case 'time':
      if (close !== start + STAMP) return -1;
      into.timeStart = start;
      into.timeEnd = close;
      leaveOut(into, start, close);
  }
  return close + 1;
}

/** A value that is no text: `null`, or a number or literal where all is kept. */
function skimBare(bytes: Uint8Array, at: number, end: number, kind: Kind, into: Skimmed): number {
  if (standsAt(bytes, at, NULL)) {
    if (kind === 'free') leaveOut(into, at, at + NULL.length);
    return kind === 'time' ? -1 : at + NULL.length;
  }
  const stop = endOfInteger(bytes, at, end);
  return kind === 'kept' || kind === 'code' ? stop : -1;
}

function skimCount(
  bytes: Uint8Array,
  at: number,
  end: number,
  kind: 'received' | 'sent' | 'duration',
  into: Skimmed,
): number {
  const start = digitsAt(bytes, at);
  const stop = endOfInteger(bytes, start, end);
  if (stop < 0 || (start > at && bytes[stop] !== QUOTE)) return -1;
  const value = integerAt(bytes, start, stop);
  if (kind === 'received') into.bytesReceived = value;
  else if (kind === 'sent') into.bytesSent = value;
  else into.durationMs = value;
  leaveOut(into, start, stop);
  return stop + start - at;
}
