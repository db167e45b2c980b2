import type { RuleMeta } from '../model/finding.ts';
import { WIDTH, wrap } from './layout.ts';
import { type RowSection, renderRows } from './rows.ts';

/** A diagnosis: of logs, or of manifests alone. */
export interface Diagnosis {
  readonly meta: RuleMeta;
}

/** The page of a diagnosis for a terminal. */
export function renderPage(rule: Diagnosis): string {
  const { meta } = rule;
  const section = (title: string, text: string): string[] => [
    '',
    title,
    ...wrap(text, WIDTH - 2).map((line) => `  ${line}`),
  ];
  return `${[
    meta.id,
    meta.title,
    `${meta.category}, ${meta.level}`,
    ...section('What it means', meta.page.meaning),
    ...section('Who prints it', meta.page.printedBy),
    ...confirmLines(meta),
    ...section('What to change', meta.page.change),
    ...section('What not to do', meta.page.never),
    '',
    'Sources',
    ...meta.cites.flatMap((cite) => wrap(cite, WIDTH - 2).map((line) => `  ${line}`)),
  ].join('\n')}\n`;
}

/** The command that confirms, and those that show more. */
function confirmLines({ page: { confirm } }: RuleMeta): readonly string[] {
  const [first = '', ...more] = confirm;
  const rest = more.length === 0 ? [] : ['', 'See more', ...more.map((command) => `  ${command}`)];
  return ['', 'Confirm', `  ${first}`, ...rest];
}

/** All diagnoses, a line each. */
export function renderList(rules: readonly Diagnosis[]): string {
  const width = Math.max(...rules.map((rule) => rule.meta.id.length));
  const lines = rules.map(({ meta }) => `${meta.id.padEnd(width)}  ${meta.title}`);
  return `${lines.join('\n')}\n\nmeshmend explain ID prints the page of one.\n`;
}

/** rules/README.md: every diagnosis, of logs and of manifests alone, with its page, and what leads to which, in Markdown. */
export function renderRulesReadme(
  rules: readonly Diagnosis[],
  statics: readonly Diagnosis[],
  sections: readonly RowSection[],
): string {
  const tableOf = (diagnoses: readonly Diagnosis[]): readonly string[] =>
    diagnoses.map(({ meta }) => `| [${meta.id}](#${meta.id}) | ${meta.category} | ${meta.level} | ${meta.title} |`);
  return `${[
    '# Diagnoses',
    '',
    'Printed from the rules’ metadata by `npm run update`; do not edit. A rule is one file here: metadata, `match`, `propose`.',
    'How to add one: `CONTRIBUTING.md`.',
    '',
    '| id | category | level | what happened |',
    '|---|---|---|---|',
    ...tableOf(rules),
    '',
    'Of manifests alone, by `meshmend lint` (`static/`: metadata, `check`):',
    '',
    '| id | category | level | what is wrong |',
    '|---|---|---|---|',
    ...tableOf(statics),
    ...renderRows(sections),
    ...[...rules, ...statics].flatMap(markdownPage),
  ].join('\n')}\n`;
}

function markdownPage({ meta }: Diagnosis): readonly string[] {
  const [first = '', ...more] = meta.page.confirm;
  const rest = more.length === 0 ? [] : ['*See more.*', '', '```sh', ...more, '```', ''];
  return [
    '',
    `## ${meta.id}`,
    '',
    `**${meta.title}.** ${meta.page.meaning}`,
    '',
    `*Who prints it.* ${meta.page.printedBy}`,
    '',
    '*Confirm.*',
    '',
    '```sh',
    first,
    '```',
    '',
    ...rest,
    `*What to change.* ${meta.page.change}`,
    '',
    `*What not to do.* ${meta.page.never}`,
    '',
    `*Sources.* ${meta.cites.join('; ')}`,
  ];
}
