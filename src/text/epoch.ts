import type { Instant } from '../model/line.ts';

const DIGITS = /^(\d{9,10}|\d{12,13}|\d{15,16}|\d{18,19})(?:\.(\d{1,9}))?$/;

/**
 * Time since 1970 as logs count it, by its size: seconds (also with a fraction), milli-, micro- or nanoseconds, as number or
 * text; null: no such count. Good from 1973 to 2286.
 */
export function parseEpoch(value: unknown): Instant | null {
  if (typeof value !== 'number' && typeof value !== 'string') return null;
  const match = DIGITS.exec(String(value));
  if (match === null) return null;
  const [, digits = '', decimals = ''] = match;
  const secondsLength = digits.length - 3 * Math.floor((digits.length - 8) / 3);
  const fraction = `${digits.slice(secondsLength)}${decimals}000000`.slice(0, 6);
  return `${new Date(Number(digits.slice(0, secondsLength)) * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}
