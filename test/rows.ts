import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { AnsweredRow, RowSection } from '../src/render/rows.ts';

interface WrittenRow {
  readonly says: string;
  readonly note?: string;
  readonly source?: string;
  readonly proof?: readonly string[];
  readonly none?: string;
}

interface WrittenSection {
  readonly title: string;
  readonly source: string;
  readonly words?: boolean;
  readonly rows: readonly WrittenRow[];
}

/** fixtures/rows.yaml. */
export const rowSections: readonly RowSection[] = (
  parse(readFileSync('fixtures/rows.yaml', 'utf8')) as readonly WrittenSection[]
).map(({ title, source, words, rows }) => ({ title, source, isWords: words === true, rows: rows.map(rowOf) }));

function rowOf({ says, note, source, proof, none }: WrittenRow): AnsweredRow {
  return { says, note: note ?? null, source: source ?? null, proof: proof ?? [], none: none ?? null };
}

/** The literal parts of a row or of a table cell: what stands between … and <placeholders>. */
export function literals(text: string): readonly string[] {
  return text
    .split(/…|<[^<>]*>/)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
