import { Command, Option } from 'commander';
import { staticRules } from '../../rules/static/index.ts';
import { expandPatterns } from '../input/patterns.ts';
import { lintMesh } from '../lint/lint.ts';
import { LEVELS, type Level } from '../model/finding.ts';
import type { Report } from '../model/report.ts';
import { renderJson } from '../render/json.ts';
import { renderLint } from '../render/lint.ts';
import { renderNdjson } from '../render/ndjson.ts';
import { useColour } from './colour.ts';
import { readCount } from './count.ts';
import { EXIT } from './exit.ts';
import { deployedMesh } from './mesh.ts';
import { now } from './time.ts';

const OUTPUTS = ['terminal', 'json', 'ndjson'] as const;

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
    .action(async (paths: string[], options: LintOptions) => {
      const { mesh, problems } = await deployedMesh(await expandPatterns(paths));
      const report = lintMesh({ rules: staticRules, mesh, tool, generatedAt: now(), problems });
      process.stdout.write(render(report, options));
      setCode(exitCode(report, options));
    });
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
