import { Command } from 'commander';
import { rules } from '../../rules/index.ts';
import { staticRules } from '../../rules/static/index.ts';
import { Failure } from '../model/failure.ts';
import { platforms } from '../platforms/index.ts';
import { type Diagnosis, renderList, renderPage } from '../render/explain.ts';
import { renderPlatform } from '../render/platform.ts';
import { nearNames } from '../text/near.ts';

/** What logs show, then what manifests alone do. */
const diagnoses: readonly Diagnosis[] = [...rules, ...staticRules];

/** `meshmend explain [ID]`: the page of a diagnosis or of a platform, or the list of all diagnoses. */
export function explainCommand(): Command {
  return new Command('explain')
    .description(
      `print the page of a diagnosis, or of a platform (${platforms.map(({ id }) => id).join(', ')}); without ID the list of all diagnoses`,
    )
    .argument('[ID]', 'id as a report prints it')
    .action((id: string | undefined) => {
      const platform = platforms.find((candidate) => candidate.id === id);
      if (platform !== undefined) process.stdout.write(renderPlatform(platform));
      else process.stdout.write(id === undefined ? renderList(diagnoses) : renderPage(ruleOf(id)));
    });
}

function ruleOf(id: string): Diagnosis {
  const rule = diagnoses.find((candidate) => candidate.meta.id === id);
  if (rule !== undefined) return rule;
  const ids = [...platforms.map((platform) => platform.id), ...diagnoses.map(({ meta }) => meta.id)];
  const near = [...new Set([...nearNames(id, ids), ...ids.filter((one) => one.includes(id) || id.includes(one))])];
  throw new Failure(
    'usage',
    `there is no diagnosis or platform ${id}`,
    near.length > 0 ? `did you mean ${near.slice(0, 5).join(', ')}?` : 'meshmend explain lists all',
  );
}
