import { compileTimeNotation, type TimeNotation } from '../../src/text/strftime.ts';
import { COLUMN, type Column, emptyRow, type Row } from './columns.ts';
import { isAccessDenied } from './details.ts';
import { compileMatcher, type Matcher } from './match.ts';
import { describeOperator, type Operator } from './operators.ts';
import type { Slot } from './slot.ts';

/** A format string ready to read lines with. */
export interface CompiledFormat {
  /** The format without its final line end. */
  readonly format: string;
  /** In the order of the format. */
  readonly operators: readonly Operator[];
  /** What cannot be read reliably with this format, one sentence each; empty: nothing. */
  readonly warnings: readonly string[];
  /** Value of every operator as printed (`-` and `''` mean absent), in order; null: the line has another format. */
  readonly match: Matcher;
  /** The same as a row of known columns. */
  readonly matchRow: (line: string) => Row | null;
  /** Notation of START_TIME where the format gives one; null: RFC 3339. */
  readonly time: TimeNotation | null;
}

/** Why a format string could not be compiled: one sentence. */
export interface FormatError {
  readonly error: string;
}

/** Command operator (envoy 1.37 source/common/formatter/substitution_formatter.cc): the argument ends at `)%` or `):9%`. */
const COMMAND = /%([A-Z0-9_]+)(?:\((.*?)\))?(?::([0-9]+))?%/y;

interface Piece {
  readonly operator: Operator;
  /** Literal text behind it. */
  after: string;
}

interface Pieces {
  before: string;
  readonly list: Piece[];
}

/**
 * Compiles an Envoy access log format string: operators with arguments and `:LENGTH`, `%%`, literal text. A final line
 * end, also written `\n`, is dropped. Unknown operators are read as free text, with a warning.
 */
export function compileFormat(format: string): CompiledFormat | FormatError {
  const plain = format.replace(/(?:\\n|\r?\n)+$/, '');
  const pieces = splitFormat(plain);
  if ('error' in pieces) return pieces;
  if (pieces.list.length === 0) return { error: 'the access log format has no operator' };
  const operators = pieces.list.map((piece) => piece.operator);
  const groups = joinAdjacent(pieces.list);
  const columns = columnsOf(operators);
  const single = groups.every((group) => group.length === 1);
  const divided = single
    ? (values: readonly string[]) => values
    : (values: readonly string[]) => spread(groups, values);
  const inner = compileMatcher({ before: pieces.before, slots: groups.map(slotOf) }, (values) =>
    isPlausible(divided(values), columns),
  );
  const match: Matcher = (line) => {
    const values = inner(line);
    return values === null ? null : divided(values);
  };
  return {
    format: plain,
    operators,
    warnings: warningsOf(groups),
    match,
    matchRow: (line) => toRow(match(line), columns),
    time: timeOf(operators),
  };
}

function splitFormat(format: string): Pieces | FormatError {
  const pieces: Pieces = { before: '', list: [] };
  let cursor = 0;
  while (cursor < format.length) {
    const percent = format.indexOf('%', cursor);
    const end = percent < 0 ? format.length : percent;
    addLiteral(pieces, format.slice(cursor, end));
    if (percent < 0) break;
    if (format[percent + 1] === '%') {
      addLiteral(pieces, '%');
      cursor = percent + 2;
      continue;
    }
    COMMAND.lastIndex = percent;
    const match = COMMAND.exec(format);
    if (match === null) return { error: `there is no operator at character ${percent + 1} of the access log format` };
    const [text, name = '', argument] = match;
    pieces.list.push({ operator: describeOperator(name, argument ?? null), after: '' });
    cursor = percent + text.length;
  }
  return pieces;
}

function addLiteral(pieces: Pieces, text: string): void {
  const last = pieces.list.at(-1);
  if (last === undefined) pieces.before += text;
  else last.after += text;
}

/** Operators without any text between them, which cannot be told apart by the template. */
type Group = readonly Piece[];

function joinAdjacent(list: readonly Piece[]): Group[] {
  const groups: Piece[][] = [];
  let open = false;
  for (const piece of list) {
    const last = groups.at(-1);
    if (open && last !== undefined) last.push(piece);
    else groups.push([piece]);
    open = piece.after === '';
  }
  return groups;
}

function slotOf(group: Group): Slot {
  const after = group.at(-1)?.after ?? '';
  const [only] = group;
  if (only === undefined || group.length > 1) return { shape: 'header', pattern: null, after };
  const { shape, argument } = only.operator;
  if (shape !== 'time' || argument === null || argument === '') return { shape, pattern: null, after };
  const notation = compileTimeNotation(argument);
  if (notation === null) return { shape: 'header', pattern: null, after };
  return { shape, pattern: new RegExp(notation.source, 'y'), after };
}

/** Values of groups as values of operators. A group that cannot be divided goes to its first operator whole. */
function spread(groups: readonly Group[], values: readonly string[]): readonly string[] {
  return groups.flatMap((group, index) => divide(group, values[index] ?? ''));
}

function divide(group: Group, value: string): string[] {
  if (group.length === 1) return [value];
  if (value === '-'.repeat(group.length)) return group.map(() => '-');
  const [first, second] = group;
  const slash = value.indexOf('/');
  const isUrl = first?.operator.column === COLUMN.authority && second?.operator.column === COLUMN.path;
  if (isUrl && group.length === 2 && slash >= 0) return [value.slice(0, slash), value.slice(slash)];
  return group.map((_piece, index) => (index === 0 ? value : ''));
}

/** Number of the operator that fills each column, -1: none. The first operator wins. */
function columnsOf(operators: readonly Operator[]): readonly number[] {
  return emptyRow().map((_cell, column) => operators.findIndex((operator) => operator.column === column));
}

function toRow(values: readonly string[] | null, columns: readonly number[]): Row | null {
  return values === null ? null : columns.map((index) => (index < 0 ? null : (values[index] ?? '')));
}

/** Details of answers that the proxy gives before it has chosen a host. */
const BEFORE_HOST = /^(?:direct_response|route_not_found|cluster_not_found|no_healthy_upstream)$/;

/**
 * Whether details and upstream host can stand in one line: an answer of the upstream needs a host, a refusal has none. A
 * client that forges columns inside its path cannot change the host, which is read from the right.
 */
function isPlausible(values: readonly string[], columns: readonly number[]): boolean {
  const details = at(values, columns, COLUMN.details);
  const host = at(values, columns, COLUMN.upstreamHost);
  if (details === null || host === null) return true;
  const absent = host === '-' || host === '';
  if (details === 'via_upstream') return !absent;
  return absent || !(isAccessDenied(details) || BEFORE_HOST.test(details));
}

function at(values: readonly string[], columns: readonly number[], column: Column): string | null {
  const index = columns[column] ?? -1;
  return index < 0 ? null : (values[index] ?? null);
}

function warningsOf(groups: readonly Group[]): string[] {
  const unknown = groups.flat().filter(({ operator }) => !operator.known);
  const joined = groups.filter((group) => group.length > 1);
  const touching = groups.filter((group, index) => isFree(group) && isBlank(group) && isFree(groups[index + 1]));
  return [
    ...unknown.map(({ operator }) => `%${operator.name}% is not known and read as free text`),
    ...joined.map((group) => `${group.map(nameOf).join('')} stand side by side and cannot be told apart for certain`),
    ...touching.map(
      (group) => `${group.map(nameOf).join('')} and the operator after it are free text with only blanks between`,
    ),
  ];
}

function nameOf({ operator }: Piece): string {
  return operator.argument === null ? `%${operator.name}%` : `%${operator.name}(${operator.argument})%`;
}

function isFree(group: Group | undefined): boolean {
  const shape = group?.[0]?.operator.shape;
  return shape === 'free' || shape === 'header' || shape === 'phrase';
}

function isBlank(group: Group): boolean {
  return (group.at(-1)?.after ?? '').trim() === '';
}

function timeOf(operators: readonly Operator[]): TimeNotation | null {
  const operator = operators.find(({ column }) => column === COLUMN.time);
  return operator?.argument ? compileTimeNotation(operator.argument) : null;
}
