import type { Shape } from './operators.ts';

/** One value of a line and the literal text that follows it (up to the next value, or to the end). */
export interface Slot {
  readonly shape: Shape;
  /** Sticky pattern of a `time` with its own notation; null: up to the literal that follows. */
  readonly pattern: RegExp | null;
  readonly after: string;
}

const QUOTE = 34;
const BLANK = 32;
/** Longest value looked at, by shape: what keeps a hostile line from being searched again and again. */
const MAX_LENGTH: Readonly<Record<Shape, number>> = {
  number: 20,
  protocol: 15,
  word: 8192,
  phrase: 8192,
  time: 64,
  header: 0,
  free: 0,
};

/**
 * Where the value that starts at `cursor` ends: before the first literal that follows it, the last one of a template before
 * `limit`. -1: there is no value of this shape.
 */
export function valueEnd(line: string, slot: Slot, cursor: number, limit: number, isLast: boolean): number {
  const { pattern, after, shape } = slot;
  if (pattern !== null) return patternEnd(line, pattern, after, cursor, limit);
  if (!isLast) return scan(line, slot, cursor, Math.min(limit - after.length, cursor + MAX_LENGTH[shape]));
  const end = limit - after.length;
  return end >= cursor && line.startsWith(after, end) && fitsToEnd(shape, line, cursor, end) ? end : -1;
}

function scan(line: string, { after, shape }: Slot, cursor: number, stop: number): number {
  const first = after.charCodeAt(0);
  const single = after.length === 1;
  for (let index = cursor; index <= stop; index++) {
    const code = line.charCodeAt(index);
    if (code === first && (single || line.startsWith(after, index))) {
      return fits(shape, line, cursor, index) ? index : -1;
    }
    if (code === QUOTE || (code === BLANK && shape !== 'phrase')) return -1;
  }
  return -1;
}

function patternEnd(line: string, pattern: RegExp, after: string, cursor: number, limit: number): number {
  pattern.lastIndex = cursor;
  const end = pattern.test(line) ? pattern.lastIndex : -1;
  return end >= 0 && end + after.length <= limit && line.startsWith(after, end) ? end : -1;
}

const MINUS = 45;

/** Whether a scanned text (without quotes, and blanks only in a phrase) is a value of this shape. */
function fits(shape: Shape, line: string, start: number, end: number): boolean {
  if (end === start || (end === start + 1 && line.charCodeAt(start) === MINUS)) return true;
  switch (shape) {
    case 'number':
      return isNumber(line, start, end);
    case 'protocol':
      return end - start < 16 && line.startsWith('HTTP/', start);
    case 'time':
      return isDigit(line.charCodeAt(start));
    default:
      return true;
  }
}

function isNumber(line: string, start: number, end: number): boolean {
  if (end - start > MAX_LENGTH.number) return false;
  for (let index = start; index < end; index++) {
    if (!isDigit(line.charCodeAt(index))) return false;
  }
  return true;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** Whether a text that was not scanned, the last value of a line, is of this shape. */
export function fitsToEnd(shape: Shape, line: string, start: number, end: number): boolean {
  const quote = line.indexOf('"', start);
  if (quote >= 0 && quote < end) return false;
  const blank = line.indexOf(' ', start);
  return (shape === 'phrase' || blank < 0 || blank >= end) && fits(shape, line, start, end);
}
