import type { Envelope } from '../../src/model/line.ts';
import type { ConnectionRecord, Parsed } from '../../src/model/record.ts';
import { type Fields, nextKey, readDebugPairs, readPairs } from '../../src/text/key-value.ts';
import { parseInstant } from '../../src/text/time.ts';
import { connectionOf, hasEndKey, pairValues, phaseOf } from './access.ts';
import { diagnosticOf, isOwnModule, outsideBraces, readScope, severityOf } from './diagnostic.ts';

/**
 * Lines that went through an editor, a ticket or a web page: tabs became blanks, the first columns are cut off, `...` stands
 * for what was left out, one record is wrapped over several lines. Read by the words at their start and by their keys.
 */

/** Lines that a wrapped access record may have. */
const MAX_LINES = 24;

const STAMP = String.raw`(?:\d{4}-\d{2}-\d{2}T)?\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z?`;
const LOWER = 'error|warn|info|debug|trace';
const UPPER = LOWER.toUpperCase();

/** The words before the fields: `12:00:01Z error access connection complete`. Any of them may be missing. */
export const PASTED_HEAD: RegExp = headPattern(`(?:(?<level>${LOWER})(?:\\s{1,32}|$))?`);
/** The same as releases before 1.22 printed it: `12:00:01Z  INFO access: connection complete`. The level must be there. */
export const LEGACY_HEAD: RegExp = headPattern(`(?<level>${UPPER})\\s{1,32}`);

/** Every run of blanks is bounded, so matching is linear. */
function headPattern(level: string): RegExp {
  return new RegExp(
    String.raw`^\s{0,64}(?:\.{3}\s{1,8})?(?:(?<stamp>${STAMP})(?:\s{1,32}|$))?${level}` +
      String.raw`(?:(?<scope>access):?(?:\s{1,32}|$))?(?:connection (?<phase>complete|failed|opened)(?:\s{1,32}|$))?`,
  );
}

/** A line that begins a record of its own, so it cannot belong to the one before. */
const NEW_RECORD = new RegExp(String.raw`^\s{0,64}(?:\d{4}-\d{2}-\d{2}T|(?:${STAMP}\s{1,32})?(?:${LOWER}|${UPPER})\s)`);
/** How a further line of a wrapped record begins. */
const FURTHER = /^\s{0,64}(?:[a-z_]{1,16}(?:\.[a-z_]{1,24})?=|\.{3}|(?:access|connection)\s)/;

interface Head {
  readonly stamp: string | null;
  /** In lower case. */
  readonly level: string | null;
  readonly isAccess: boolean;
  readonly phase: ConnectionRecord['phase'] | null;
  /** Index behind the last word read. */
  readonly end: number;
}

/**
 * Reads a pasted line, or several joined with `\n`. An empty last line ends the record, whatever is missing. Null: not
 * ztunnel's. `parser` is the id for the record, `pattern` one of the two heads above.
 */
export function readPasted(envelope: Envelope, parser: string, pattern: RegExp): Parsed {
  const { payload } = envelope;
  if (!mayBegin(payload.charCodeAt(0))) return null;
  const text = unwrap(payload);
  const head = text === null ? null : readHead(text, pattern);
  if (text === null || head === null) return null;
  if (head.phase !== null) return readAccess(envelope, parser, text, head);
  if (head.end === text.length) return payload.endsWith('\n') || head.level === null ? null : { kind: 'unfinished' };
  return readDiagnostic(envelope, parser, text, head);
}

/** A blank, a dot, a digit, or the first letter of a level, `access` or `connection`, in either case. */
function mayBegin(code: number): boolean {
  if (code <= 57) return code >= 48 || code === 32 || code === 9 || code === 46;
  const letter = code | 32;
  return letter === 97 || (letter >= 99 && letter <= 101) || letter === 105 || letter === 116 || letter === 119;
}

/** The lines of one record as one line; null: too many, or the last one is not part of it. */
export function unwrap(payload: string): string | null {
  if (!payload.includes('\n')) return payload;
  const lines = payload.split('\n');
  if (lines.length > MAX_LINES) return null;
  let text = '';
  for (const [index, line] of lines.entries()) {
    const trimmed = line.trim();
    if (text === '' || trimmed === '') {
      text += trimmed;
      continue;
    }
    const between = betweenOf(text, line, lines[index - 1] ?? '', lines);
    if (between === null) return null;
    text += between + (between === '' && !INDENT.test(line) ? line.trimEnd() : trimmed);
  }
  return text;
}

/** What stood between the lines before and `line`: a blank, or nothing where a terminal cut at its edge. Null: another record begins. */
function betweenOf(text: string, line: string, last: string, lines: readonly string[]): '' | ' ' | null {
  const isFurther = FURTHER.test(line);
  if (!isFurther && NEW_RECORD.test(line)) return null;
  const isCut = isAtEdge(last, lines) && !/\s$/.test(last);
  if (isCut) return isFurther && !isMidst(text) ? ' ' : '';
  return isFurther || hasOpenQuote(text) ? ' ' : null;
}

/** Whether a text ends within a key or a quoted value. */
function isMidst(text: string): boolean {
  return (CUT_KEY.test(text) && !WORD.test(text)) || hasOpenQuote(text);
}

/** Where terminals, mail and wikis break lines. */
const WIDTHS: ReadonlySet<number> = new Set([72, 76, 78, 79, 80, 100, 120, 132, 140, 150, 160, 180, 200, 240]);
const MIN_WIDTH = 40;
/** More blanks at the start of a line are no part of the text. */
const INDENT = /^\s{2}/;
/** A word at the end that is no value and no word before the fields: a key that was cut. */
const CUT_KEY = /(?:^|\s)[a-z_.]{1,40}$/;
const WORD = /(?:^|\s)(?:error|warn|info|debug|trace|access|connection|complete|failed|opened|\.{3})$/;

/** Whether a line ends where others of it end, or where pages do. */
function isAtEdge({ length }: string, lines: readonly string[]): boolean {
  return length >= MIN_WIDTH && (WIDTHS.has(length) || lines.filter((line) => line.length === length).length > 1);
}

/** Whether the last `"` of the text opens a value. */
function hasOpenQuote(text: string): boolean {
  return readPairs(text, 0).open;
}

function readHead(text: string, pattern: RegExp): Head | null {
  const match = pattern.exec(text);
  if (match === null || match[0] === '') return null;
  const { stamp, level, scope, phase } = match.groups ?? {};
  return {
    stamp: stamp ?? null,
    level: level?.toLowerCase() ?? null,
    isAccess: scope !== undefined,
    phase: phaseOf(`connection ${phase}`),
    end: match[0].length,
  };
}

function readAccess(envelope: Envelope, parser: string, text: string, head: Head): Parsed {
  const phase = head.phase ?? 'complete';
  const { values, open } = readPairs(text, head.end);
  if (!head.isAccess && !hasEndKey(values)) return null;
  const ended = envelope.payload.endsWith('\n');
  if (!ended && (open || !isWhole(phase, head.level, values))) return { kind: 'unfinished' };
  if (values.size === 0) return { kind: 'malformed', reason: 'no fields' };
  const time = head.stamp === null ? null : parseInstant(head.stamp);
  return connectionOf(envelope, { parser, phase, time }, pairValues(values));
}

/** Whether the fields that ztunnel prints last are there: the error, the duration of a success, the direction. */
function isWhole(phase: ConnectionRecord['phase'], level: string | null, values: Fields): boolean {
  if (values.has('error')) return true;
  if (phase === 'opened') return values.has('direction');
  return phase === 'complete' && level !== 'error' && values.has('duration');
}

/** Lines of one-word scopes that are known by how they begin (other programs have such scopes too), with their level. */
const KNOWN_LINES: readonly (readonly [scope: string, level: string, messages: readonly string[]])[] = [
  ['state', 'warn', ['skipping unknown policy ', 'timed out waiting for workload ', 'dns lookup failed']],
  ['state', 'info', ['deny policy match', 'allow policy match', 'no allow policies', 'dry-run']],
  ['xds', 'info', ['handling RBAC ']],
  ['hyper_util', 'warn', ['TLS handshake error: ']],
  ['cert_fetcher', 'error', ['unable to prefetch cert ']],
  ['ztunnel', 'info', ['version: version.BuildInfo{', 'running with config:']],
  ['http access', 'info', ['request complete']],
];

function readDiagnostic(envelope: Envelope, parser: string, text: string, head: Head): Parsed {
  if (head.stamp === null && head.level === null) return null;
  const rest = text.slice(head.end);
  const scope = findScope(rest);
  const severity = severityOf(head.level ?? scope?.level ?? 'info');
  if (scope === null || severity === null) return null;
  const body = rest.slice(scope.column.length).trimStart();
  const fieldsAt = nextKey(body, 0);
  const time = head.stamp === null ? null : parseInstant(head.stamp);
  const message = body.slice(0, fieldsAt).trimEnd();
  const fields = readDebugPairs(body.slice(fieldsAt));
  return diagnosticOf(envelope, { parser, time, severity }, readScope(scope.column), message, fields);
}

/** The scope column at the start of `rest`, and the level that its line has; null: not ztunnel's. */
function findScope(rest: string): { readonly column: string; readonly level: string | null } | null {
  const column = rest.slice(0, outsideBraces(rest, 0, ' \t'));
  if (isOwnModule(column)) return { column, level: null };
  for (const [scope, level, messages] of KNOWN_LINES) {
    if (!rest.startsWith(scope)) continue;
    const body = rest.slice(scope.length, scope.length + 64);
    const isKnown = /^\s/.test(body) && messages.some((message) => body.trimStart().startsWith(message));
    if (isKnown) return { column: scope, level };
  }
  return null;
}
