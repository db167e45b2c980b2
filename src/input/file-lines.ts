import { readSync } from 'node:fs';
import type { Line } from '../model/line.ts';
import { MAX_LINE_BYTES } from './lines.ts';

/** How much of a file is read at once, and after how much timers and signals get their turn. */
const CHUNK_BYTES = 1024 * 1024;
const YIELD_BYTES = 16 * CHUNK_BYTES;

const NEWLINE = 10;
const CARRIAGE_RETURN = 13;

/** Where the lines of a file go. */
export interface LineSink {
  /** A line, by its number from 1, as it stands in `bytes`, without its line end. The bytes are overwritten afterwards. */
  feedBytes(input: string, line: number, bytes: Buffer, start: number, end: number): void;
  /** A line that is longer than the limit: its head. */
  feed(line: Line): void;
}

/**
 * The same as `readLines` for an open regular file, without the detour over streams: several times faster, same lines.
 * Reads from where the file stands to its end; does not close it. Memory: two chunks.
 */
export async function readFileLines(
  file: number,
  input: string,
  sink: LineSink,
  signal: AbortSignal,
): Promise<'ended' | 'aborted'> {
  const cutter = new LineCutter(input, sink);
  let sinceYield = 0;
  for (;;) {
    if (signal.aborted) return 'aborted';
    const count = cutter.fill(file);
    if (count === 0) {
      cutter.end();
      return 'ended';
    }
    sinceYield += count;
    if (sinceYield >= YIELD_BYTES) {
      sinceYield = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** Cuts what is read into lines. The buffer always has room for a chunk behind an open line that is not overlong. */
class LineCutter {
  readonly #input: string;
  readonly #sink: LineSink;
  readonly #buffer = Buffer.allocUnsafe(CHUNK_BYTES + MAX_LINE_BYTES);
  /** Bytes of the open line, at the start of the buffer. */
  #open = 0;
  /** The open line is longer than the limit and was handed out: the rest of it is passed over. */
  #passing = false;
  #number = 0;

  constructor(input: string, sink: LineSink) {
    this.#input = input;
    this.#sink = sink;
  }

  /** Reads one chunk and hands out the lines that end in it. Answers the bytes read; 0: end of file. */
  fill(file: number): number {
    const count = readSync(file, this.#buffer, this.#open, CHUNK_BYTES, null);
    const filled = this.#open + count;
    let start = 0;
    for (let end = this.#newline(this.#open, filled); end >= 0; end = this.#newline(start, filled)) {
      if (this.#passing) this.#passing = false;
      else this.#emit(start, end);
      start = end + 1;
    }
    this.#keep(start, filled);
    return count;
  }

  /** The file ended: an open line is the last one. */
  end(): void {
    if (this.#open > 0) this.#emit(0, this.#open);
  }

  #keep(start: number, filled: number): void {
    if (!this.#passing && filled - start >= MAX_LINE_BYTES) {
      this.#emit(start, filled);
      this.#passing = true;
    }
    this.#open = this.#passing ? 0 : filled - start;
    this.#buffer.copyWithin(0, start, start + this.#open);
  }

  #newline(from: number, filled: number): number {
    const end = this.#buffer.indexOf(NEWLINE, from);
    return end < filled ? end : -1;
  }

  #emit(start: number, end: number): void {
    this.#number++;
    const bare = end > start && this.#buffer[end - 1] === CARRIAGE_RETURN ? end - 1 : end;
    if (end - start < MAX_LINE_BYTES) this.#sink.feedBytes(this.#input, this.#number, this.#buffer, start, bare);
    else
      this.#sink.feed({
        at: { input: this.#input, line: this.#number },
        text: this.#buffer.toString('utf8', start, start + MAX_LINE_BYTES),
        truncated: true,
      });
  }
}
