import { type Readable, Transform } from 'node:stream';
import split2 from 'split2';
import type { Line } from '../model/line.ts';
import { LineCutter, MAX_LINE_BYTES } from './line-cutter.ts';

const NEWLINE = 10;

/**
 * Calls `onLine` for every line of a byte stream, in order; resolves with how it ended. A last line without a line end
 * counts; a trailing `\r` is taken off; bytes that are not UTF-8 become U+FFFD. Lines that are too long are broken or cut as by
 * `LineCutter`. Memory is bounded whatever the input.
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
    let pieces = 0;
    const marks: Marks = new Map();
    const lines = split2('\n');
    const abort = (): void => {
      stream.destroy();
      resolve('aborted');
    };
    lines.on('data', (text: string) => {
      const mark = marks.get(++pieces) ?? null;
      if (mark !== null) marks.delete(pieces);
      if (mark?.isMore !== true) number++;
      const line = text.endsWith('\r') ? text.slice(0, -1) : text;
      onLine({ at: { input, line: number }, text: ownCopy(line), truncated: mark?.truncated ?? false });
    });
    lines.on('end', () => {
      signal.removeEventListener('abort', abort);
      resolve('ended');
    });
    lines.on('error', reject);
    stream.on('error', reject);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    stream.pipe(capLines(marks).on('error', reject)).pipe(lines);
  });
}

/** split2's lines are slices that hold on to a whole chunk of input as long as a part of them lives; a copy does not. */
function ownCopy(line: string): string {
  return Buffer.from(line).toString();
}

/** What is said of lines that are no whole ones, by the number of all that go to split2. */
type Marks = Map<number, { readonly isMore: boolean; readonly truncated: boolean }>;

/** Lets through only what is shorter than the limit, line by line where it has to be: split2 is quadratic in the length of a line. */
function capLines(marks: Marks): Transform {
  const cap = new LineCap(marks);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      for (const piece of cap.take(chunk)) this.push(piece);
      done();
    },
    flush(done) {
      for (const piece of cap.end()) this.push(piece);
      done();
    },
  });
}

/** Gives the lines that run over the end of a chunk to a cutter, and lets the others pass together. */
class LineCap {
  readonly #marks: Marks;
  readonly #cutter: LineCutter;
  /** What is to go out. */
  #pieces: Buffer[] = [];
  /** Lines that went out. */
  #count = 0;
  /** Number of the line that the cutter handed out last. */
  #last = 0;

  constructor(marks: Marks) {
    this.#marks = marks;
    this.#cutter = new LineCutter('', {
      feedBytes: (_input, line, bytes, start, end) => this.#give(line, bytes.subarray(start, end), false),
      feed: ({ at, text }) => this.#give(at.line, Buffer.from(text), true),
    });
  }

  take(chunk: Buffer): readonly Buffer[] {
    const first = this.#cutter.isFresh ? 0 : chunk.indexOf(NEWLINE) + 1;
    const last = chunk.lastIndexOf(NEWLINE) + 1;
    if (last - first >= MAX_LINE_BYTES || (first === 0 && !this.#cutter.isFresh)) this.#cutter.take(chunk);
    else {
      this.#cutter.take(chunk.subarray(0, first));
      this.#pass(chunk.subarray(first, last));
      this.#cutter.take(chunk.subarray(last));
    }
    return this.#taken();
  }

  end(): readonly Buffer[] {
    this.#cutter.end();
    return this.#taken();
  }

  #taken(): readonly Buffer[] {
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  #pass(lines: Buffer): void {
    if (lines.length > 0) this.#pieces.push(lines);
    for (let end = lines.indexOf(NEWLINE); end >= 0; end = lines.indexOf(NEWLINE, end + 1)) this.#count++;
  }

  /** The cutter took one `\r` off, if there was any: with one of ours it is for certain. */
  #give(line: number, text: Buffer, truncated: boolean): void {
    this.#count++;
    const isMore = line === this.#last;
    this.#last = line;
    if (isMore || truncated) this.#marks.set(this.#count, { isMore, truncated });
    this.#pieces.push(Buffer.concat([text, LINE_END]));
  }
}

const LINE_END = Buffer.from('\r\n');
