import type { Instant } from '../model/line.ts';

const RFC3339 = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:[.,](\d{1,9}))?(?:(Z)|\s?([+-])(\d{2}):?(\d{2}))$/;

/**
 * Reads RFC 3339 (also with a blank for `T`, `+0000`, 0 to 9 fraction digits) as an instant in UTC with microseconds;
 * null if it is no such time.
 */
export function parseInstant(text: string): Instant | null {
  return readUsual(text) ?? readAny(text);
}

/** Place of the `Z` behind microseconds, and behind one and nine digits of fraction. */
const MICROS_END = 26;
const LEAST_END = 21;
const MOST_END = 29;

/** A time as proxies and the kubelet print it before every line, in UTC and with a fraction; null: another notation, or none. */
function readUsual(text: string): Instant | null {
  const end = text.length - 1;
  if (end < LEAST_END || end > MOST_END || text.charCodeAt(end) !== 90 || text.charCodeAt(19) !== 46) return null;
  if (!isMoment(text)) return null;
  for (let index = 20; index < end; index++) {
    const code = text.charCodeAt(index);
    if (code < 48 || code > 57) return null;
  }
  if (end === MICROS_END) return text;
  return end > MICROS_END ? `${text.slice(0, MICROS_END)}Z` : `${text.slice(0, end)}${'00000'.slice(end - LEAST_END)}Z`;
}

/** Whether a text begins with a date and time that calendars and clocks have, whatever the month's length. */
function isMoment(text: string): boolean {
  return (
    text.charCodeAt(4) === 45 &&
    text.charCodeAt(7) === 45 &&
    text.charCodeAt(10) === 84 &&
    text.charCodeAt(13) === 58 &&
    text.charCodeAt(16) === 58 &&
    isBetween(text, 0, 0, 99) &&
    isBetween(text, 2, 0, 99) &&
    isBetween(text, 5, 1, 12) &&
    isBetween(text, 8, 1, 31) &&
    isBetween(text, 11, 0, 23) &&
    isBetween(text, 14, 0, 59) &&
    isBetween(text, 17, 0, 59)
  );
}

/** Whether two digits stand at a place that make such a number. */
function isBetween(text: string, at: number, least: number, most: number): boolean {
  const tens = text.charCodeAt(at) - 48;
  const ones = text.charCodeAt(at + 1) - 48;
  const value = tens * 10 + ones;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 && value >= least && value <= most;
}

function readAny(text: string): Instant | null {
  const match = RFC3339.exec(text);
  if (match === null) return null;
  const [, date = '', time = '', fraction = '', zulu, sign, hours = '00', minutes = '00'] = match;
  const micros = `${fraction}000000`.slice(0, 6);
  const epoch = Date.parse(`${date}T${time}.${micros}Z`);
  if (Number.isNaN(epoch)) return null;
  if (zulu !== undefined) return `${date}T${time}.${micros}Z`;
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === '-' ? -1 : 1);
  return `${new Date(epoch - offsetMs).toISOString().slice(0, 19)}.${micros}Z`;
}

/** True for the exact form of an Instant, `2026-01-02T03:04:05.678901Z`, as ztunnel prints it. */
export function isInstant(text: string): boolean {
  if (text.length !== 27 || text.charCodeAt(26) !== 90 || text.charCodeAt(10) !== 84) return false;
  for (let index = 0; index < 26; index++) {
    const code = text.charCodeAt(index);
    const digit = code >= 48 && code <= 57;
    if (!digit && code !== SEPARATORS[index]) return false;
  }
  return true;
}

const SEPARATORS: readonly (number | undefined)[] = [...'dddd-dd-ddTdd:dd:dd.dddddd'].map((letter) =>
  letter === 'd' ? undefined : letter.charCodeAt(0),
);

/** An instant as milliseconds since 1970. */
export function instantMs(instant: Instant): number {
  return Date.parse(instant);
}
