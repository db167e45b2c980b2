import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, extname, isAbsolute, join } from 'node:path';
import { Command, Option } from 'commander';
import { readLines } from '../input/lines.ts';
import { readMesh } from '../mesh/read.ts';
import { Failure } from '../model/failure.ts';
import type { SuiteTally } from '../model/suite.ts';
import { renderFailure, renderResultJson, renderTally, renderTallyJson } from '../render/suite.ts';
import { addResults, malformed, type SuiteResults } from '../suite/result.ts';
import { runSuite } from '../suite/run-suite.ts';
import { runVectorLine } from '../suite/vector-line.ts';
import { useColour } from './colour.ts';
import { EXIT } from './exit.ts';

const OUTPUTS = ['terminal', 'json'] as const;

interface TestOptions {
  readonly output: (typeof OUTPUTS)[number];
  readonly color: boolean;
}

/** Files whose lines are cases. */
const LINES = ['.jsonl', '.ndjson'];
/** A larger file of cases is refused. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** Output is handed on in pieces of about this many characters. */
const CHUNK = 64 * 1024;

/** `meshmend test`: unit tests of mesh policies. `setCode` gets the exit code. */
export function testCommand(setCode: (code: number) => void): Command {
  return new Command('test')
    .description('test mesh policies without a cluster: files of cases (YAML), or vectors (JSON lines)')
    .argument('<FILE...>', 'files of cases')
    .addOption(new Option('-o, --output <FORMAT>', 'how to print').choices(OUTPUTS).default('terminal'))
    .option('--no-color', 'no colours (NO_COLOR does the same)')
    .action(async (files: string[], options: TestOptions) => {
      setCode(await run(files, options));
    });
}

async function run(files: readonly string[], { output, color }: TestOptions): Promise<number> {
  // Everything is looked at before anything is run: a misspelt name must not cost a run.
  for (const file of files) await checkReadable(file);
  const printer = new Printer(output, useColour(color));
  for (const file of files) {
    const before = printer.total;
    if (LINES.includes(extname(file))) await runLines(file, printer);
    else await printer.print(runSuite(file, await readFile(file, 'utf8'), (path) => readMesh([beside(file, path)])));
    if (printer.total === before) {
      await printer.print({ results: [malformed(file, 'file', 'there is no case in it')], skipped: 0 });
    }
  }
  await printer.close();
  return printer.tally.failed === 0 ? EXIT.ok : EXIT.findings;
}

async function checkReadable(file: string): Promise<void> {
  const status = await stat(file).catch((error: unknown) => {
    throw new Failure('input', `cannot read ${file}`, 'check the name', error);
  });
  if (!status.isFile())
    throw new Failure('input', `${file} is no file`, `name the files: meshmend test ${file}/*.yaml`);
  if (!LINES.includes(extname(file)) && status.size > MAX_FILE_BYTES) {
    throw new Failure('input', `${file} is larger than ${MAX_FILE_BYTES} bytes`);
  }
}

/** A path that stands in a file is meant from there. */
function beside(file: string, path: string): string {
  return isAbsolute(path) ? path : join(dirname(file), path);
}

/** Runs line by line; what was printed is waited for now and then, so that memory stays bounded. */
async function runLines(file: string, printer: Printer): Promise<void> {
  const stream = createReadStream(file);
  await readLines(
    stream,
    file,
    (line) => {
      const waiting = printer.print(runVectorLine(line));
      if (waiting === null) return;
      stream.pause();
      void waiting.then(() => stream.resume());
    },
    new AbortController().signal,
  ).catch((error: unknown) => {
    throw new Failure('input', `cannot read ${file}`, null, error);
  });
}

/** Prints results as they come and keeps the counts. */
class Printer {
  tally: SuiteTally = { passed: 0, failed: 0, skipped: 0 };
  readonly #json: boolean;
  readonly #colour: boolean;
  #pending = '';

  constructor(output: TestOptions['output'], colour: boolean) {
    this.#json = output === 'json';
    this.#colour = colour;
  }

  get total(): number {
    const { passed, failed, skipped } = this.tally;
    return passed + failed + skipped;
  }

  /** Null: go on; otherwise wait until what was printed has been taken. */
  print(results: SuiteResults): Promise<void> | null {
    this.tally = addResults(this.tally, results);
    for (const result of results.results) {
      this.#pending += this.#json ? renderResultJson(result) : (renderFailure(result, { colour: this.#colour }) ?? '');
    }
    return this.#pending.length < CHUNK ? null : this.#flush();
  }

  async close(): Promise<void> {
    this.#pending += this.#json ? renderTallyJson(this.tally) : renderTally(this.tally);
    await this.#flush();
  }

  #flush(): Promise<void> {
    const text = this.#pending;
    this.#pending = '';
    return new Promise((resolve) => {
      process.stdout.write(text, () => resolve());
    });
  }
}
