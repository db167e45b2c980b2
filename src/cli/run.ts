import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { Command, CommanderError } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { isPattern } from '../input/patterns.ts';
import { Failure } from '../model/failure.ts';
import { printable } from '../text/sanitize.ts';
import { analyzeCommand } from './analyze.ts';
import { checkCommand } from './check.ts';
import { decideCommand } from './decide.ts';
import { EXIT, EXIT_OF } from './exit.ts';
import { explainCommand } from './explain.ts';
import { lintCommand } from './lint.ts';
import { schemaCommand } from './schema.ts';
import { testCommand } from './test.ts';

const EXAMPLES = `
Examples:
  kubectl logs -n istio-system -l app=ztunnel --tail=-1 --prefix | meshmend
  kubectl logs deploy/web -c istio-proxy | meshmend --mesh policies/
  meshmend ztunnel.log sidecar.log --mesh dump.yaml -o json
  meshmend decide --mesh policies/ --from shop/web --to payments/ledger:8080
  meshmend ztunnel.log --mesh policies/ -o patch --output-directory out
  meshmend check out --mesh policies/
  meshmend lint policies/
  meshmend test tests/*.yaml
  meshmend explain`;

/** Runs the program with the words of a command line (without node and script); answers the exit code. */
export async function run(words: readonly string[], script: string): Promise<number> {
  const outcome = { code: EXIT.ok as number };
  const program = createProgram(script, (code) => {
    outcome.code = code;
  });
  try {
    const completed = completeWords(words, program);
    if (completed === null) {
      process.stderr.write(`${program.helpInformation()}${EXAMPLES}\n`);
      return EXIT.usage;
    }
    await program.parseAsync(completed, { from: 'user' });
    return outcome.code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (!(error instanceof Failure)) throw error;
    const hint = error.hint === null ? '' : `\nhint: ${printable(error.hint)}`;
    process.stderr.write(`meshmend: ${printable(error.message)}${hint}\n`);
    return EXIT_OF[error.code];
  }
}

function createProgram(script: string, setCode: (code: number) => void): Command {
  // As a kubectl plugin the program is called kubectl-meshmend and typed `kubectl meshmend`.
  const name = basename(script).startsWith('kubectl-') ? 'kubectl meshmend' : 'meshmend';
  const program = new Command(name)
    .description(manifest.description)
    .version(manifest.version, '-V, --version')
    .usage('[analyze] [FILE...] [options]')
    .showSuggestionAfterError()
    .showHelpAfterError(`(${name} --help tells more)`)
    .addHelpText('after', EXAMPLES)
    .exitOverride();
  const tool = { name: 'meshmend', version: manifest.version };
  const commands = [
    analyzeCommand(tool, setCode),
    explainCommand(),
    decideCommand(),
    checkCommand(setCode),
    lintCommand(tool, setCode),
    testCommand(setCode),
    schemaCommand(),
  ];
  for (const command of commands) {
    program.addCommand(command.copyInheritedSettings(program));
  }
  return program;
}

/**
 * Puts in the `analyze` that may be left out: when the first word is an option or a file, or when there are no words and
 * something is piped in. Null: there is nothing to do, help is due. A first word that is neither command nor file is a
 * typing error.
 */
function completeWords(words: readonly string[], program: Command): string[] | null {
  const [first] = words;
  const piped = process.stdin.isTTY !== true;
  if (first === undefined) return piped ? ['analyze'] : null;
  const commands = ['help', ...program.commands.map((command) => command.name())];
  if (commands.includes(first) || ['-h', '--help', '-V', '--version'].includes(first)) return [...words];
  if (first.startsWith('-') || existsSync(first) || isPattern(first)) return ['analyze', ...words];
  const near = commands.find((command) => isNear(command, first));
  throw new Failure(
    'usage',
    `${first} is neither a command nor a file`,
    near === undefined ? `commands: ${commands.join(', ')}` : `did you mean ${near}?`,
  );
}

/** One letter wrong, missing, too many or swapped, in words of some length; or a beginning of at least three letters. */
function isNear(word: string, typed: string): boolean {
  if (typed.length >= 3 && word.startsWith(typed)) return true;
  if (Math.abs(word.length - typed.length) > 1) return false;
  const letters = (text: string): string => [...text].sort().join('');
  let head = 0;
  while (head < word.length && word[head] === typed[head]) head++;
  let tail = 0;
  while (tail < word.length - head && word.at(-1 - tail) === typed.at(-1 - tail)) tail++;
  return head + tail >= Math.max(word.length, typed.length) - 1 || letters(word) === letters(typed);
}
