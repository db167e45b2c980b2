import { constants, createGunzip, type Gunzip, gunzipSync } from 'node:zlib';
import { Decompress, ZstdErrorCode } from 'fzstd';
import { Failure } from '../model/failure.ts';
import type { Chunks } from './chunks.ts';
import { Inflation, MAX_RATIO } from './inflation.ts';
import { ZstdFrames } from './zstd-frames.ts';

/** So many compressed bytes are unpacked at once. */
const PIECE_BYTES = 32 * 1024;

/** Of a piece with a fault, zlib gives nothing. As long as no more than this was read before it, the fault is found and nothing is lost. */
const SALVAGED_BYTES = 1024 * 1024;

/** Output of one piece comes in few parts, so that the thread that decompresses need not wait for the one that reads lines. */
const OUTPUT_BYTES = 512 * 1024;

/**
 * What gzip packed, any number of members (RFC 1952). Throws `Failure`, behind all that came before it, when it is cut off or damaged
 * or grows beyond all measure.
 */
export async function* gunzip(source: Chunks): AsyncGenerator<Buffer, void, undefined> {
  const engine = new GzipEngine();
  let ready: readonly Buffer[] = [];
  for await (const piece of piecesOf(source)) {
    // While zlib's own thread works at this piece, what came of the one before is read.
    const working = engine.push(piece);
    yield* ready;
    const failure = await working;
    ready = engine.takeOutput();
    if (failure !== null) {
      yield* ready;
      throw failure;
    }
    if (engine.ended) break;
  }
  yield* ready;
  const failure = engine.ended ? null : await engine.end();
  yield* engine.takeOutput();
  if (failure !== null) throw failure;
}

/** zlib's stream, one piece at a time. No promise of it rejects. */
class GzipEngine {
  readonly #engine: Gunzip = createGunzip({ chunkSize: OUTPUT_BYTES });
  readonly #inflation = new Inflation();
  #output: Buffer[] = [];
  #piece: Buffer = Buffer.alloc(0);
  #pushed = 0;
  #given = 0;
  /** What was pushed so far; null: more than can be kept. */
  #kept: Buffer[] | null = [];
  /** Called when zlib ends the stream on its own. */
  #settle: (failure: Failure | null) => void = () => undefined;
  #failure: Failure | null = null;
  /** NULs followed the last member: padding of a tape or a disk. */
  ended = false;

  constructor() {
    this.#engine.on('data', (chunk: Buffer) => {
      this.#output.push(chunk);
      this.#given += chunk.length;
      this.#failure ??= this.#inflation.gave(chunk.length);
    });
    this.#engine.on('error', (error: NodeJS.ErrnoException) => this.#settle(this.#failureOf(error)));
    this.#engine.on('end', () => {
      this.ended = true;
      this.#settle(this.#trailing());
    });
  }

  /** Decompresses a piece. The bytes must stay as they are until then. */
  push(piece: Buffer): Promise<Failure | null> {
    this.#piece = piece;
    this.#pushed += piece.length;
    this.#kept?.push(Buffer.from(piece));
    if (this.#pushed > SALVAGED_BYTES) this.#kept = null;
    this.#inflation.took(piece.length);
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#engine.write(piece, (error) => {
        if (error == null) resolve(this.#failure);
      });
    });
  }

  end(): Promise<Failure | null> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#engine.end();
    });
  }

  takeOutput(): readonly Buffer[] {
    const output = this.#output;
    this.#output = [];
    return output;
  }

  #failureOf(error: NodeJS.ErrnoException): Failure {
    if (error.code === 'Z_BUF_ERROR') {
      return new Failure('input', `the gzip data is cut off after byte ${this.#pushed}`, null, error);
    }
    return new Failure('input', `the gzip data is damaged before byte ${this.#salvage()}`, null, error);
  }

  /** Puts out what the last piece holds before its fault. Answers where that is, as closely as it is known. */
  #salvage(): number {
    if (this.#kept === null) return this.#pushed;
    const bytes = Buffer.concat(this.#kept);
    let [sound, faulty] = [this.#pushed - this.#piece.length, this.#pushed];
    while (faulty - sound > 1) {
      const middle = Math.floor((sound + faulty) / 2);
      if (unpackedStart(bytes.subarray(0, middle)) === null) faulty = middle;
      else sound = middle;
    }
    const unpacked = unpackedStart(bytes.subarray(0, sound));
    if (unpacked !== null) this.#output.push(unpacked.subarray(this.#given));
    return faulty;
  }

  /** zlib takes what follows the last member, and begins like none, for the end. */
  #trailing(): Failure | null {
    const unused = this.#pushed - this.#engine.bytesWritten;
    if (this.#piece.subarray(this.#piece.length - unused).every((byte) => byte === 0)) return null;
    return new Failure('input', `what follows byte ${this.#engine.bytesWritten} is no gzip data`);
  }
}

/** What the beginning of something packed by gzip holds; null: there is a fault in it, or it is a bomb. */
function unpackedStart(bytes: Buffer): Buffer | null {
  try {
    return gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: MAX_RATIO * SALVAGED_BYTES });
  } catch {
    return null;
  }
}

/** The same for zstd (RFC 8878). Its checksums are not looked at. */
export async function* unzstd(source: Chunks): AsyncGenerator<Buffer, void, undefined> {
  const inflation = new Inflation();
  const frames = new ZstdFrames();
  let output: Buffer[] = [];
  let pushed = 0;
  const engine = new Decompress((chunk) => {
    output.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    const failure = inflation.gave(chunk.byteLength);
    if (failure !== null) throw failure;
  });
  const push = (piece: Buffer, isLast: boolean): Failure | null => {
    try {
      pushed += piece.length;
      inflation.took(piece.length);
      const refused = frames.push(piece);
      // The decompressor holds on to what it cannot use yet.
      engine.push(Buffer.from(piece.subarray(0, refused?.sound)), isLast);
      return refused?.failure ?? null;
    } catch (error) {
      return error instanceof Failure ? error : zstdFailure(error, pushed);
    }
  };
  for await (const piece of piecesOf(source)) {
    const failure = push(piece, false);
    yield* output;
    output = [];
    if (failure !== null) throw failure;
  }
  const failure = push(Buffer.alloc(0), true);
  yield* output;
  if (failure !== null) throw failure;
}

function zstdFailure(error: unknown, pushed: number): Failure {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  const what = code === ZstdErrorCode.UnexpectedEOF ? 'cut off after' : 'damaged before';
  return new Failure('input', `the zstd data is ${what} byte ${pushed}`, null, error);
}

async function* piecesOf(source: Chunks): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of source) {
    for (let start = 0; start < chunk.length; start += PIECE_BYTES) yield chunk.subarray(start, start + PIECE_BYTES);
  }
}
