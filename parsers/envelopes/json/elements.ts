import { jsonText } from '../../../src/text/json-line.ts';
import { isRecord } from '../../../src/text/kube-object.ts';
import { beginsLikeLine, holdsLines } from '../../../src/text/line-start.ts';
import { listOf, recordOf, valueAt } from '../../../src/text/untyped.ts';
import { type Json, lineObject, lineText } from './fields.ts';

/** Levels of a document that are looked into, and lines of it that are read. */
const MAX_DEPTH = 10;
const MAX_ELEMENTS = 100_000;

/**
 * The records of a document, each as one line of JSON as a collector would write it, in the order of their times where the
 * document has them backwards. Knows a few shapes, and else looks for objects that hold a line, wherever they stand:
 * `hits.hits` (Elasticsearch), `events` (CloudWatch), `results` (Splunk, CloudWatch Insights), `data` (Datadog), plain lists
 * (gcloud, az, Grafana), `data.result` (Loki), `tables` (Azure), `resourceLogs` (OTLP); then for texts that begin like lines, and
 * texts of many lines. Empty: it has none.
 */
export function elementsOf(document: unknown): readonly string[] {
  const found: Json[] = [];
  collect(document, found, true, 0);
  return found.flatMap((record) => jsonText(record) ?? []);
}

/** `isItem`: the value stands in a list, or alone. */
function collect(value: unknown, found: Json[], isItem: boolean, depth: number): void {
  if (depth > MAX_DEPTH || found.length >= MAX_ELEMENTS) return;
  const records = Array.isArray(value)
    ? insightsRow(value)
    : isRecord(value)
      ? recordsOf(value, isItem)
      : linesIn(value);
  if (records !== null) for (const record of records) found.push(...apart(record));
  else if (Array.isArray(value)) for (const item of value) collect(item, found, true, depth + 1);
  else for (const inner of Object.values(recordOf(value))) collect(inner, found, false, depth + 1);
}

/** A text on its own, in which one line or many may stand. */
function linesIn(value: unknown): readonly Json[] {
  return typeof value === 'string' && (beginsLikeLine(value) || holdsLines(value)) ? [{ line: value }] : [];
}

/** A record for each line where a record holds many. */
function apart(record: Json): readonly Json[] {
  const lines =
    lineText(record)
      ?.split('\n')
      .filter((line) => line.trim() !== '') ?? [];
  if (lines.length < 2 || !lines.some(beginsLikeLine)) return [record];
  return lines.map((line) => ({ ...record, [WHOLE_LINE]: line }));
}

/** The place in a record that goes before all others. */
const WHOLE_LINE = 'event.original';

/** The records that an object is known to hold, or is; null: it is to be looked into. */
function recordsOf(value: Json, isItem: boolean): readonly Json[] | null {
  const known = lokiStream(value) ?? otlpResource(value) ?? azureTable(value);
  return known ?? (holdsLine(value) || (isItem && isFlat(value)) ? [value] : null);
}

function holdsLine(record: Json): boolean {
  return lineText(record) !== null || lineObject(record) !== null;
}

/** An item of a list without lists and objects of its own may be a line that a proxy printed as JSON. */
function isFlat(record: Json): boolean {
  return Object.values(record).every((value) => typeof value !== 'object' || value === null);
}

/** `{"stream": {labels}, "values": [["nanoseconds", "line"], …]}` (grafana/loki HTTP API, query_range and push), newest first. */
function lokiStream(value: Json): readonly Json[] | null {
  const labels = value['stream'] ?? value['labels'] ?? value['metric'];
  const values = value['values'];
  if (!isRecord(labels) || !Array.isArray(values)) return null;
  const records = values.flatMap((pair: unknown): Json[] => {
    const line = valueAt(pair, 1);
    return typeof line === 'string' ? [{ labels, line, timestamp: valueAt(pair, 0) }] : [];
  });
  const [first, last] = [records[0], records.at(-1)];
  const isBackwards = String(first?.['timestamp'] ?? '') > String(last?.['timestamp'] ?? '');
  return isBackwards ? records.reverse() : records;
}

/** One of `resourceLogs` (OpenTelemetry opentelemetry/proto/logs/v1, as JSON): the resource's attributes go to every record. */
function otlpResource(value: Json): readonly Json[] | null {
  const scopes = value['scopeLogs'] ?? value['instrumentationLibraryLogs'];
  if (!Array.isArray(scopes)) return null;
  const resource = attributesOf(valueAt(value, 'resource', 'attributes'));
  return scopes.flatMap((scope: unknown) =>
    listOf(valueAt(scope, 'logRecords')).map((item): Json => {
      const record = recordOf(item);
      const { timeUnixNano, observedTimeUnixNano } = record;
      const attributes = attributesOf(record['attributes']);
      return { ...resource, ...attributes, timeUnixNano, observedTimeUnixNano, body: plainValue(record['body']) };
    }),
  );
}

function attributesOf(list: unknown): Json {
  return Object.fromEntries(
    listOf(list).flatMap((item): [string, unknown][] => {
      const key = valueAt(item, 'key');
      return typeof key === 'string' ? [[key, plainValue(valueAt(item, 'value'))]] : [];
    }),
  );
}

/** OTLP's `AnyValue` as the value it stands for, one level of `kvlistValue` deep. */
function plainValue(value: unknown): unknown {
  const plain = recordOf(value);
  const list = valueAt(plain, 'kvlistValue', 'values');
  return list === undefined ? (plain['stringValue'] ?? plain['intValue'] ?? plain['doubleValue']) : flatValues(list);
}

function flatValues(list: unknown): Json {
  return Object.fromEntries(
    listOf(list).map((item): [string, unknown] => {
      const value = recordOf(valueAt(item, 'value'));
      return [String(valueAt(item, 'key')), value['stringValue'] ?? value['intValue'] ?? value['doubleValue']];
    }),
  );
}

/** `{"columns": [{"name": …}], "rows": [[…], …]}` (Azure Monitor's query API), with `values` in Elasticsearch's ES|QL. */
function azureTable(value: Json): readonly Json[] | null {
  const { columns, rows = value['values'] } = value;
  if (!Array.isArray(columns) || !Array.isArray(rows)) return null;
  const names = columns.map((column: unknown) => String(valueAt(column, 'name') ?? column));
  return rows.map((row: unknown) => Object.fromEntries(names.map((name, index) => [name, valueAt(row, index)])));
}

/** `[{"field": "@message", "value": "line"}, …]` (aws logs get-query-results). */
function insightsRow(items: readonly unknown[]): readonly Json[] | null {
  const pairs = items.flatMap((item): [string, unknown][] => {
    const field = valueAt(item, 'field');
    return typeof field === 'string' ? [[field, valueAt(item, 'value')]] : [];
  });
  return pairs.length > 0 && pairs.length === items.length ? [Object.fromEntries(pairs)] : null;
}
