import { type Readable, Transform } from 'node:stream';
import split2 from 'split2';
import type { Line } from '../model/line.ts';

/** Lines of this many bytes or more are cut to it: split2 is quadratic in the length of one line. */
export const MAX_LINE_BYTES: number = 1024 * 1024;

const NEWLINE = 10;

/**
 * Calls `onLine` for every line of a byte stream, in order; resolves with how it ended. A last line without a line end
 * counts; a trailing `\r` is taken off; bytes that are not UTF-8 become U+FFFD. Memory is bounded whatever the input.
 * `aborted`: the signal stopped it and what was read until then has been handed out.
 */
export function readLines(
  stream: Readable,
  input: string,
  onLine: (line: Line) => void,
  signal: AbortSignal,
): Promise<'ended' | 'aborted'> {
  return new Promise((resolve, reject) => {
    let number = 0;
    const cut = new Set<number>();
    const lines = split2('\n');
    const abort = (): void => {
      stream.destroy();
      resolve('aborted');
    };
    lines.on('data', (text: string) => {
      number++;
      const line = text.endsWith('\r') ? text.slice(0, -1) : text;
      onLine({ at: { input, line: number }, text: ownCopy(line), truncated: cut.delete(number) });
    });
    lines.on('end', () => {
      signal.removeEventListener('abort', abort);
      resolve('ended');
    });
    lines.on('error', reject);
    stream.on('error', reject);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    stream.pipe(capLines(cut).on('error', reject)).pipe(lines);
  });
}

/** split2's lines are slices that hold on to a whole chunk of input as long as a part of them lives; a copy does not. */
function ownCopy(line: string): string {
  return Buffer.from(line).toString();
}

/**
 * Cuts every line to MAX_LINE_BYTES and puts the numbers of those that were cut into `cut`. Whole chunks pass through
 * untouched as long as no line can be that long.
 */
function capLines(cut: Set<number>): Transform {
  const cutter = new Cutter(cut);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      cutter.take(chunk, (piece) => this.push(piece));
      done();
    },
  });
}

/** Counts lines and leaves out what is beyond the limit of each. */
class Cutter {
  readonly #cut: Set<number>;
  /** Number and bytes so far of the line that is open. */
  #number = 1;
  #open = 0;

  constructor(cut: Set<number>) {
    this.#cut = cut;
  }

  take(chunk: Buffer, push: (piece: Buffer) => void): void {
    const passes = this.#open + chunk.length < MAX_LINE_BYTES;
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      if (!passes) {
        this.#piece(chunk, start, end, push);
        push(LINE_END);
      }
      this.#number++;
      this.#open = 0;
      start = end + 1;
    }
    if (!passes) this.#piece(chunk, start, chunk.length, push);
    else push(chunk);
    this.#open += chunk.length - start;
  }

  #piece(chunk: Buffer, start: number, end: number, push: (piece: Buffer) => void): void {
    const room = Math.max(0, MAX_LINE_BYTES - this.#open);
    if (this.#open + (end - start) >= MAX_LINE_BYTES) this.#cut.add(this.#number);
    push(chunk.subarray(start, Math.min(end, start + room)));
  }
}

const LINE_END = Buffer.from('\n');
