import type { Instant } from '../model/line.ts';

/** A moment as one number that grows with time: microseconds, as if every month had 31 days. */
export type Stamp = number;

const ZERO = 48;
const YEAR = 2000;
const DAY_MICROS = 86_400_000_000;
const LETTER_T = 84;
const LETTER_Z = 90;
const HYPHEN = 45;
const DOT = 46;
const COLON = 58;
/** Length of a time without its fraction: `2026-01-02T03:04:05`. */
const WHOLE = 19;

/**
 * The time from `start` to `end`, `2026-01-02T03:04:05.678Z` with one to six digits of fraction; NaN: there is no such time of
 * this century.
 */
export function stampAt(bytes: Uint8Array, start: number, end: number): Stamp {
  const fraction = end - start - WHOLE - 2;
  if (fraction < 1 || fraction > 6 || !hasSeparators(bytes, start) || bytes[end - 1] !== LETTER_Z) return Number.NaN;
  const year = bounded(numberAt(bytes, start, 4), YEAR, YEAR + 99);
  const month = bounded(numberAt(bytes, start + 5, 2), 1, 12);
  const day = bounded(numberAt(bytes, start + 8, 2), 1, 31);
  const hour = bounded(numberAt(bytes, start + 11, 2), 0, 23);
  const minute = bounded(numberAt(bytes, start + 14, 2), 0, 59);
  const second = bounded(numberAt(bytes, start + 17, 2), 0, 59);
  const micros = numberAt(bytes, start + WHOLE + 1, fraction) * 10 ** (6 - fraction);
  return (
    (((year - YEAR) * 12 + month - 1) * 31 + day - 1) * DAY_MICROS + ((hour * 60 + minute) * 60 + second) * 1e6 + micros
  );
}

/** Whether at `start` a time of this length stands, without zone: with no fraction, or with one of any number of digits. */
export function isTimeAt(bytes: Uint8Array, start: number, length: number): boolean {
  if (!hasInnerSeparators(bytes, start) || (length > WHOLE && bytes[start + WHOLE] !== DOT)) return false;
  const sum =
    numberAt(bytes, start, 4) +
    bounded(numberAt(bytes, start + 5, 2), 1, 12) +
    bounded(numberAt(bytes, start + 8, 2), 1, 31) +
    bounded(numberAt(bytes, start + 11, 2), 0, 23) +
    bounded(numberAt(bytes, start + 14, 2), 0, 59) +
    bounded(numberAt(bytes, start + 17, 2), 0, 59) +
    (length > WHOLE ? numberAt(bytes, start + WHOLE + 1, length - WHOLE - 1) : 0);
  return !Number.isNaN(sum);
}

function hasSeparators(bytes: Uint8Array, start: number): boolean {
  return hasInnerSeparators(bytes, start) && bytes[start + WHOLE] === DOT;
}

function hasInnerSeparators(bytes: Uint8Array, start: number): boolean {
  return (
    bytes[start + 4] === HYPHEN &&
    bytes[start + 7] === HYPHEN &&
    bytes[start + 10] === LETTER_T &&
    bytes[start + 13] === COLON &&
    bytes[start + 16] === COLON
  );
}

function numberAt(bytes: Uint8Array, start: number, digits: number): number {
  let value = 0;
  for (let index = start; index < start + digits; index++) {
    const digit = (bytes[index] as number) - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

function bounded(value: number, least: number, most: number): number {
  return value >= least && value <= most ? value : Number.NaN;
}

/** A stamp as an instant. */
export function instantOfStamp(stamp: Stamp): Instant {
  const days = Math.floor(stamp / DAY_MICROS);
  const micros = stamp - days * DAY_MICROS;
  const seconds = Math.floor(micros / 1e6);
  const months = Math.floor(days / 31);
  const date = `${YEAR + Math.floor(months / 12)}-${padded((months % 12) + 1)}-${padded((days % 31) + 1)}`;
  const time = `${padded(Math.floor(seconds / 3600))}:${padded(Math.floor(seconds / 60) % 60)}:${padded(seconds % 60)}`;
  return `${date}T${time}.${String(micros % 1e6).padStart(6, '0')}Z`;
}

function padded(value: number): string {
  return String(value).padStart(2, '0');
}
