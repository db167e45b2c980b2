/** One column of a text line as its punctuation sets it apart. */
export interface Field {
  /** What stands before the value: `[`, `"`, `flags=`, `why="`, or nothing. */
  readonly before: string;
  /** Untrusted text. */
  readonly value: string;
  /** What stands behind it: `]`, `"`, or nothing. */
  readonly after: string;
}

/** Texts that formats set between their columns, the commonest first. */
export const SEPARATORS: readonly string[] = [' ', '\t', '|', ';', ','];

const MAX_FIELDS = 80;
const KEY = /[A-Za-z_@][\w.-]{0,48}(?:=|: ?|:)/y;
const PAIRS: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["'", "'"],
  ['[', ']'],
  ['(', ')'],
  ['{', '}'],
  ['<', '>'],
]);

/** Cuts a line into its fields; null: it has too many, or a quote is not closed. Linear. */
export function fieldsOf(line: string, separator: string): readonly Field[] | null {
  const fields: Field[] = [];
  let at = 0;
  while (at <= line.length) {
    if (fields.length >= MAX_FIELDS) return null;
    const [field, end] = fieldAt(line, separator, at);
    if (field === null) return null;
    fields.push(field);
    at = end + separator.length;
  }
  return fields;
}

/** The field that begins at `at`, and where it ends. */
function fieldAt(line: string, separator: string, at: number): readonly [Field | null, number] {
  const key = keyAt(line, at);
  const start = at + key.length;
  const opening = line[start] ?? '';
  const closing = PAIRS.get(opening);
  if (closing !== undefined) {
    const end = closingAt(line, closing + separator, start + 1);
    if (end >= 0) {
      return [{ before: key + opening, value: line.slice(start + 1, end), after: closing }, end + 1];
    }
    if (opening === '"') return [null, line.length];
  }
  const next = line.indexOf(separator, separator === '|' ? endOfCluster(line, start) : start);
  const end = next < 0 ? line.length : next;
  return [{ before: key, value: line.slice(start, end), after: '' }, end];
}

/** Names of clusters hold the bars that some formats set between columns. */
const CLUSTER = /(?:in|out)bound(?:-vip)?\|\d{0,5}\|[\w.-]{0,64}\|[^|\s"]{0,300}/y;

function endOfCluster(line: string, at: number): number {
  CLUSTER.lastIndex = at;
  return at + (CLUSTER.exec(line)?.[0].length ?? 0);
}

/** `flags=` or `flags:`, but not the start of an address, a URL or a time. */
function keyAt(line: string, at: number): string {
  KEY.lastIndex = at;
  const key = KEY.exec(line)?.[0] ?? '';
  const next = line[at + key.length] ?? '';
  return key.endsWith('=') || (key !== '' && (next === '"' || key.endsWith(': '))) ? key : '';
}

/** Where the closing character stands that a separator or the end follows; -1: nowhere. */
function closingAt(line: string, closing: string, from: number): number {
  const end = line.indexOf(closing, from);
  if (end >= 0) return end;
  return line.length > from && line.endsWith(closing[0] ?? '') ? line.length - 1 : -1;
}

/** What lines of one format have in common: the punctuation of their fields. */
export function signatureOf(fields: readonly Field[]): string {
  return fields.map(({ before, after }) => `${before}\u0000${after}`).join('\u0001');
}
