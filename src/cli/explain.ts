import { Command } from 'commander';
import { rules } from '../../rules/index.ts';
import { Failure } from '../model/failure.ts';
import { renderList, renderPage } from '../render/explain.ts';

/** `meshmend explain [ID]`: the page of a diagnosis, or the list of all. */
export function explainCommand(): Command {
  return new Command('explain')
    .description('print the page of a diagnosis; without ID the list of all')
    .argument('[ID]', 'id as a report prints it')
    .action((id: string | undefined) => {
      process.stdout.write(id === undefined ? renderList(rules) : renderPage(ruleOf(id)));
    });
}

function ruleOf(id: string): (typeof rules)[number] {
  const rule = rules.find((candidate) => candidate.meta.id === id);
  if (rule !== undefined) return rule;
  const near = rules.filter(({ meta }) => meta.id.includes(id) || id.includes(meta.id)).map(({ meta }) => meta.id);
  throw new Failure(
    'usage',
    `there is no diagnosis ${id}`,
    near.length > 0 ? `did you mean ${near.slice(0, 5).join(', ')}?` : 'meshmend explain lists all',
  );
}
