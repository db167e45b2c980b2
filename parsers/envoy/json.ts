import type { Envelope } from '../../src/model/line.ts';
import type { Parsed, Parser } from '../../src/model/record.ts';
import { parseJsonObject } from '../../src/text/json-line.ts';
import { isUnfinishedJson, withoutComments } from '../../src/text/json-lines.ts';
import { isRecord } from '../../src/text/kube-object.ts';
import { valueAt } from '../../src/text/untyped.ts';
import { COLUMN, cell, emptyRow, type Row } from './columns.ts';
import { type CompiledFormat, compileFormat, type FormatError } from './format.ts';
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
 * A parser for a JSON format of the operator: an object, nested as they like, whose texts hold operators. Answers why when
 * it cannot be compiled.
 */
export function envoyJsonParser(id: string, title: string, format: unknown): Parser | FormatError {
  const leaves = isRecord(format) ? compileLeaves(format, []) : { error: 'the access log format is no JSON object' };
  if ('error' in leaves) return leaves;
  if (!leaves.some(({ format: text }) => text !== null)) return { error: 'the access log format has no operator' };
  const keys = new Set(isRecord(format) ? Object.keys(format) : []);
  return {
    id,
    title,
    parse(envelope: Envelope): Parsed {
      if (envelope.payload.charCodeAt(0) !== 123) return null;
      const object = readObject(envelope.payload);
      if (object === null) return brokenJson(envelope.payload);
      if (Object.keys(object).some((key) => !keys.has(key))) return null;
      return readLeaves(leaves, object, envelope, id);
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

function readLeaves(
  leaves: readonly Leaf[],
  object: Readonly<Record<string, unknown>>,
  envelope: Envelope,
  id: string,
): Parsed {
  const row = emptyRow();
  let time: CompiledFormat['time'] = null;
  for (const leaf of leaves) {
    const value = valueAt(object, ...leaf.path);
    if (leaf.format === null) {
      if (value !== undefined && value !== leaf.constant) return null;
    } else {
      fillRow(row, leaf.format, value);
      time ??= leaf.format.time;
    }
  }
  const text = cell(row, COLUMN.time);
  return toRecord(row, envelope, id, text === null ? null : (time?.read(text) ?? readTime(text)));
}

/** A value with one operator keeps its type; one with several parts is text (envoy 1.37 substitution_formatter.cc). */
function fillRow(row: Row, format: CompiledFormat, value: unknown): void {
  const isWhole = format.operators.length === 1 && format.format.startsWith('%') && format.format.endsWith('%');
  const text = scalarText(value ?? null) ?? '';
  const values = isWhole ? [text] : (format.match(text) ?? []);
  format.operators.forEach(({ column }, index) => {
    if (column !== null && (row[column] ?? null) === null) row[column] = values[index] ?? '';
  });
}
