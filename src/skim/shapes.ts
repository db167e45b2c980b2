import type { Parser, Skimmed } from '../model/record.ts';
import type { Stamp } from '../text/stamp.ts';
import type { KnownLine } from '../traffic/recognize.ts';
import type { Around } from './frames.ts';
import { isEqual, viewOf } from './words.ts';

/** Shapes kept, and bytes of all of them. */
const MAX_SHAPES = 32_768;
const MAX_BYTES = 16 * 1024 * 1024;
const FIRST_BYTES = 64 * 1024;

/** A shape of lines: the parser that reads them, the flow they belong to, and the wrappings that all of them have. */
export interface Shape extends KnownLine {
  /** What is around its lines; null: nothing. */
  readonly around: Around | null;
  /** Where its pieces stand in the store, one behind the other, and how long each is. */
  readonly start: number;
  readonly lengths: readonly number[];
  /** A line of this time was parsed: one that is later changes nothing but counts. See `stampAt`. */
  floor: Stamp;
  /** The latest time of a line. */
  last: Stamp;
}

/** Shapes by their bytes. Bounded memory; of two with one hash the later one is kept. */
export class ShapeStore {
  readonly #shapes = new Map<number, Shape>();
  #store = Buffer.alloc(FIRST_BYTES);
  #stored = viewOf(this.#store);
  /** Bytes of the store that are taken. */
  #used = 0;
  /** The buffer in which the last line stood. */
  #buffer: Buffer | null = null;
  #line = this.#stored;
  /** Hash of the last line. */
  #hash = 0;

  /** The shape of the line that `skimmed` tells of, and in which `around` is around it; null: it is not known. */
  find(bytes: Buffer, skimmed: Skimmed, parser: Parser, around: Around | null): Shape | null {
    if (this.#buffer !== bytes) {
      this.#buffer = bytes;
      this.#line = viewOf(bytes);
    }
    this.#hash = hashOf(this.#line, skimmed, around?.seed ?? 0);
    const shape = this.#shapes.get(this.#hash);
    if (shape === undefined || shape.parser !== parser || shape.around !== around) return null;
    return this.#equals(shape, skimmed) ? shape : null;
  }

  /** Keeps the shape of the line that was looked for last. Answers the shape that gave way to it, null: none. */
  add(
    bytes: Buffer,
    { spans, pieces }: Skimmed,
    { parser, flow, wrapped }: KnownLine,
    around: Around | null,
    time: Stamp,
  ): Shape | null {
    const start = this.#used;
    const lengths: number[] = [];
    for (let piece = 0; piece < pieces; piece++) {
      lengths.push(this.#append(bytes.subarray(spans[2 * piece], spans[2 * piece + 1])));
    }
    const gone = this.#shapes.get(this.#hash) ?? null;
    this.#shapes.set(this.#hash, { parser, flow, wrapped, around, start, lengths, floor: time, last: time });
    return gone;
  }

  /** Whether there is no room for one more. */
  get isFull(): boolean {
    return this.#shapes.size >= MAX_SHAPES || this.#used >= MAX_BYTES;
  }

  /** Forgets all shapes, and answers them. */
  clear(): readonly Shape[] {
    const shapes = [...this.#shapes.values()];
    this.#shapes.clear();
    this.#used = 0;
    return shapes;
  }

  #append(piece: Buffer): number {
    while (this.#used + piece.length > this.#store.length) {
      this.#store = Buffer.concat([this.#store], 2 * this.#store.length);
      this.#stored = viewOf(this.#store);
    }
    this.#store.set(piece, this.#used);
    this.#used += piece.length;
    return piece.length;
  }

  #equals({ start, lengths }: Shape, { spans, pieces }: Skimmed): boolean {
    if (pieces !== lengths.length) return false;
    let at = start;
    for (let piece = 0; piece < pieces; piece++) {
      const from = spans[2 * piece] as number;
      const length = (spans[2 * piece + 1] as number) - from;
      if (length !== lengths[piece] || !isEqual(this.#stored, at, this.#line, from, length)) return false;
      at += length;
    }
    return true;
  }
}

/** Reads four bytes a step, as does `isEqual`. */
function hashOf(line: DataView, { spans, pieces }: Skimmed, seed: number): number {
  let hash = seed ^ pieces;
  for (let piece = 0; piece < pieces; piece++) {
    const end = spans[2 * piece + 1] as number;
    let at = spans[2 * piece] as number;
    for (; at + 4 <= end; at += 4) hash = mix(hash, line.getInt32(at, true));
    for (; at < end; at++) hash = mix(hash, line.getUint8(at));
  }
  return hash;
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}
