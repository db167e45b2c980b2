import { fstatSync } from 'node:fs';
import { Readable } from 'node:stream';
import { Failure } from '../model/failure.ts';
import type { Problem } from '../model/report.ts';
import { type Chunks, streamChunks } from './chunks.ts';
import { failureOf } from './failure.ts';
import { LineCutter, type LineSink } from './line-cutter.ts';
import { readLines } from './lines.ts';
import { withInput } from './open.ts';
import { type Part, partsOfArchive } from './parts.ts';
import { isEnoughOfStream } from './sniff.ts';
import { unpack } from './unpack.ts';

/** Where logs go: their lines, the end of every input, and what went wrong. */
export interface LogSink extends LineSink {
  /** An input has no more lines. Also called for one that had none. */
  end(input: string): void;
  addProblem(problem: Problem): void;
}

/** Parts of one folder or archive that could not be read and are told one by one; the others are counted. */
const MAX_TOLD = 20;

/**
 * Gives `sink` every line of what a path leads to: a log, plain or compressed; of a folder or archive, all logs in it, each an input of
 * its own. What is read of an input that breaks off is used, and the break is a problem. Throws `Failure` if nothing could be read.
 * Returns early when the signal says so.
 */
export async function readInput(path: string, sink: LogSink, signal: AbortSignal): Promise<void> {
  await withInput(path, signal, async (input) => {
    if (input.kind === 'text') await readText(path, input.chunks, sink, signal);
    else await new PartReader(path, sink, signal).read(input.parts, input.isPiped);
  });
}

/** The same of stdin, whose lines are handed out as soon as they are complete. */
export async function readStdin(sink: LogSink, signal: AbortSignal): Promise<void> {
  const name = 'stdin';
  try {
    if (fstatSync(0).isDirectory()) throw new Failure('input', 'stdin is a folder', 'pipe logs in, or name files');
    const { content, chunks, isCompressed } = await unpack(streamChunks(process.stdin, signal), isEnoughOfStream);
    if (content === 'tar') {
      await new PartReader(name, sink, signal).read(partsOfArchive(name, chunks), true);
    } else if (isCompressed) {
      await readText(name, chunks, sink, signal);
    } else {
      await readLines(Readable.from(chunks, { objectMode: false }), name, (line) => sink.feed(line), signal);
      sink.end(name);
    }
  } catch (error) {
    throw failureOf(name, error);
  }
}

const UNUSED_MESH =
  'the manifests in an archive that is piped in are not used: name the archive as a file, or give it to --mesh';

/** Reads the logs of one folder or archive. */
class PartReader {
  readonly #container: string;
  readonly #sink: LogSink;
  readonly #signal: AbortSignal;
  /** How many parts are left out for a reason, and one of them. */
  readonly #leftOut = new Map<string, { count: number; readonly example: string }>();
  #logs = 0;
  #manifests = 0;
  #failed = 0;

  constructor(container: string, sink: LogSink, signal: AbortSignal) {
    this.#container = container;
    this.#sink = sink;
    this.#signal = signal;
  }

  /**
   * Reads all logs. What is a manifest was read beforehand, for the mesh must be known before the first line; but not of `isPiped`.
   * Throws `Failure` if no log could be read.
   */
  async read(parts: AsyncIterable<Part>, isPiped: boolean): Promise<void> {
    for await (const part of parts) {
      if (this.#signal.aborted) return;
      await this.#take(part);
    }
    this.#tellRest();
    if (isPiped && this.#manifests > 0) this.#tell(UNUSED_MESH);
    if (this.#logs === 0 && !this.#signal.aborted) throw new Failure('input', 'no log in it could be read');
  }

  async #take(part: Part): Promise<void> {
    switch (part.kind) {
      case 'log':
        await this.#readLog(part.name, part.chunks);
        break;
      case 'manifest':
        this.#manifests++;
        break;
      case 'left out':
        this.#leaveOut(part.name, part.why);
        break;
      case 'failed':
        this.#fail(part.name, part.failure);
    }
  }

  async #readLog(name: string, chunks: Chunks): Promise<void> {
    try {
      await readText(name, chunks, this.#sink, this.#signal);
      this.#logs++;
    } catch (error) {
      this.#fail(name, failureOf(name, error));
    }
  }

  #leaveOut(name: string, why: string): void {
    const known = this.#leftOut.get(why);
    if (known === undefined) this.#leftOut.set(why, { count: 1, example: name });
    else known.count++;
  }

  #fail(name: string, { message, hint }: Failure): void {
    // Whoever interrupts breaks off what is packed.
    if (this.#signal.aborted) return;
    this.#failed++;
    const advice = hint === null ? '' : ` (${hint})`;
    if (this.#failed <= MAX_TOLD) this.#sink.addProblem({ about: `input ${name}`, message: `${message}${advice}` });
  }

  #tellRest(): void {
    const more = this.#failed - MAX_TOLD;
    if (more > 0) this.#tell(`${more} more files in it could not be read`);
    const reasons = [...this.#leftOut].map(([why, { count, example }]) => `${count} × ${why} (${example})`);
    if (reasons.length > 0) this.#tell(`files in it that were not read: ${reasons.join(', ')}`);
  }

  #tell(message: string): void {
    this.#sink.addProblem({ about: `input ${this.#container}`, message });
  }
}

/** Throws `Failure` if something went wrong before the first line. */
async function readText(name: string, chunks: Chunks, sink: LogSink, signal: AbortSignal): Promise<void> {
  const cutter = new LineCutter(name, sink);
  const failure = await feed(chunks, cutter, signal).catch((error: unknown) => failureOf(name, error));
  // Whoever interrupts cuts the last line, and breaks off what is packed.
  if (!signal.aborted) {
    cutter.end();
    if (failure !== null && cutter.lines === 0) throw failure;
    if (failure !== null) sink.addProblem({ about: `input ${name}`, message: broken(failure, cutter.lines) });
  }
  sink.end(name);
}

function broken({ message }: Failure, lines: number): string {
  return `${message}; the ${lines} lines before that are used, of which the last may be cut`;
}

async function feed(chunks: Chunks, cutter: LineCutter, signal: AbortSignal): Promise<null> {
  for await (const chunk of chunks) {
    if (signal.aborted) break;
    cutter.take(chunk);
  }
  return null;
}
