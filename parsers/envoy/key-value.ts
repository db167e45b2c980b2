import type { Envelope } from '../../src/model/line.ts';
import type { Parsed, Parser } from '../../src/model/record.ts';
import { parseInstant } from '../../src/text/time.ts';
import { COLUMN, cell, hasColumn, type Row } from './columns.ts';
import { Guess } from './guess.ts';
import { readTime, toRecord } from './record.ts';

/**
 * Custom text formats of `key=value` words (`code=403 flags=- details=…`), when nobody told the format: a best effort by
 * the names of the keys. A time, `"METHOD path"` and a code without key may stand before them, as in Envoy's default.
 */
export const envoyKeyValue: Parser = {
  id: 'envoy-key-value',
  title: 'Envoy access log, key=value text',
  parse(envelope: Envelope): Parsed {
    const { payload } = envelope;
    if (!START.test(payload) || !LIKELY.test(payload) || ENCODED.test(payload) || TWO_TIMES.test(payload)) return null;
    const row = readRow(payload);
    if (row === null) return null;
    const time = readTime(cell(row, COLUMN.time)) ?? leadingTime(payload);
    return toRecord(row, envelope, 'envoy-key-value', time);
  },
};

/** Cheap refusal of other text: without one of these words a line is never taken. */
const LIKELY = /(?:flags|details|why|term|termination|cluster|upstream[a-z_]{0,40})=/i;
/** Quotes that are written as something else: the line is within JSON or HTML. */
const ENCODED = /=(?:\\"|&quot;|&#34;)/;
/** A collector's time stands before the line's own. */
const TWO_TIMES = /^[^=]{0,400}?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:[^=]{1,600}?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:/;
/** What such a line begins with; a pod's name or a collector's time before it is a wrapping. */
const START =
  /^(?:\[?\d{4}-\d\d-\d\d(?!\S{9,19}\d{9}Z )(?!\S+ std(?:out|err) )|\[?\d{10}\b|\[\d\d\/(?:\d\d|[A-Z][a-z]{2})\/\d{4}|[\w.-]{1,64}=|"|[A-Z]{3,16} |- (?!\[?\d{4}-))/;
/** `GET shop/api HTTP/1.1`, `- -- -`, `"HEAD /status/503"`: what stands without a key. */
const REQUEST = /(?:^|[\s"])([A-Z]{3,16}|-) (\S{1,8192}) (?:HTTP\/[\d.]{1,4}|-)(?=["\s])/;
const SHORT_REQUEST = /(?:^|\s)"([A-Z]{3,16}|-) ([^\s"]{1,8192})"/;
const PROTOCOL = /(HTTP\/[\d.]{1,4}|-)$/;
const CODE = /" (\d{3}|0) (?=[\w.-]{1,64}=)/;
const LEADING_TIME = /^\[?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d))?)\]? /;
const KEY = /([A-Za-z][\w.-]{0,63})=/y;

function readRow(payload: string): Row | null {
  const guess = new Guess();
  const request = REQUEST.exec(payload) ?? SHORT_REQUEST.exec(payload);
  if (request !== null) addRequest(guess, request);
  // Words within the request are the client's: `/x code=200` is no column.
  const from = request?.index ?? -1;
  const until = request === null ? -1 : request.index + request[0].length;
  addPairs(guess, payload, from, until);
  if (!hasColumn(guess.row, COLUMN.status)) guess.add('code', CODE.exec(payload)?.[1] ?? '-');
  return hasColumn(guess.row, COLUMN.status) ? guess.finish() : null;
}

function addRequest(guess: Guess, [text, method = '', target = '']: RegExpExecArray): void {
  guess.add('method', method);
  const protocol = PROTOCOL.exec(text)?.[1];
  if (protocol !== undefined) guess.add('protocol', protocol);
  // `%REQ(:AUTHORITY)%%REQ(:PATH)%` is printed as one word; an absent path (CONNECT, TCP) is its last character.
  const slash = target.indexOf('/');
  const end = slash < 0 && target.length > 1 && target.endsWith('-') ? target.length - 1 : Math.max(slash, 0);
  guess.add('path', target.slice(end));
  if (end > 0) guess.add('authority', target.slice(0, end));
}

/** Adds the pairs outside of `from`–`until`. Values in quotes end at the quote; Envoy escapes nothing in text. */
function addPairs(guess: Guess, text: string, from: number, until: number): void {
  let at = 0;
  while (at < text.length) {
    if (at >= from && at < until) at = until;
    KEY.lastIndex = at;
    const match = KEY.exec(text);
    const start = at + (match?.[0].length ?? 0);
    const quoted = match !== null && text[start] === '"';
    const end = quoted ? endOf(text, '"', start + 1) : endOf(text, ' ', start);
    if (match?.[1] !== undefined) guess.add(match[1], text.slice(quoted ? start + 1 : start, end));
    at = quoted ? endOf(text, ' ', end) + 1 : end + 1;
  }
}

function endOf(text: string, stop: string, from: number): number {
  const end = text.indexOf(stop, from);
  return end < 0 ? text.length : end;
}

function leadingTime(payload: string): string | null {
  const text = LEADING_TIME.exec(payload)?.[1];
  if (text === undefined) return null;
  return parseInstant(text) ?? parseInstant(`${text}Z`);
}
