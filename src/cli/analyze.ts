import { fstatSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { Command, Option } from 'commander';
import { type GivenFormat, inferFormat, parsers, wrappings } from '../../parsers/index.ts';
import { rules } from '../../rules/index.ts';
import { Analysis } from '../analyze.ts';
import { expandPatterns } from '../input/patterns.ts';
import { readInput, readStdin } from '../input/read.ts';
import { decodeManifests, type Manifests } from '../mesh/manifests.ts';
import { readMeshAndArchives } from '../mesh/read.ts';
import { createMesh, unknownMesh } from '../mesh/view.ts';
import { Failure } from '../model/failure.ts';
import { LEVELS, type Level } from '../model/finding.ts';
import type { KubeObject, MeshView } from '../model/mesh.ts';
import type { Parser } from '../model/record.ts';
import type { Problem, Report } from '../model/report.ts';
import { type OwnFormat, ownFormat } from '../own-formats.ts';
import { validateObject } from '../policy/validate.ts';
import { planChanges } from '../remedy/patch/plan.ts';
import { renderJson } from '../render/json.ts';
import { renderNdjson, renderOpened as renderOpenedLine } from '../render/ndjson.ts';
import { renderOpened, renderTerminal } from '../render/terminal.ts';
import { printable } from '../text/sanitize.ts';
import { recordOf } from '../text/untyped.ts';
import { useColour } from './colour.ts';
import { EXIT } from './exit.ts';
import { createLogger } from './log.ts';
import { putOutPlan } from './patch-output.ts';
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

/** How often a live stream is looked at for new findings. */
const LIVE_MS = 250;

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
  const { mesh, problems } = await loadMesh(meshPaths, files);
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
  const unreadable = await readAll(files.length === 0 ? ['-'] : files, analysis, options, interrupt);
  const report = analysis.report(now(), interrupt.signal.aborted);
  log.debug({ inputs: report.inputs }, 'logs read');
  // The other formats tell problems by themselves.
  if (options.output === 'patch') tellProblems(report);
  process.stdout.write(render(report, options, mesh));
  return exitCode(report, options, interrupt.signal.aborted, unreadable > 0);
}

/** `--mesh` takes several words; behind the first, those that are neither folders nor manifests by name are log files. */
function splitPaths(
  mesh: readonly string[],
  files: readonly string[],
): { readonly meshPaths: readonly string[]; readonly files: readonly string[] } {
  const isMesh = (path: string, index: number): boolean =>
    index === 0 || path === '-' || MANIFESTS.includes(extname(path)) || isFolder(path);
  const paths = {
    meshPaths: mesh.filter(isMesh),
    files: [...mesh.filter((path, index) => !isMesh(path, index)), ...files],
  };
  if (paths.meshPaths.includes('-') && (paths.files.length === 0 || paths.files.includes('-'))) {
    throw new Failure(
      'usage',
      'stdin cannot be both the mesh and the logs',
      'name the log files, or give --mesh a file',
    );
  }
  return paths;
}

const MANIFESTS = ['.yaml', '.yml', '.json'];

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** The mesh that the paths, and the manifests beside logs, tell of; without any nothing is known. */
async function loadMesh(
  paths: readonly string[],
  logs: readonly string[],
): Promise<{ mesh: MeshView; problems: readonly Problem[] }> {
  const isNamed = (path: string): boolean => path !== '-';
  const files = await readMeshAndArchives(paths.filter(isNamed), logs.filter(isNamed));
  const piped: Manifests = paths.includes('-')
    ? decodeManifests(await textOf(process.stdin), 'stdin')
    : { objects: [], problems: [] };
  const objects = [...files.objects, ...piped.objects];
  const problems = [...files.problems, ...piped.problems, ...refusedObjects(objects)];
  if (objects.length === 0 && paths.length === 0) return { mesh: unknownMesh, problems };
  if (objects.length === 0) problems.push({ about: 'mesh', message: `no Kubernetes object in ${paths.join(', ')}` });
  const sources = [...files.sources, ...paths.filter((path) => !isNamed(path))];
  return { mesh: createMesh(objects, { sources, texts: files.texts }), problems };
}

/** Policies that istiod's admission would refuse count as absent in a mesh: said, because they look like policies. */
function refusedObjects(objects: readonly KubeObject[]): Problem[] {
  return objects.flatMap((object) => {
    const { valid, errors } = validateObject(object);
    if (valid) return [];
    const { kind, metadata, source } = object;
    const name = `${kind} ${metadata.namespace}/${metadata.name}`;
    return [
      { about: 'mesh', message: `${source.file}: ${name} would be refused by istiod: ${errors[0] ?? 'not valid'}` },
    ];
  });
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

/** Reads all inputs in order. Answers how many could not be read; the others are used. */
async function readAll(
  files: readonly string[],
  analysis: Analysis,
  options: AnalyzeOptions,
  interrupt: AbortController,
): Promise<number> {
  const onInterrupt = (): void => {
    // The second Ctrl-C leaves at once.
    if (interrupt.signal.aborted) process.exit(EXIT.interrupted);
    interrupt.abort();
  };
  process.on('SIGINT', onInterrupt);
  try {
    return await readEach(files, analysis, options, interrupt.signal);
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

async function readEach(
  files: readonly string[],
  analysis: Analysis,
  options: AnalyzeOptions,
  signal: AbortSignal,
): Promise<number> {
  let unreadable = 0;
  for (const file of files) {
    if (signal.aborted) break;
    try {
      if (file === '-') await followStdin(analysis, options, signal);
      else await readInput(file, analysis, signal);
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'input') throw error;
      unreadable++;
      const hint = error.hint === null ? '' : ` (${error.hint})`;
      analysis.addProblem({ about: `input ${file}`, message: `${error.message}${hint}` });
    }
  }
  return unreadable;
}

/** Reads stdin; new findings of a live stream are printed as they come up. */
async function followStdin(analysis: Analysis, options: AnalyzeOptions, signal: AbortSignal): Promise<void> {
  const live = options.output !== 'json' && options.output !== 'patch' && isStream(0);
  const announce = (): void => {
    for (const finding of analysis.freshFindings()) {
      process.stdout.write(
        options.output === 'ndjson' ? renderOpenedLine(finding) : renderOpened(finding, terminalOptions(options)),
      );
    }
  };
  const timer = live ? setInterval(announce, LIVE_MS) : null;
  try {
    await readStdin(analysis, signal);
  } finally {
    if (timer !== null) clearInterval(timer);
  }
}

/** Whether more may come: a file has all it will have. */
function isStream(descriptor: number): boolean {
  try {
    return !fstatSync(descriptor).isFile();
  } catch {
    return false;
  }
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

function readCount(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new Failure('usage', `--top takes a whole number from 1, not ${text}`);
  return number;
}
