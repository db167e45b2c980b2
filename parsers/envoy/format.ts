import { compileTimeNotation, type TimeNotation } from '../../src/text/strftime.ts';
import { COLUMN, emptyRow, type Row } from './columns.ts';
import { isAccessDenied } from './details.ts';
import { type Group, groupPieces, neighbours, type Piece, separation, slotsOf } from './groups.ts';
import { compileMatcher, type Matcher } from './match.ts';
import { describeOperator, type Operator } from './operators.ts';
import { isAbsent } from './shapes.ts';

/** What cannot be read reliably with a format. */
export interface FormatWarning {
  /** One sentence. */
  readonly message: string;
  /** Numbers of the operators whose values are in doubt, in the order of the format. */
  readonly operators: readonly number[];
}

/** A format string ready to read lines with. */
export interface CompiledFormat {
  /** The format without its final line end. */
  readonly format: string;
  /** In the order of the format. */
  readonly operators: readonly Operator[];
  /** Which of them cannot be told apart from their neighbours: they fill no column. */
  readonly isJoined: readonly boolean[];
  /** What cannot be read reliably with this format; empty: nothing. */
  readonly warnings: readonly FormatWarning[];
  /**
   * Value of every operator as printed (`-` and `''` mean absent), in order; null: the line has another format. Of
   * operators that cannot be told apart the first has the text of all.
   */
  readonly match: Matcher;
  /** The same as a row of known columns; a column whose operator cannot be told apart from its neighbour is not there. */
  readonly matchRow: (line: string) => Row | null;
  /** Notation of START_TIME where the format gives one; null: RFC 3339. */
  readonly time: TimeNotation | null;
}

/** Why a format string could not be compiled: one sentence. */
export interface FormatError {
  readonly error: string;
}

/**
 * Command operators, `%%` and the text between them (envoy 1.37 source/common/formatter/substitution_formatter.cc). An
 * argument ends at the first `)%` or `):9%`.
 */
const TOKEN = /%%|%([A-Z0-9_]+)(?:\((.*?)\))?(?::([0-9]+))?%|[^%]+|%/g;

/** A format cut at its operators. */
interface Split {
  readonly before: string;
  readonly pieces: readonly Piece[];
}

/**
 * Compiles an Envoy access log format string: operators with arguments and `:LENGTH`, `%%`, literal text. A final line
 * end, also written `\n`, is dropped. Unknown operators are read as free text, with a warning.
 */
export function compileFormat(format: string): CompiledFormat | FormatError {
  const plain = format.replace(/(?:\\n|\r?\n)+$/, '');
  const split = splitFormat(plain);
  if ('error' in split) return split;
  const { before, pieces } = split;
  if (pieces.length === 0) return { error: 'the access log format has no operator' };
  const operators = pieces.map((piece) => piece.operator);
  const groups = groupPieces(pieces);
  const slots = slotsOf(groups);
  const isJoined = groups.flatMap((group) => group.map(() => group.length > 1));
  const columns = columnsOf(operators, isJoined);
  const spread = groups.length === pieces.length ? (values: readonly string[]) => values : spreader(groups);
  const rows = neighbours(slots).map((row) => ({ row, separation: separation(row) }));
  const strict = rows.some((row) => row.separation !== 'always');
  const touching = rows.flatMap(({ row, separation }) =>
    separation === 'never' ? [row.map((slot) => slots.indexOf(slot))] : [],
  );
  const inner = compileMatcher({ before, slots }, strict, (values) => isPlausible(spread(values), columns));
  const match: Matcher = (line) => {
    const values = inner(line);
    return values === null ? null : spread(values);
  };
  return {
    format: plain,
    operators,
    isJoined,
    warnings: warningsOf(groups, touching),
    match,
    matchRow: (line) => {
      const values = match(line);
      return values === null ? null : toRow(values, columns);
    },
    time: timeOf(operators),
  };
}

function splitFormat(format: string): Split | FormatError {
  const literals = [''];
  const operators: Operator[] = [];
  for (const { 0: text, 1: name, 2: argument, 3: length, index } of format.matchAll(TOKEN)) {
    if (text === '%') return { error: `there is no operator at character ${index + 1} of the access log format` };
    if (name === undefined) {
      literals[literals.length - 1] += text === '%%' ? '%' : text;
      continue;
    }
    operators.push(describeOperator(name, argument ?? null, length === undefined ? null : Number(length)));
    literals.push('');
  }
  const pieces = operators.map((operator, index) => toPiece(operator, literals[index + 1] ?? ''));
  return { before: literals[0] ?? '', pieces };
}

/** A time whose notation is not known here is read up to the literal that follows. */
function toPiece(operator: Operator, after: string): Piece {
  if (operator.shape !== 'time' || !operator.argument) return { operator, notation: null, after };
  const notation = compileTimeNotation(operator.argument);
  if (notation === null) return { operator: { ...operator, shape: 'header' }, notation: null, after };
  return { operator, notation: new RegExp(`^(?:${notation.source})$`), after };
}

/** Turns values of groups into values of operators. */
function spreader(groups: readonly Group[]): (values: readonly string[]) => readonly string[] {
  return (values) =>
    groups.flatMap((group, index) => {
      const value = values[index] ?? '';
      const isAbsent = value === '-'.repeat(group.length);
      return group.map((_piece, place) => (isAbsent ? '-' : place === 0 ? value : ''));
    });
}

/** Numbers of the operators that fill each column, the one to be preferred first. */
export type Columns = readonly (readonly number[])[];

/** Which operators of a format fill which columns. */
export function columnsOf(operators: readonly Operator[], isJoined: readonly boolean[]): Columns {
  const filling = operators.map((_operator, index) => index).filter((index) => isJoined[index] !== true);
  const ranked = filling.sort(
    (a, b) => Number(operators[a]?.isSubstitute) - Number(operators[b]?.isSubstitute) || a - b,
  );
  return emptyRow().map((_cell, column) => ranked.filter((index) => operators[index]?.column === column));
}

/** The values of all operators of a format as columns: of several for one, the first that is there. */
export function toRow(values: readonly string[], columns: Columns): Row {
  return columns.map((indexes) => cellOf(values, indexes));
}

/** The first value that is there of the operators of a column; null: it has none. */
function cellOf(values: readonly string[], indexes: readonly number[] = []): string | null {
  const [first] = indexes;
  if (first === undefined) return null;
  const there = indexes.length === 1 ? first : indexes.find((index) => !isAbsent(values[index] ?? ''));
  return values[there ?? first] ?? '';
}

/** Details of answers that the proxy gives before it has chosen a host. */
const BEFORE_HOST = /^(?:direct_response|route_not_found|cluster_not_found|no_healthy_upstream)$/;

/**
 * Whether details and upstream host can stand in one line: an answer of the upstream needs a host, a refusal has none. A
 * client that forges columns inside its path cannot change the host, which is read from the right.
 */
function isPlausible(values: readonly string[], columns: Columns): boolean {
  const details = cellOf(values, columns[COLUMN.details]);
  const host = cellOf(values, columns[COLUMN.upstreamHost]);
  if (details === null || host === null) return true;
  const absent = host === '-' || host === '';
  if (details === 'via_upstream') return !absent;
  return absent || !(isAccessDenied(details) || BEFORE_HOST.test(details));
}

/** `touching`: numbers of the groups that cannot be told apart by what stands between them. */
function warningsOf(groups: readonly Group[], touching: readonly (readonly number[])[]): FormatWarning[] {
  const numbers = new Map(groups.flat().map((piece, index) => [piece, index]));
  const warning = (pieces: readonly Piece[], message: string): FormatWarning => ({
    message: `${pieces.map(nameOf).join(' and ')} ${message}`,
    operators: pieces.map((piece) => numbers.get(piece) ?? 0),
  });
  const unknown = groups.flat().filter(({ operator }) => !operator.known);
  const joined = groups.filter((group) => group.length > 1);
  return [
    ...unknown.map((piece) => warning([piece], 'is not known here and read as free text')),
    ...joined.map((group) => warning(group, 'stand side by side and cannot be told apart')),
    ...touching.map((row) =>
      warning(
        row.flatMap((index) => groups[index] ?? []),
        'cannot always be told apart by what stands between them',
      ),
    ),
  ];
}

function nameOf({ operator }: Piece): string {
  const { name, argument, maxBytes } = operator;
  return `%${name}${argument === null ? '' : `(${argument})`}${maxBytes === null ? '' : `:${maxBytes}`}%`;
}

function timeOf(operators: readonly Operator[]): TimeNotation | null {
  const operator = operators.find(({ column }) => column === COLUMN.time);
  return operator?.argument ? compileTimeNotation(operator.argument) : null;
}
