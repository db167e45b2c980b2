import { Command, Option } from 'commander';
import { staticRules } from '../../rules/static/index.ts';
import { expandPatterns } from '../input/patterns.ts';
import { lintMesh } from '../lint/lint.ts';
import { Failure } from '../model/failure.ts';
import { LEVELS, type Level } from '../model/finding.ts';
import type { Report } from '../model/report.ts';
import { renderJson } from '../render/json.ts';
import { renderLint } from '../render/lint.ts';
import { renderNdjson } from '../render/ndjson.ts';
import { useColour } from './colour.ts';
import { readCount } from './count.ts';
import { EXIT } from './exit.ts';
import { deployedMesh, type LoadedMesh } from './mesh.ts';
import { now } from './time.ts';

const OUTPUTS = ['terminal', 'json', 'ndjson'] as const;

const EXAMPLES = `
Examples:
  meshmend lint policies/ --fail-on warning
  helm template charts/shop | meshmend lint -
  kubectl get authorizationpolicies,peerauthentications,requestauthentications,\\
networkpolicies,destinationrules,pods,services,serviceaccounts,namespaces \\
    -A -o json | meshmend lint -

More is checked where pods, accounts and namespaces are among the objects; what
was not checked for want of them is said.`;

interface LintOptions {
  readonly output: (typeof OUTPUTS)[number];
  readonly failOn?: Level;
  readonly top: number;
  readonly color: boolean;
}

/** `meshmend lint`: what manifests alone show to be wrong. `setCode` gets the exit code. */
export function lintCommand(tool: Report['tool'], setCode: (code: number) => void): Command {
  return new Command('lint')
    .description('look for policies that cannot do what they say, in manifests alone, without any log')
    .argument('<PATH...>', 'manifests, kubectl dumps, folders, archives; - is stdin')
    .addOption(new Option('-o, --output <FORMAT>', 'how to print').choices(OUTPUTS).default('terminal'))
    .addOption(new Option('--fail-on <LEVEL>', 'exit 1 if there is a finding of this level or worse').choices(LEVELS))
    .option('--top <N>', 'findings printed in a terminal', readCount, 20)
    .option('--no-color', 'no colours (NO_COLOR does the same)')
    .addHelpText('after', EXAMPLES)
    .action(async (paths: string[], options: LintOptions) => {
      const { mesh, problems } = await manifestsAt(await expandPatterns(paths));
      const report = lintMesh({ rules: staticRules, mesh, tool, generatedAt: now(), problems });
      process.stdout.write(render(report, options));
      setCode(exitCode(report, options));
    });
}

/** Throws `Failure`, with a hint for a command that has no --mesh. */
async function manifestsAt(paths: readonly string[]): Promise<LoadedMesh> {
  try {
    return await deployedMesh(paths);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'input') throw error;
    const hint = 'lint reads manifests and dumps of kubectl (YAML, JSON); logs are for meshmend analyze';
    throw new Failure('input', error.message, hint, error);
  }
}

function render(report: Report, { output, color, top }: LintOptions): string {
  switch (output) {
    case 'json':
      return renderJson(report);
    case 'ndjson':
      return renderNdjson(report);
    case 'terminal':
      return renderLint(report, { colour: useColour(color), top });
  }
}

function exitCode({ findings }: Report, { failOn }: LintOptions): number {
  if (failOn === undefined) return EXIT.ok;
  const bad = findings.some(({ level }) => LEVELS.indexOf(level) <= LEVELS.indexOf(failOn));
  return bad ? EXIT.findings : EXIT.ok;
}
