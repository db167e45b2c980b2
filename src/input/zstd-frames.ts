import { Failure } from '../model/failure.ts';

/** A larger window is refused: the decompressor here cannot look back further. `zstd` makes one with `--long` or above level 20. */
const MAX_WINDOW_BYTES = 32 * 1024 * 1024;
/**
 * The decompressor moves a whole window for every block, however small: many tiny blocks would keep it busy for hours. Granted are so
 * many bytes, and so many for every compressed one; a log's blocks need a tenth of that.
 */
const GRANTED_MOVES = 32 * 1024 * 1024 * 1024;
const MOVES_PER_BYTE = 32 * 1024;

const FRAME = 0xfd2fb528;

/** Bytes wanted next, to look at or to pass over. */
interface Wish {
  readonly kind: 'take' | 'pass';
  readonly bytes: number;
}

/**
 * Follows the frames and blocks of zstd (RFC 8878 section 3.1.1) without unpacking them, and sees what memory and work they ask for:
 * a few bytes may ask for all there is.
 */
export class ZstdFrames {
  #taken: Buffer = Buffer.alloc(0);
  #position = 0;
  #frameStart = 0;
  #moved = 0;
  readonly #walk: Generator<Wish, never, Buffer> = this.#frames();
  #wish: Wish = this.#walk.next().value;

  /** Takes the next compressed bytes. Answers why they must not be unpacked, and how many of them may be all the same; null: all may. */
  push(piece: Buffer): { readonly failure: Failure; readonly sound: number } | null {
    const start = this.#position;
    try {
      this.#follow(piece);
      return null;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return { failure: error, sound: Math.max(0, this.#frameStart - start) };
    }
  }

  #follow(piece: Buffer): void {
    for (let rest = piece; rest.length > 0; ) {
      const part = rest.subarray(0, this.#wish.bytes - (this.#wish.kind === 'take' ? this.#taken.length : 0));
      rest = rest.subarray(part.length);
      this.#position += part.length;
      this.#advance(part);
    }
  }

  #advance(part: Buffer): void {
    if (this.#wish.kind === 'pass') {
      this.#wish = { kind: 'pass', bytes: this.#wish.bytes - part.length };
      if (this.#wish.bytes === 0) this.#wish = this.#next(part);
      return;
    }
    this.#taken = Buffer.concat([this.#taken, part]);
    if (this.#taken.length < this.#wish.bytes) return;
    const taken = this.#taken;
    this.#taken = Buffer.alloc(0);
    this.#wish = this.#next(taken);
  }

  /** The next wish for some bytes. */
  #next(bytes: Buffer): Wish {
    let wish = this.#walk.next(bytes).value;
    while (wish.bytes === 0) wish = this.#walk.next(Buffer.alloc(0)).value;
    return wish;
  }

  *#frames(): Generator<Wish, never, Buffer> {
    for (;;) {
      this.#frameStart = this.#position;
      const magic = (yield { kind: 'take', bytes: 4 }).readUInt32LE();
      if (isSkippable(magic)) {
        const size = yield { kind: 'take', bytes: 4 };
        yield { kind: 'pass', bytes: size.readUInt32LE() };
      } else if (magic === FRAME) {
        yield* this.#frame();
      } else {
        throw new Failure('input', `what follows byte ${this.#frameStart} is no zstd data`);
      }
    }
  }

  *#frame(): Generator<Wish, void, Buffer> {
    const [descriptor = 0] = yield { kind: 'take', bytes: 1 };
    const window = windowOf(descriptor, yield { kind: 'take', bytes: headerBytes(descriptor) });
    if (window > MAX_WINDOW_BYTES) {
      const wanted = `the zstd data before byte ${this.#position} needs a window of ${window} bytes`;
      throw new Failure('input', wanted, 'zstdcat --long=31 FILE | meshmend');
    }
    for (let isLast = false; !isLast; ) {
      const header = (yield { kind: 'take', bytes: 3 }).readUIntLE(0, 3);
      isLast = (header & 1) === 1;
      const isRepeated = ((header >> 1) & 3) === 1;
      this.#count(window);
      yield { kind: 'pass', bytes: isRepeated ? 1 : header >> 3 };
    }
    const hasChecksum = (descriptor & 4) !== 0;
    yield { kind: 'pass', bytes: hasChecksum ? 4 : 0 };
  }

  #count(window: number): void {
    this.#moved += window;
    if (this.#moved <= GRANTED_MOVES + this.#position * MOVES_PER_BYTE) return;
    throw new Failure('input', `it is given up as a bomb: too many blocks in ${this.#position} bytes of zstd`);
  }
}

/** A frame to be passed over: pzstd and others write them. */
export function isSkippable(magic: number): boolean {
  return (magic & 0xfffffff0) >>> 0 === 0x184d2a50;
}

function isSingleSegment(descriptor: number): boolean {
  return (descriptor & 0x20) !== 0;
}

/** The length of a frame's header behind its descriptor. */
function headerBytes(descriptor: number): number {
  return (isSingleSegment(descriptor) ? 0 : 1) + dictionaryBytes(descriptor) + sizeBytes(descriptor);
}

function dictionaryBytes(descriptor: number): number {
  return [0, 1, 2, 4][descriptor & 3] ?? 0;
}

function sizeBytes(descriptor: number): number {
  const flag = descriptor >> 6;
  return flag === 0 && !isSingleSegment(descriptor) ? 0 : 2 ** flag;
}

/** How far back a frame looks: as its header says, or all of it where it is one segment. */
function windowOf(descriptor: number, header: Buffer): number {
  if (!isSingleSegment(descriptor)) {
    const [code = 0] = header;
    const base = 2 ** (10 + (code >> 3));
    return base + (base / 8) * (code & 7);
  }
  const size = header.subarray(dictionaryBytes(descriptor));
  const value = size.reduceRight((sum, byte) => sum * 256 + byte, 0);
  return size.length === 2 ? value + 256 : value;
}
