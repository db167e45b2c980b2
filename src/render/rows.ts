/** What a proxy prints, or an operator asks, and what answers it. */
export interface AnsweredRow {
  /** Text of the proxy, with … for what varies, or a few words. */
  readonly says: string;
  readonly note: string | null;
  /** Where it comes from, if not from the section's source. */
  readonly source: string | null;
  /** Cases of fixtures/rules that prove it, `rule/case`; empty where there is no diagnosis. */
  readonly proof: readonly string[];
  /** Why there is no diagnosis; null where there is one. */
  readonly none: string | null;
}

/** Rows of one source. */
export interface RowSection {
  readonly title: string;
  readonly source: string;
  /** Whether `says` is in our words, and stands in no line. */
  readonly isWords: boolean;
  readonly rows: readonly AnsweredRow[];
}

/** The tables of rules/README.md that lead from what a line says to its diagnosis, in Markdown. */
export function renderRows(sections: readonly RowSection[]): readonly string[] {
  return [
    '',
    '## What a line says → diagnosis',
    '',
    'From `fixtures/rows.yaml`; `test/rows.test.ts` proves each row by a case in which a line says so and the diagnosis is told.',
    ...sections.flatMap(sectionTable),
  ];
}

function sectionTable({ title, source, isWords, rows }: RowSection): readonly string[] {
  return [
    '',
    `### ${title}`,
    '',
    `From ${source}.`,
    '',
    '| what it says | diagnosis, and the case that proves it |',
    '|---|---|',
    ...rows.map((row) => `| ${question(row, isWords)} | ${answer(row)} |`),
  ];
}

function question({ says, note, source }: AnsweredRow, isWords: boolean): string {
  const remarks = [note, source].filter((remark) => remark !== null);
  const shown = isWords ? says : `\`${says}\``;
  return escaped(remarks.length === 0 ? shown : `${shown} (${remarks.join('; ')})`);
}

function answer({ proof, none }: AnsweredRow): string {
  if (none !== null) return escaped(`none: ${none}`);
  return proof
    .map((path) => {
      const [rule = '', name = ''] = path.split('/');
      return `[${rule}](#${rule}) ([${name}](../fixtures/rules/${path}))`;
    })
    .join(', ');
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|');
}
