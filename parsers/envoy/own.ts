import type { Envelope } from '../../src/model/line.ts';
import type { Parsed, Parser } from '../../src/model/record.ts';
import { isRecord } from '../../src/text/kube-object.ts';
import { COLUMN, emptyRow, type Row } from './columns.ts';
import { compileFormat, type FormatError } from './format.ts';
import { envoyJsonParser } from './json.ts';
import { isAbsent, isValue, SHAPES } from './shapes.ts';
import { envoyTextParser, isDefaultFormat } from './text.ts';

/** A format that somebody gave, and where it stands. */
export interface GivenFormat {
  /** `MeshConfig`, `Telemetry shop/logs`, `--access-log-format`. */
  readonly source: string;
  /** Text with operators, or an object of them. Untrusted. */
  readonly format: string | Readonly<Record<string, unknown>>;
  /** True: the operator says that these logs have it. False: the mesh has it, and other programs' lines may be in the log. */
  readonly isMeant: boolean;
}

/** The parser of given formats, and what is wrong with them, one sentence each. */
export interface OwnFormats {
  /** Null: none of them can be read, or all are defaults, which are read anyway. */
  readonly parser: Parser | null;
  readonly problems: readonly string[];
}

/** One parser for all given formats, tried in their order. Problems say which cannot be used, and which columns are in doubt. */
export function ownFormatsParser(id: string, title: string, given: readonly GivenFormat[]): OwnFormats {
  const parsers: Parser[] = [];
  const problems: string[] = [];
  for (const one of given) {
    if (typeof one.format === 'string' && isDefaultFormat(one.format)) continue;
    const parser = parserOf(id, title, one);
    if ('error' in parser) problems.push(`the format of ${one.source} is not used: ${parser.error}`);
    else {
      parsers.push(parser);
      problems.push(...doubtsOf(one));
    }
  }
  const [first, ...others] = parsers;
  if (first === undefined) return { parser: null, problems };
  return { parser: others.length === 0 ? first : firstOf(id, title, parsers), problems };
}

function parserOf(id: string, title: string, { format, isMeant }: GivenFormat): Parser | FormatError {
  const weakness = isMeant ? null : weaknessOf(format);
  if (weakness !== null) return { error: weakness };
  const accepts = isMeant ? undefined : isAnswer;
  return typeof format === 'string'
    ? envoyTextParser(id, title, format, accepts)
    : envoyJsonParser(id, title, format, accepts);
}

/** Tries parsers in order. A record of a later one counts more than the beginning of one that an earlier one sees. */
function firstOf(id: string, title: string, parsers: readonly Parser[]): Parser {
  return {
    id,
    title,
    parse(envelope: Envelope): Parsed {
      let second: Parsed = null;
      for (const parser of parsers) {
        const parsed = parser.parse(envelope);
        if (parsed !== null && parsed.kind !== 'unfinished' && parsed.kind !== 'malformed') return parsed;
        second ??= parsed;
      }
      return second;
    },
  };
}

/** Columns of the operators of a format, present or not. */
function columnsIn(format: GivenFormat['format']): Row {
  const row = emptyRow();
  for (const text of textsIn(format)) {
    const compiled = compileFormat(text);
    if ('error' in compiled) continue;
    for (const { column } of compiled.operators) if (column !== null) row[column] = '';
  }
  return row;
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return value.includes('%') ? [value] : [];
  if (Array.isArray(value)) return value.flatMap(textsIn);
  return isRecord(value) ? Object.values(value).flatMap(textsIn) : [];
}

/** Why lines of a format cannot be told from other programs' lines; null: they can. */
function weaknessOf(format: GivenFormat['format']): string | null {
  const row = columnsIn(format);
  const hasAnswer = [COLUMN.flags, COLUMN.details, COLUMN.cluster].some((column) => row[column] !== null);
  if (typeof format !== 'string' || (row[COLUMN.status] !== null && hasAnswer)) return null;
  return 'lines of other programs look alike, as it lacks response code, flags or details; if these logs have it, give it with --access-log-format';
}

/** Whether status and flags are what Envoy prints. */
function isAnswer(row: Row): boolean {
  const status = row[COLUMN.status] ?? null;
  const isCode = status === null || (!isAbsent(status) && isValue(SHAPES.code, status, true));
  return isCode && isValue(SHAPES.flags, row[COLUMN.flags] ?? '', true);
}

function doubtsOf({ source, format }: GivenFormat): readonly string[] {
  return textsIn(format).flatMap((text) => {
    const compiled = compileFormat(text);
    const warnings = 'error' in compiled ? [] : compiled.warnings;
    return warnings.map(({ message }) => `in the format of ${source}, ${message}`);
  });
}
