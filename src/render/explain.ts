import type { Rule } from '../model/finding.ts';
import { WIDTH, wrap } from './layout.ts';

/** The page of a diagnosis for a terminal. */
export function renderPage(rule: Rule): string {
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
    '',
    'Confirm',
    ...meta.page.confirm.map((command) => `  ${command}`),
    ...section('What to change', meta.page.change),
    ...section('What not to do', meta.page.never),
    '',
    'Sources',
    ...meta.cites.flatMap((cite) => wrap(cite, WIDTH - 2).map((line) => `  ${line}`)),
  ].join('\n')}\n`;
}

/** All diagnoses, a line each. */
export function renderList(rules: readonly Rule[]): string {
  const width = Math.max(...rules.map((rule) => rule.meta.id.length));
  const lines = rules.map(({ meta }) => `${meta.id.padEnd(width)}  ${meta.title}`);
  return `${lines.join('\n')}\n\nmeshmend explain ID prints the page of one.\n`;
}

/** rules/README.md: every diagnosis with its page, in Markdown. */
export function renderRulesReadme(rules: readonly Rule[]): string {
  const table = rules.map(
    ({ meta }) => `| [${meta.id}](#${meta.id}) | ${meta.category} | ${meta.level} | ${meta.title} |`,
  );
  return `${[
    '# Diagnoses',
    '',
    'Printed from the rules’ metadata by `npm run update`; do not edit. A rule is one file here: metadata, `match`, `propose`.',
    'How to add one: `CONTRIBUTING.md`.',
    '',
    '| id | category | level | what happened |',
    '|---|---|---|---|',
    ...table,
    ...rules.flatMap(markdownPage),
  ].join('\n')}\n`;
}

function markdownPage({ meta }: Rule): readonly string[] {
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
    ...meta.page.confirm,
    '```',
    '',
    `*What to change.* ${meta.page.change}`,
    '',
    `*What not to do.* ${meta.page.never}`,
    '',
    `*Sources.* ${meta.cites.join('; ')}`,
  ];
}
