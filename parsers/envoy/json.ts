import type { Envelope } from '../../src/model/line.ts';
import type { Parsed, Parser } from '../../src/model/record.ts';
import { parseJsonObject } from '../../src/text/json-line.ts';
import { isUnfinishedJson, withoutComments } from '../../src/text/json-lines.ts';
import { isRecord } from '../../src/text/kube-object.ts';
import { valueAt } from '../../src/text/untyped.ts';
import { COLUMN, cell, type Row } from './columns.ts';
import { type Columns, type CompiledFormat, columnsOf, compileFormat, type FormatError, toRow } from './format.ts';
import { Guess } from './guess.ts';
import { readTime, toRecord } from './record.ts';
import { skimJson } from './skim-json.ts';

/** Objects in objects are looked into so deep. */
const MAX_DEPTH = 4;

/**
 * Envoy access logs as JSON: Istio's default of all releases (istio 86c9f01f pilot/pkg/model/telemetry_logging.go; values
 * are typed since 1.8 and text before) and custom ones, by the names of their keys. Also over several lines.
 */
export const envoyJson: Parser = {
  id: 'envoy-json',
  title: 'Envoy access log, JSON',
  parse(envelope: Envelope): Parsed {
    if (envelope.payload.charCodeAt(0) !== 123) return null;
    const object = readObject(envelope.payload);
    if (object === null) return brokenJson(envelope.payload);
    const row = guessRow(object);
    return row === null ? null : toRecord(row, envelope, 'envoy-json');
  },
  skim: skimJson,
};

/**
 * A parser for a JSON format of the operator: an object, nested as they like, whose texts hold operators. `accepts`: only
 * such rows are taken. Answers why when it cannot be compiled.
 */
export function envoyJsonParser(
  id: string,
  title: string,
  format: unknown,
  accepts: (row: Row) => boolean = () => true,
): Parser | FormatError {
  const leaves = isRecord(format) ? compileLeaves(format, []) : { error: 'the access log format is no JSON object' };
  if ('error' in leaves) return leaves;
  if (!leaves.some(({ format: text }) => text !== null)) return { error: 'the access log format has no operator' };
  const compiled = compileColumns(leaves);
  const keys = new Set(isRecord(format) ? Object.keys(format) : []);
  return {
    id,
    title,
    parse(envelope: Envelope): Parsed {
      if (envelope.payload.charCodeAt(0) !== 123) return null;
      const object = readObject(envelope.payload);
      if (object === null) return brokenJson(envelope.payload);
      if (Object.keys(object).some((key) => !keys.has(key))) return null;
      const row = readLeaves(compiled, object);
      if (row === null || !accepts(row)) return null;
      const text = cell(row, COLUMN.time);
      return toRecord(row, envelope, id, text === null ? null : (compiled.time?.read(text) ?? readTime(text)));
    },
  };
}

/** One line of JSON, or several with a closing brace at the end. */
function readObject(payload: string): Readonly<Record<string, unknown>> | null {
  if (!payload.includes('\n')) return parseJsonObject(payload);
  // A record of many lines comes here once for each of them.
  return payload.trimEnd().endsWith('}') ? parseJsonObject(withoutComments(payload)) : null;
}

function brokenJson(payload: string): Parsed {
  if (isUnfinishedJson(withoutComments(payload))) return { kind: 'unfinished' };
  const isOurs =
    /^\{\s*"/.test(payload) && (payload.includes('"response_code"') || payload.includes('"response_flags"'));
  return isOurs ? { kind: 'malformed', reason: 'JSON is broken or cut off' } : null;
}

function guessRow(object: Readonly<Record<string, unknown>>): Row | null {
  const guess = new Guess();
  addKeys(guess, object, '', 1);
  return guess.finish();
}

function addKeys(guess: Guess, object: Readonly<Record<string, unknown>>, prefix: string, depth: number): void {
  for (const key in object) {
    const value = object[key];
    const path = prefix === '' ? key : `${prefix}.${key}`;
    if (isRecord(value)) {
      if (depth < MAX_DEPTH) addKeys(guess, value, path, depth + 1);
    } else {
      const text = scalarText(value);
      if (text !== null) guess.add(path, text);
    }
  }
}

/** A JSON value as a column holds it: null is absent; null for lists and objects, which are no value of a column. */
function scalarText(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (value === null) return '';
  return typeof value === 'object' ? null : String(value);
}

/** One text, number or literal of a JSON format, and where it stands. */
interface Leaf {
  readonly path: readonly (string | number)[];
  /** Null: a constant. */
  readonly format: CompiledFormat | null;
  readonly constant: unknown;
}

function compileLeaves(value: unknown, path: readonly (string | number)[]): Leaf[] | FormatError {
  if (typeof value === 'string' && value.includes('%')) {
    const format = compileFormat(value);
    return 'error' in format ? { error: `${path.join('.')}: ${format.error}` } : [{ path, format, constant: null }];
  }
  const isList = Array.isArray(value);
  if (!isList && !isRecord(value)) return [{ path, format: null, constant: value }];
  const leaves: Leaf[] = [];
  const entries: readonly [string | number, unknown][] = isList ? [...value.entries()] : Object.entries(value);
  for (const [key, child] of entries) {
    const inner = compileLeaves(child, [...path, key]);
    if ('error' in inner) return inner;
    leaves.push(...inner);
  }
  return leaves;
}

/** A format with its leaves compiled. */
interface CompiledLeaves {
  readonly leaves: readonly Leaf[];
  readonly columns: Columns;
  readonly time: CompiledFormat['time'];
}

function compileColumns(leaves: readonly Leaf[]): CompiledLeaves {
  const formats = leaves.flatMap(({ format }) => format ?? []);
  const columns = columnsOf(
    formats.flatMap(({ operators }) => operators),
    formats.flatMap(({ isJoined }) => isJoined),
  );
  return { leaves, columns, time: formats.find(({ time }) => time !== null)?.time ?? null };
}

/** The values of an object as columns; null: a constant of the format has another value. */
function readLeaves({ leaves, columns }: CompiledLeaves, object: Readonly<Record<string, unknown>>): Row | null {
  const values: string[] = [];
  for (const leaf of leaves) {
    const value = valueAt(object, ...leaf.path);
    if (leaf.format !== null) values.push(...valuesOf(leaf.format, value));
    else if (value !== undefined && value !== leaf.constant) return null;
  }
  return toRow(values, columns);
}

/** A value with one operator keeps its type; one with several parts is text (envoy 1.37 substitution_formatter.cc). */
function valuesOf(format: CompiledFormat, value: unknown): readonly string[] {
  const isWhole = format.operators.length === 1 && format.format.startsWith('%') && format.format.endsWith('%');
  const text = scalarText(value ?? null) ?? '';
  return isWhole ? [text] : (format.match(text) ?? format.operators.map(() => ''));
}
