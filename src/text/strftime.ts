import type { Instant } from '../model/line.ts';
import { parseInstant } from './time.ts';

/** A compiled strftime format. */
export interface TimeNotation {
  /** Source of a regular expression for the text that it prints. No capturing groups. */
  readonly source: string;
  /** The printed text as an instant; null: not of this notation, or without a date. A time without zone is UTC. */
  read(text: string): Instant | null;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const ZONE = '[+-]\\d{2}:?\\d{2}|Z';

/** Directives (absl FormatTime, and Envoy's own %s, %f, %3f: envoy 1.37 source/common/common/utility.cc) by their part. */
const DIRECTIVES: ReadonlyMap<string, readonly [part: string, source: string]> = new Map([
  ['Y', ['year', '\\d{4}']],
  ['E4Y', ['year', '\\d{4}']],
  ['y', ['shortYear', '\\d{2}']],
  ['m', ['month', '\\d{2}']],
  ['b', ['monthName', '[A-Z][a-z]{2}']],
  ['h', ['monthName', '[A-Z][a-z]{2}']],
  ['B', ['monthName', '[A-Z][a-z]{2,8}']],
  ['d', ['day', '\\d{2}']],
  ['e', ['day', '[ \\d]\\d']],
  ['a', ['', '[A-Z][a-z]{2}']],
  ['A', ['', '[A-Z][a-z]{5,8}']],
  ['j', ['', '\\d{3}']],
  ['H', ['hour', '\\d{2}']],
  ['I', ['hour12', '\\d{2}']],
  ['p', ['half', '[AP]M']],
  ['M', ['minute', '\\d{2}']],
  ['S', ['second', '\\d{2}']],
  ['f', ['fraction', '\\d{1,9}']],
  ['z', ['zone', ZONE]],
  ['Ez', ['zone', ZONE]],
  ['E*z', ['zone', '[+-]\\d{2}:\\d{2}:\\d{2}']],
  ['Z', ['zoneName', '[A-Za-z+\\-\\d]{1,6}']],
  ['s', ['epoch', '\\d{1,11}']],
]);
const SHORTHANDS: ReadonlyMap<string, string> = new Map([
  ['T', '%H:%M:%S'],
  ['R', '%H:%M'],
  ['F', '%Y-%m-%d'],
  ['D', '%m/%d/%y'],
  ['c', '%a %b %e %H:%M:%S %Y'],
]);
const TOKEN = /%(E[*\d]+[Sf]|E4Y|E\*?z|\d?f|[A-Za-z%])|[^%]+|%/g;

interface Piece {
  readonly part: string;
  readonly source: string;
}

/** Compiles a strftime format; null: it has a directive that is not known here. */
export function compileTimeNotation(format: string): TimeNotation | null {
  const pieces = piecesOf(format.replace(/%([TRFDc])/g, (whole, letter: string) => SHORTHANDS.get(letter) ?? whole));
  if (pieces === null) return null;
  const source = pieces.map((piece) => `(?:${piece.source})`).join('');
  const reader = new RegExp(`^${pieces.map((piece) => `(${piece.source})`).join('')}$`);
  return { source, read: (text) => readPieces(pieces, reader.exec(text)) };
}

function piecesOf(format: string): Piece[] | null {
  const pieces: Piece[] = [];
  for (const match of format.matchAll(TOKEN)) {
    const [text, directive] = match;
    const found = directive === undefined ? literal(text) : pieceOf(directive);
    if (found === null) return null;
    pieces.push(...found);
  }
  return pieces;
}

function literal(text: string): Piece[] {
  return [{ part: '', source: text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&') }];
}

function pieceOf(directive: string): Piece[] | null {
  if (directive === '%') return literal('%');
  const known = DIRECTIVES.get(directive);
  if (known !== undefined) return [{ part: known[0], source: known[1] }];
  if (/^\df$/.test(directive)) return [{ part: 'fraction', source: `\\d{${directive[0]}}` }];
  if (/^E.+f$/.test(directive)) return [{ part: 'fraction', source: '\\d{1,15}' }];
  if (/^E.+S$/.test(directive)) {
    return [
      { part: 'second', source: '\\d{2}' },
      { part: 'dotFraction', source: '(?:\\.\\d{1,15})?' },
    ];
  }
  return null;
}

function readPieces(pieces: readonly Piece[], match: RegExpExecArray | null): Instant | null {
  if (match === null) return null;
  const parts = new Map(pieces.map((piece, index) => [piece.part, match[index + 1] ?? '']));
  const fraction = parts.get('fraction') ?? (parts.get('dotFraction') ?? '').slice(1);
  const micros = `${fraction}000000`.slice(0, 6);
  const epoch = parts.get('epoch');
  if (epoch !== undefined) return `${new Date(Number(epoch) * 1000).toISOString().slice(0, 19)}.${micros}Z`;
  const date = dateOf(parts);
  const hour = hourOf(parts);
  if (date === null || hour === null) return null;
  const zone = parts.get('zone') ?? 'Z';
  const second = parts.get('second') ?? '00';
  return parseInstant(`${date}T${hour}:${parts.get('minute') ?? '00'}:${second}.${micros}${zone}`);
}

function dateOf(parts: ReadonlyMap<string, string>): string | null {
  const short = parts.get('shortYear');
  const year = parts.get('year') ?? (short === undefined ? undefined : `20${short}`);
  const name = MONTHS.indexOf((parts.get('monthName') ?? '').slice(0, 3)) + 1;
  const month = parts.get('month') ?? (name === 0 ? undefined : String(name).padStart(2, '0'));
  const day = parts.get('day')?.trim().padStart(2, '0');
  return year === undefined || month === undefined || day === undefined ? null : `${year}-${month}-${day}`;
}

function hourOf(parts: ReadonlyMap<string, string>): string | null {
  const twelve = parts.get('hour12');
  if (twelve === undefined) return parts.get('hour') ?? null;
  const hour = (Number(twelve) % 12) + (parts.get('half') === 'PM' ? 12 : 0);
  return String(hour).padStart(2, '0');
}
