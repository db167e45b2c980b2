import type { Envelope } from '../../src/model/line.ts';
import type { Parsed, Parser } from '../../src/model/record.ts';
import { jsonText, parseJsonObject } from '../../src/text/json-line.ts';
import { isRecord } from '../../src/text/kube-object.ts';
import { parseInstant } from '../../src/text/time.ts';
import { type AccessValues, accessValues, connectionOf, phaseOf } from './access.ts';
import { continuesConfig, diagnosticOf, type Span, severityOf, withoutCrate } from './diagnostic.ts';
import { skimJson } from './skim.ts';

const ID = 'ztunnel-json';
/** Lines that a pretty-printed record may have: 20 fields and a few spans. */
const MAX_LINES = 64;

type Json = Readonly<Record<string, unknown>>;

/**
 * ztunnel with `LOG_FORMAT=json`: `level`, `time`, `scope`, `message`, then the fields flat with dotted names, then one
 * object per span (istio/ztunnel 62d82653 src/telemetry.rs, `JsonVisitory`). Keys may come in any order, as collectors
 * sort them; a record may be pretty-printed over many lines.
 */
export const ztunnelJson: Parser = {
  id: ID,
  title: 'ztunnel, JSON (LOG_FORMAT=json)',
  parse(envelope) {
    const { payload } = envelope;
    if (payload.charCodeAt(0) !== 123) return null;
    if (payload.length === 1 || payload.charCodeAt(1) === 10) return parsePretty(envelope);
    if (!payload.includes('"scope"') || !payload.includes('"level"')) return null;
    const line = parseJsonObject(payload);
    if (line !== null) return parseObject(envelope, line);
    return BROKEN.test(payload) ? { kind: 'malformed', reason: 'JSON is cut off or broken' } : null;
  },
  continues: continuesConfig,
  skim: skimJson,
};

/** A line that can only be ztunnel's, though it is no JSON: its keys in ztunnel's order. */
const BROKEN = /^\{"level":"[a-z]{4,5}","time":"[^"]{20,32}","scope":"(?:ztunnel\b|access")/;
/** The second line of a pretty-printed record. */
const FIRST_KEY = /^\{\n\s{0,16}"(?:level|time|scope|message)"\s{0,4}:/;

function parsePretty(envelope: Envelope): Parsed {
  const { payload } = envelope;
  if (payload.length === 1) return { kind: 'unfinished' };
  if (!FIRST_KEY.test(payload) || payload.endsWith('\n')) return null;
  const lastLine = payload.slice(payload.lastIndexOf('\n') + 1);
  const line = lastLine.trim() === '}' ? parseJsonObject(payload) : null;
  if (line !== null) return parseObject(envelope, line);
  return payload.split('\n', MAX_LINES).length < MAX_LINES ? { kind: 'unfinished' } : null;
}

function parseObject(envelope: Envelope, line: Json): Parsed {
  const level = text(line, 'level');
  const scope = text(line, 'scope');
  const severity = level === null ? null : severityOf(level);
  if (severity === null || scope === null) return null;
  const message = text(line, 'message') ?? '';
  const stamp = text(line, 'time');
  const time = stamp === null ? null : parseInstant(stamp);
  if (scope === 'access') return parseAccess(envelope, line, message, time);
  if (!isOurs(scope, line)) return null;
  const name = { name: withoutCrate(scope), spans: spansOf(line) };
  return diagnosticOf(envelope, { parser: ID, time, severity }, name, message, fieldsOf(line));
}

function parseAccess(envelope: Envelope, line: Json, message: string, time: string | null): Parsed {
  const phase = phaseOf(message);
  if (!Object.hasOwn(line, 'src.addr')) {
    return phase === null ? null : { kind: 'malformed', reason: 'no src.addr' };
  }
  const other = Object.hasOwn(line, 'error') && !Object.hasOwn(line, 'duration') ? 'failed' : 'complete';
  return connectionOf(envelope, { parser: ID, phase: phase ?? other, time }, valuesOf(line));
}

function valuesOf(line: Json): AccessValues {
  return accessValues((key) => text(line, key));
}

/** A module of ztunnel's or a library's, or a DNS line, which has no message. Programs in Go have one-word scopes and `msg`. */
function isOurs(scope: string, line: Json): boolean {
  if (scope === 'dns') return Object.hasOwn(line, 'query');
  return scope === 'ztunnel' || scope.includes('::') || scope === 'http access';
}

const HEAD_KEYS: ReadonlySet<string> = new Set(['level', 'time', 'scope', 'message']);

function fieldsOf(line: Json): readonly (readonly [string, string])[] {
  const fields: (readonly [string, string])[] = [];
  for (const [key, value] of Object.entries(line)) {
    const plain = isRecord(value) || HEAD_KEYS.has(key) ? null : jsonText(value);
    if (plain !== null) fields.push([key, plain]);
  }
  return fields;
}

function spansOf(line: Json): readonly Span[] {
  return Object.entries(line).flatMap(([name, value]) =>
    isRecord(value) ? [{ name, fields: new Map(fieldsOf(value)) }] : [],
  );
}

function text(line: Json, key: string): string | null {
  return Object.hasOwn(line, key) ? jsonText(line[key]) : null;
}
