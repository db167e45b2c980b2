import type { Parser } from '../../src/model/record.ts';
import { aliasOf } from './aliases.ts';
import { assignColumns, type Candidate } from './assign.ts';
import { classOf, operatorOf } from './classes.ts';
import { COLUMN, type Column } from './columns.ts';
import { type Field, fieldsOf, SEPARATORS, signatureOf } from './fields.ts';
import { inferJsonFormat } from './infer-json.ts';
import { INFERRED, type Inference, isOwnLine } from './inferred.ts';
import { envoyTextParser } from './text.ts';

/** Fewer lines prove nothing. */
const MIN_LINES = 3;
/** Lines that look alike are one format only if so many of them are read with it. */
const MIN_SHARE = 0.95;
const MAX_LENGTH = 8192;
/** Kinds of lines tried with each separator, the commonest first. */
const MAX_GROUPS = 6;

/**
 * Learns the format of an Envoy access log from lines that no parser knows, among which others may stand. Null: no three
 * lines of them look alike and are such a log for certain. Payloads are untrusted; work is bounded by their total length.
 */
export function inferFormat(payloads: readonly string[]): Inference | null {
  const lines = payloads.filter((line) => line.length <= MAX_LENGTH && !line.includes('\n'));
  const json = inferJsonFormat(lines.filter((line) => line.startsWith('{')));
  if (json !== null) return json;
  const texts = lines.filter((line) => !line.startsWith('{'));
  for (const separator of SEPARATORS) {
    for (const group of groupsOf(texts, separator)) {
      const inference = inferText(group, separator);
      if (inference !== null) return inference;
    }
  }
  return null;
}

/** Lines that look alike. */
interface Alike {
  readonly lines: readonly string[];
  readonly fields: readonly (readonly Field[])[];
}

function groupsOf(lines: readonly string[], separator: string): readonly Alike[] {
  const groups = new Map<string, { readonly lines: string[]; readonly fields: (readonly Field[])[] }>();
  for (const line of lines) {
    const fields = line.includes(separator) ? fieldsOf(line, separator) : null;
    if (fields === null) continue;
    const signature = signatureOf(fields);
    const group = groups.get(signature) ?? { lines: [], fields: [] };
    groups.set(signature, group);
    group.lines.push(line);
    group.fields.push(fields);
  }
  return [...groups.values()]
    .filter((group) => group.lines.length >= MIN_LINES)
    .sort((a, b) => b.lines.length - a.lines.length)
    .slice(0, MAX_GROUPS);
}

/** A part of a format: literal text, or a value. */
type Part = string | Candidate;

function inferText(alike: Alike, separator: string): Inference | null {
  const whole = partsOfLines(alike, separator, false);
  const hasPath = candidatesOf(whole).some(({ values }) => classOf(values) === 'path');
  const parts = hasPath ? whole : partsOfLines(alike, separator, true);
  const candidates = candidatesOf(parts);
  const columns = assignColumns(candidates);
  if (columns === null) return null;
  const format = parts.map((part) => {
    if (typeof part === 'string') return part.replaceAll('%', '%%');
    return operatorOf(columns[candidates.indexOf(part)] ?? null, part.values, part.isQuoted);
  });
  return checked(format.join(''), columns, alike.lines);
}

function candidatesOf(parts: readonly Part[]): readonly Candidate[] {
  return parts.filter((part) => typeof part !== 'string');
}

/** `splitsUrls`: `web.shop/cart` is authority and path. */
function partsOfLines({ fields }: Alike, separator: string, splitsUrls: boolean): readonly Part[] {
  const columns = (fields[0] ?? []).map((_field, index) => fields.flatMap((line) => line[index] ?? []));
  return columns.flatMap((column, index) => {
    const parts = partsOf(column, splitsUrls);
    return index === 0 ? parts : [separator, ...parts];
  });
}

/** The parser of a format, if it reads nearly all lines that the format was made from. */
function checked(format: string, columns: readonly (Column | null)[], lines: readonly string[]): Inference | null {
  const parser = envoyTextParser(INFERRED.id, INFERRED.title, format, isOwnLine);
  if ('error' in parser) return null;
  const read = lines.filter((line) => isRead(parser, line)).length;
  if (read < MIN_LINES || read < lines.length * MIN_SHARE) return null;
  return { format, parser, known: columns.filter((column) => column !== null).length };
}

function isRead(parser: Parser, payload: string): boolean {
  const parsed = parser.parse({ ...INFERRED.envelope, payload });
  return parsed !== null && parsed.kind !== 'malformed' && parsed.kind !== 'unfinished';
}

/** The parts of one field: its punctuation, and its value or the values that stand in it. */
function partsOf(fields: readonly Field[], splitsUrls: boolean): readonly Part[] {
  const { before, after } = fields[0] ?? { before: '', after: '' };
  const values = fields.map(({ value }) => value);
  const key = before.replace(/[^\w.@-]+$/, '');
  const isQuoted = after === '"';
  if (key === '' && isPunctuation(values)) return [`${before}${values[0] ?? ''}${after}`];
  const hint = key === '' ? null : aliasOf(key).column;
  const inner = divided(values, isQuoted, splitsUrls) ?? [{ hint, values, isQuoted }];
  return [before, ...inner, after].filter((part) => part !== '');
}

/** Text without a letter or digit that all lines have: no value. */
function isPunctuation(values: readonly string[]): boolean {
  const [first = ''] = values;
  return /^[^\w"\s]*[^\w"\s-][^\w"\s]*$/.test(first) && values.every((value) => value === first);
}

const MAX_INNER = 3;
/** What stands between values within one field: blanks in quotes, and what people write. */
const INNER: readonly string[] = [' ', '|', '/', ','];

/** The values that stand in one field, with what separates them; null: it is one value. */
function divided(values: readonly string[], isQuoted: boolean, splitsUrls: boolean): readonly Part[] | null {
  const name = classOf(values.filter((value) => value !== '--'));
  if (name === 'url' && splitsUrls) return splitUrl(values, isQuoted);
  if (name !== 'other') return null;
  for (const separator of INNER) {
    const columns = columnsOf(values, separator);
    const names = columns.map(classOf);
    if (columns.length < 2 || names.includes('other') || names.every((inner) => inner === 'absent')) continue;
    return columns.flatMap((column, place) => {
      const parts = divided(column, isQuoted, splitsUrls) ?? [{ hint: null, values: column, isQuoted: false }];
      return place === 0 ? parts : [separator, ...parts];
    });
  }
  return null;
}

/** Two or three columns that stand in values; none: the values have not as many parts each. */
function columnsOf(values: readonly string[], separator: string): readonly (readonly string[])[] {
  const rows = values.map((value) => value.split(separator));
  const [first = []] = rows;
  if (first.length > MAX_INNER || rows.some((row) => row.length !== first.length)) return [];
  return first.map((_part, place) => rows.map((row) => row[place] ?? ''));
}

/** `web.shop/cart`: authority and path without anything between them. */
function splitUrl(values: readonly string[], isQuoted: boolean): readonly Part[] {
  const slash = (value: string): number => (value.includes('/') ? value.indexOf('/') : value.length - 1);
  return [
    { hint: COLUMN.authority, values: values.map((value) => value.slice(0, slash(value))), isQuoted },
    { hint: COLUMN.path, values: values.map((value) => value.slice(slash(value))), isQuoted },
  ];
}
