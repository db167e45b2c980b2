import { type Envelope, UNKNOWN_ORIGIN } from '../../src/model/line.ts';
import type { Parser } from '../../src/model/record.ts';
import { COLUMN, type Row } from './columns.ts';
import { isAbsent, isValue, SHAPES } from './shapes.ts';

/** A format that was learnt from lines. */
export interface Inference {
  /** The format string, or the JSON object of one. `%_%` is a word and `%REQ(_)%` a text that is read over. */
  readonly format: string;
  readonly parser: Parser;
  /** Columns of which is known what they are. */
  readonly known: number;
}

/** The parser of a format that was learnt from lines. */
export const INFERRED: { readonly id: string; readonly title: string; readonly envelope: Omit<Envelope, 'payload'> } = {
  id: 'envoy-inferred',
  title: 'Envoy access log, a format learnt from its lines',
  envelope: { at: { input: '', line: 0 }, wrappings: [], time: null, origin: UNKNOWN_ORIGIN },
};

/**
 * Whether a row that was read with an inferred format is a line of Envoy's: its status, flags and details look like what
 * Envoy prints. Lines of another program may have the same punctuation.
 */
export function isOwnLine(row: Row): boolean {
  const status = row[COLUMN.status] ?? '';
  if (isAbsent(status) || !isValue(SHAPES.code, status, true)) return false;
  return (
    isValue(SHAPES.flags, row[COLUMN.flags] ?? '', true) &&
    isValue(SHAPES.details, row[COLUMN.details] ?? '', true) &&
    isValue(SHAPES.protocol, row[COLUMN.protocol] ?? '', true)
  );
}
