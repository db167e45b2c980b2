import { Command, Option } from 'commander';
import { type GivenFormat, inferFormat, parsers, wrappings } from '../../parsers/index.ts';
import { rules } from '../../rules/index.ts';
import { Analysis } from '../analyze.ts';
import { expandPatterns } from '../input/patterns.ts';
import { unknownMesh } from '../mesh/view.ts';
import { Failure } from '../model/failure.ts';
import { type Finding, LEVELS, type Level } from '../model/finding.ts';
import type { MeshView } from '../model/mesh.ts';
import type { Parser } from '../model/record.ts';
import type { Report } from '../model/report.ts';
import { type OwnFormat, ownFormat } from '../own-formats.ts';
import { planChanges } from '../remedy/patch/plan.ts';
import { renderJson } from '../render/json.ts';
import { renderNdjson, renderOpened as renderOpenedLine } from '../render/ndjson.ts';
import { renderOpened, renderTerminal } from '../render/terminal.ts';
import { printable } from '../text/sanitize.ts';
import { recordOf } from '../text/untyped.ts';
import { useColour } from './colour.ts';
import { readCount } from './count.ts';
import { EXIT } from './exit.ts';
import { createLogger } from './log.ts';
import { runningMesh, splitPaths } from './mesh.ts';
import { putOutPlan } from './patch-output.ts';
import { readLogs } from './read-logs.ts';
import { now, readMoment } from './time.ts';
import { addWishOptions, readWishes, type WishOptions } from './wishes.ts';

const OUTPUTS = ['terminal', 'json', 'ndjson', 'patch'] as const;
type Output = (typeof OUTPUTS)[number];

interface AnalyzeOptions extends WishOptions {
  readonly mesh?: readonly string[];
  readonly output: Output;
  readonly outputDirectory?: string;
  readonly failOn?: Level;
  readonly since?: string;
  readonly until?: string;
  readonly top: number;
  readonly logFormat?: string;
  readonly accessLogFormat?: string;
  readonly color: boolean;
  readonly verbose?: true;
}

/** `meshmend analyze`: reads logs, explains, proposes. `setCode` gets the exit code. */
export function analyzeCommand(tool: Report['tool'], setCode: (code: number) => void): Command {
  const command = new Command('analyze')
    .description('read logs (stdin when no FILE), explain each failure, propose a change')
    .argument('[FILE...]', 'log files, plain or compressed, folders, archives (bug-report, must-gather); - is stdin')
    .option(
      '--mesh <PATH...>',
      'what the mesh is: manifests, kubectl dumps, folders; - is stdin.\nFurther paths belong to it when they are folders or end in .yaml, .yml, .json',
    )
    .addOption(new Option('-o, --output <FORMAT>', 'how to print').choices(OUTPUTS).default('terminal'))
    .option('--output-directory <DIR>', 'with -o patch: write the files there, instead of one stream')
    .addOption(new Option('--fail-on <LEVEL>', 'exit 1 if there is a finding of this level or worse').choices(LEVELS))
    .option('--since <TIME>', 'only records from then on: a time, or how long ago (1h30m)')
    .option('--until <TIME>', 'only records until then')
    .option('--top <N>', 'findings printed in a terminal', readCount, 20)
    .option('--log-format <NAME>', `read everything with one parser (${parsers.map((parser) => parser.id).join(', ')})`)
    .option('--access-log-format <FORMAT>', "the mesh's own meshConfig.accessLogFormat, text or JSON")
    .option('--no-color', 'no colours (NO_COLOR does the same)')
    .option('-v, --verbose', 'say on stderr what is done');
  return addWishOptions(command).action(async (files: string[], options: AnalyzeOptions) => {
    setCode(await analyze(files, options, tool));
  });
}

async function analyze(words: readonly string[], options: AnalyzeOptions, tool: Report['tool']): Promise<number> {
  if (options.outputDirectory !== undefined && options.output !== 'patch') {
    throw new Failure('usage', '--output-directory is for -o patch only', 'add -o patch');
  }
  const { wishes, files: named } = readWishes(options, options.mesh !== undefined);
  const { meshPaths, files } = splitPaths(
    await expandPatterns(options.mesh ?? []),
    await expandPatterns([...named, ...words]),
  );
  if (files.length === 0 && process.stdin.isTTY) {
    throw new Failure('usage', 'there is nothing to read: stdin is a terminal', 'pipe logs in, or name files');
  }
  const log = await createLogger(options.verbose === true);
  const { mesh, problems } = await runningMesh(meshPaths, files);
  const own = readOwnFormats(options.accessLogFormat, mesh);
  const analysis = new Analysis({
    parsers: [...(own.parser === null ? [] : [own.parser]), ...chooseParsers(options.logFormat)],
    ...(options.logFormat === undefined ? { infer: inferFormat } : {}),
    wrappings,
    rules,
    mesh,
    tool,
    since: options.since === undefined ? null : readMoment('--since', options.since),
    until: options.until === undefined ? null : readMoment('--until', options.until),
    wishes,
  });
  for (const problem of [...problems, ...own.problems]) analysis.addProblem(problem);
  log.debug({ objects: mesh.objects.length, paths: meshPaths }, 'mesh read');

  const interrupt = new AbortController();
  const unreadable = await readLogs(
    files.length === 0 ? ['-'] : files,
    analysis,
    announcer(analysis, options),
    interrupt,
  );
  const report = analysis.report(now(), interrupt.signal.aborted);
  log.debug({ inputs: report.inputs }, 'logs read');
  // The other formats tell problems by themselves.
  if (options.output === 'patch') tellProblems(report);
  process.stdout.write(render(report, options, mesh));
  return exitCode(report, options, interrupt.signal.aborted, unreadable > 0);
}

function chooseParsers(logFormat: string | undefined): readonly Parser[] {
  if (logFormat === undefined) return parsers;
  const chosen = parsers.filter(({ id }) => id === logFormat || id.startsWith(`${logFormat}-`));
  if (chosen.length === 0) {
    const known = parsers.map((parser) => parser.id).join(', ');
    throw new Failure('usage', `--log-format ${logFormat} is unknown`, `known: ${known}`);
  }
  return chosen;
}

/** What reads the format given on the command line (a JSON object of operators, or a text with them) and the mesh's own. */
function readOwnFormats(text: string | undefined, mesh: MeshView): OwnFormat {
  if (text === undefined) return ownFormat([], mesh);
  const format = text.trimStart().startsWith('{') ? recordOf(parseJson(text)) : text;
  const given: GivenFormat = { source: '--access-log-format', format, isMeant: true };
  const alone = ownFormat([given], unknownMesh);
  const [error] = alone.parser === null ? alone.problems : [];
  if (error !== undefined) throw new Failure('usage', error.message);
  return ownFormat([given], mesh);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Failure('usage', '--access-log-format starts like JSON but is none', 'quote it for the shell', error);
  }
}

/** Prints the findings that a live stream has brought since it was called last; null: the output is one document. */
function announcer(analysis: Analysis, options: AnalyzeOptions): (() => void) | null {
  if (options.output === 'json' || options.output === 'patch') return null;
  const opened = (finding: Finding): string =>
    options.output === 'ndjson' ? renderOpenedLine(finding) : renderOpened(finding, terminalOptions(options));
  return () => {
    for (const finding of analysis.freshFindings()) process.stdout.write(opened(finding));
  };
}

function render(report: Report, options: AnalyzeOptions, mesh: MeshView): string {
  switch (options.output) {
    case 'json':
      return renderJson(report);
    case 'ndjson':
      return renderNdjson(report);
    case 'patch':
      return putOutPlan(planChanges(report.findings, mesh), options.outputDirectory ?? null);
    case 'terminal':
      return renderTerminal(report, terminalOptions(options));
  }
}

function tellProblems({ problems }: Report): void {
  for (const { about, message } of problems) process.stderr.write(`meshmend: ${printable(`${about}: ${message}`)}\n`);
}

function terminalOptions(options: AnalyzeOptions): { colour: boolean; top: number } {
  return { colour: useColour(options.color), top: options.top };
}

function exitCode(report: Report, options: AnalyzeOptions, interrupted: boolean, unreadable: boolean): number {
  if (interrupted) return EXIT.interrupted;
  // Nothing understood, or nothing there at all: a gate must not take that for a clean log.
  if (unreadable || report.totals.records === 0) return EXIT.input;
  const { failOn } = options;
  if (failOn === undefined) return EXIT.ok;
  const bad = report.findings.some((finding) => LEVELS.indexOf(finding.level) <= LEVELS.indexOf(failOn));
  return bad ? EXIT.findings : EXIT.ok;
}
