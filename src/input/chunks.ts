import { createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { Failure } from '../model/failure.ts';

/** Bytes in order. A chunk is valid until the next one is asked for. */
export type Chunks = AsyncIterable<Buffer>;

/** How much of a file is read first, for it may be all that is wanted; how much then; and after how much timers and signals get their turn. */
const FIRST_BYTES = 16 * 1024;
const CHUNK_BYTES = 1024 * 1024;
const YIELD_BYTES = 16 * CHUNK_BYTES;

const EMPTY = Buffer.alloc(0);

/** Opens a file (or pipe with a name). Throws what the system says. The caller closes `file`. */
export function openFile(path: string, signal: AbortSignal): { readonly file: number; readonly chunks: Chunks } {
  const file = openSync(path, 'r');
  const status = fstatSync(file);
  const chunks = status.isFile()
    ? fileChunks(file, status.size)
    : streamChunks(createReadStream(path, { fd: file, autoClose: false }), signal);
  return { file, chunks };
}

/**
 * The bytes of an open regular file, from where it stands to its end. `size` is what it had when it was opened: throws `Failure`
 * if less came, for then somebody cut it off meanwhile. Does not close the file. Memory: one chunk, used again and again.
 */
async function* fileChunks(file: number, size: number): AsyncGenerator<Buffer, void, undefined> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let total = 0;
  for (;;) {
    const count = readSync(file, buffer, 0, total === 0 ? FIRST_BYTES : CHUNK_BYTES, null);
    if (count === 0) break;
    const before = total;
    total += count;
    yield buffer.subarray(0, count);
    if (Math.floor(before / YIELD_BYTES) < Math.floor(total / YIELD_BYTES)) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  if (total < size) {
    throw new Failure('input', `it became shorter while it was read: ${total} of ${size} bytes were still there`);
  }
}

/** The bytes of a stream. They end when the signal comes, even while a read is waited for: of a pipe that may take for ever. */
export async function* streamChunks(stream: Readable, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  const chunks: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]();
  for (;;) {
    const next = await orAborted(chunks.next(), signal);
    if (next === null || next.done === true) return;
    yield next.value;
  }
}

/** Null: the signal came first. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(null);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** The first bytes of an input, and all of it, these bytes included. */
export interface Peeked {
  readonly head: Buffer;
  readonly chunks: Chunks;
  /** What `chunks` will throw behind the head; null: nothing went wrong so far. */
  readonly failure: unknown;
}

/**
 * Reads ahead until `isEnough` says so, or the input ends; answers at most `size` of what was read. What goes wrong meanwhile is thrown later, by `chunks`, behind the
 * bytes that came before it.
 */
export async function peek(source: Chunks, size: number, isEnough: (head: Buffer) => boolean): Promise<Peeked> {
  const rest = source[Symbol.asyncIterator]();
  let read: Buffer = EMPTY;
  try {
    while (!isEnough(read)) {
      const next = await rest.next();
      if (next.done === true) break;
      read = Buffer.concat([read, next.value]);
    }
  } catch (error) {
    return { head: read.subarray(0, size), chunks: failingAfter(read, error), failure: error };
  }
  return { head: read.subarray(0, size), chunks: replay(read, rest), failure: null };
}

async function* replay(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  if (head.length > 0) yield head;
  yield* { [Symbol.asyncIterator]: () => rest };
}

async function* failingAfter(head: Buffer, error: unknown): AsyncGenerator<Buffer, void, undefined> {
  if (head.length > 0) yield head;
  throw error;
}
