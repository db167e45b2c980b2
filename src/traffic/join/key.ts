import type { LogRecord } from '../../model/record.ts';

/**
 * What two lines of one failure have in common, as text that is equal in both; null: the record is not such a line. What a
 * key is made of is never absent: two lines that say nothing have nothing in common.
 */
export type KeyOf = (record: LogRecord) => string | null;

/** The parts as one key; null if one is absent. */
export function keyOf(...parts: readonly (string | number | null | undefined)[]): string | null {
  return parts.some((part) => part === null || part === undefined || part === '') ? null : parts.join(' ');
}
