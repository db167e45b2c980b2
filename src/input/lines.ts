import { type Readable, Transform } from 'node:stream';
import split2 from 'split2';
import type { Line } from '../model/line.ts';
import { refusalOf } from './encoding.ts';

/** Lines of this many bytes or more are cut to it: split2 is quadratic in the length of one line. */
export const MAX_LINE_BYTES: number = 1024 * 1024;

const NEWLINE = 10;

/**
 * Calls `onLine` for every line of a byte stream, in order; resolves with how it ended. A last line without a line end
 * counts; a trailing `\r` is taken off; bytes that are not UTF-8 become U+FFFD. Memory is bounded whatever the input.
 * `aborted`: the signal stopped it and what was read until then has been handed out. Rejects with `Failure` for compressed
 * input.
 */
export function readLines(
  stream: Readable,
  input: string,
  onLine: (line: Line) => void,
  signal: AbortSignal,
): Promise<'ended' | 'aborted'> {
  return new Promise((resolve, reject) => {
    let number = 0;
    const lines = split2('\n');
    const abort = (): void => {
      stream.destroy();
      resolve('aborted');
    };
    lines.on('data', (text: string) => {
      number++;
      const line = text.endsWith('\r') ? text.slice(0, -1) : text;
      onLine({ at: { input, line: number }, text: ownCopy(line), truncated: isCut(text) });
    });
    lines.on('end', () => {
      signal.removeEventListener('abort', abort);
      resolve('ended');
    });
    lines.on('error', reject);
    stream.on('error', reject);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    stream.pipe(capLines(input).on('error', reject)).pipe(lines);
  });
}

/** split2's lines are slices that hold on to a whole chunk of input as long as a part of them lives; a copy does not. */
function ownCopy(line: string): string {
  return Buffer.from(line).toString();
}

function isCut(text: string): boolean {
  return text.length >= MAX_LINE_BYTES / 4 && Buffer.byteLength(text) >= MAX_LINE_BYTES;
}

/** Cuts every line to MAX_LINE_BYTES. Whole chunks pass through untouched as long as no line can be that long. */
function capLines(input: string): Transform {
  let isFirst = true;
  /** Bytes of the line that is open at the end of the last chunk. */
  let open = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (isFirst) {
        const refusal = refusalOf(input, chunk);
        if (refusal !== null) return done(refusal);
        isFirst = false;
      }
      if (open + chunk.length < MAX_LINE_BYTES) {
        const last = chunk.lastIndexOf(NEWLINE);
        open = last < 0 ? open + chunk.length : chunk.length - last - 1;
        this.push(chunk);
      } else {
        open = cutLines(chunk, open, (piece) => this.push(piece));
      }
      done();
    },
  });
}

/** Hands out the chunk without what is beyond the limit of its lines; returns the length of the line left open. */
function cutLines(chunk: Buffer, openBefore: number, push: (piece: Buffer) => void): number {
  let open = openBefore;
  for (let start = 0; start < chunk.length; ) {
    const end = chunk.indexOf(NEWLINE, start);
    const stop = end < 0 ? chunk.length : end;
    push(chunk.subarray(start, Math.min(stop, start + Math.max(0, MAX_LINE_BYTES - open))));
    if (end < 0) return open + (stop - start);
    push(LINE_END);
    open = 0;
    start = stop + 1;
  }
  return open;
}

const LINE_END = Buffer.from('\n');
