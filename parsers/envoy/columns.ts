/**
 * The columns of an access log that meshmend understands, whatever the notation: text operators, JSON keys and
 * `key=value` words all end up in one `Row`. The number is the place in a row.
 */
export const COLUMN = {
  time: 0,
  method: 1,
  path: 2,
  authority: 3,
  protocol: 4,
  status: 5,
  flags: 6,
  details: 7,
  termination: 8,
  transportFailure: 9,
  bytesReceived: 10,
  bytesSent: 11,
  durationMs: 12,
  upstreamServiceMs: 13,
  forwardedFor: 14,
  userAgent: 15,
  requestId: 16,
  upstreamHost: 17,
  cluster: 18,
  upstreamLocal: 19,
  downstreamLocal: 20,
  downstreamRemote: 21,
  downstreamDirect: 22,
  serverName: 23,
  route: 24,
  grpcStatus: 25,
  attempts: 26,
  sourceIdentity: 27,
  destinationIdentity: 28,
  sourceNamespace: 29,
  sourceWorkload: 30,
  destinationNamespace: 31,
  destinationWorkload: 32,
} as const;

/** Place of one column in a row. */
export type Column = (typeof COLUMN)[keyof typeof COLUMN];

/**
 * One access log line, by column, values as printed. Null: the format has no such column. `''` and `-`: printed, but
 * absent (`''` with Envoy's `omit_empty_values`). Untrusted text.
 */
export type Row = (string | null)[];

const WIDTH = Object.keys(COLUMN).length;

/** A row of a format without columns. */
export function emptyRow(): Row {
  return new Array<string | null>(WIDTH).fill(null);
}

/** The value of a column; null: absent, or no such column. */
export function cell(row: Row, column: Column): string | null {
  const text = row[column] ?? null;
  return text === '' || text === '-' ? null : text;
}

/** True when the format has this column, even where the line has no value in it. */
export function hasColumn(row: Row, column: Column): boolean {
  return (row[column] ?? null) !== null;
}

/** A column as a number of at least zero, also from scientific notation (`1e+05`, Envoy's JSON formatter); else null. */
export function numericCell(row: Row, column: Column): number | null {
  const text = cell(row, column);
  if (text === null) return null;
  const value = Number(text);
  return Number.isFinite(value) && value >= 0 ? value : null;
}
