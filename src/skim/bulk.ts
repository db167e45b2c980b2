import type { Parser, Skimmed } from '../model/record.ts';
import type { Flow, Traffic } from '../model/traffic.ts';
import { parseInstant } from '../text/time.ts';
import type { KnownLine } from '../traffic/recognize.ts';

/** Shapes remembered; when there are more, all are forgotten and learnt again. About 1 KiB each. */
const MAX_SHAPES = 20_000;
/** Shapes with one hash; the oldest is forgotten. */
const MAX_BUCKET = 8;
/** Pieces that a shape may have. */
const MAX_PIECES = 16;

/** A shape that was parsed once: its bytes, and the flow of its records. */
interface Shape {
  readonly parser: Parser;
  readonly flow: Flow;
  readonly bytes: Buffer;
  /** Ends of the pieces in `bytes`. */
  readonly ends: readonly number[];
  /** The latest time seen, as printed. */
  readonly last: Buffer;
}

/**
 * The memory of the bulk road: most lines of a log have a shape that was parsed before, and need only be counted. Without
 * it everything comes out the same, later; a test says so.
 */
export class BulkCounter {
  readonly #traffic: Traffic;
  readonly #parsers: readonly Parser[];
  readonly #buckets = new Map<number, Shape[]>();
  readonly #skimmed: Skimmed = {
    spans: new Int32Array(2 * MAX_PIECES),
    pieces: 0,
    timeStart: 0,
    timeEnd: 0,
    bytesSent: 0,
    bytesReceived: 0,
    durationMs: 0,
  };
  #size = 0;
  /** `overflow.records` when the memory was empty: a flow that was dropped must not be counted up. */
  #overflow = 0;
  /** The parser that skimmed the last line; the next one is likely its too. */
  #parser: Parser | null = null;

  constructor(traffic: Traffic, parsers: readonly Parser[]) {
    this.#traffic = traffic;
    this.#parsers = parsers.filter((parser) => parser.skim !== undefined);
  }

  /** Counts the line from `start` to `end` if its shape is known; answers its parser. Null: it must be parsed. */
  count(bytes: Buffer, start: number, end: number): Parser | null {
    if (!this.#skim(bytes, start, end)) return null;
    if (this.#traffic.overflow.records !== this.#overflow) this.forget();
    const shape = this.#find(bytes);
    return shape !== null && this.#add(shape, bytes) ? shape.parser : null;
  }

  /** Remembers the shape of the line that `count` refused last, now that it was parsed. */
  learn(bytes: Buffer, known: KnownLine): void {
    if (known.parser !== this.#parser) return;
    if (this.#size >= MAX_SHAPES) this.forget();
    const { spans, pieces, timeStart, timeEnd } = this.#skimmed;
    const parts: Buffer[] = [];
    const ends: number[] = [];
    let length = 0;
    for (let piece = 0; piece < pieces; piece++) {
      const part = bytes.subarray(spans[2 * piece], spans[2 * piece + 1]);
      length += part.length;
      parts.push(part);
      ends.push(length);
    }
    const bucket = this.#buckets.get(this.#hash(bytes)) ?? [];
    if (bucket.length >= MAX_BUCKET) settle(bucket.shift());
    else this.#size++;
    const last = Buffer.from(bytes.subarray(timeStart, timeEnd));
    bucket.push({ ...known, bytes: Buffer.concat(parts), ends, last });
    this.#buckets.set(this.#hash(bytes), bucket);
  }

  /** Writes what is held back into the flows, and forgets all shapes. To be called at the end. */
  forget(): void {
    for (const bucket of this.#buckets.values()) for (const shape of bucket) settle(shape);
    this.#buckets.clear();
    this.#size = 0;
    this.#overflow = this.#traffic.overflow.records;
  }

  #skim(bytes: Buffer, start: number, end: number): boolean {
    if (this.#parser?.skim?.(bytes, start, end, this.#skimmed)) return true;
    for (const parser of this.#parsers) {
      if (parser === this.#parser || !parser.skim?.(bytes, start, end, this.#skimmed)) continue;
      this.#parser = parser;
      return true;
    }
    this.#parser = null;
    return false;
  }

  #find(bytes: Buffer): Shape | null {
    const bucket = this.#buckets.get(this.#hash(bytes));
    if (bucket === undefined) return null;
    for (const shape of bucket) if (shape.parser === this.#parser && this.#equals(shape, bytes)) return shape;
    return null;
  }

  /** Every fourth byte is enough to tell most shapes apart; equality is checked on all. */
  #hash(bytes: Buffer): number {
    const { spans, pieces } = this.#skimmed;
    let value = pieces;
    for (let piece = 0; piece < pieces; piece++) {
      const end = spans[2 * piece + 1] as number;
      for (let index = spans[2 * piece] as number; index < end; index += 4) {
        value = (Math.imul(value, 31) + (bytes[index] as number)) | 0;
      }
    }
    return value;
  }

  #equals(shape: Shape, bytes: Buffer): boolean {
    const { spans, pieces } = this.#skimmed;
    if (pieces !== shape.ends.length) return false;
    let from = 0;
    for (let piece = 0; piece < pieces; piece++) {
      const to = shape.ends[piece] as number;
      const start = spans[2 * piece] as number;
      const end = spans[2 * piece + 1] as number;
      if (end - start !== to - from || shape.bytes.compare(bytes, start, end, from, to) !== 0) return false;
      from = to;
    }
    return true;
  }

  /**
   * Counts a line of the shape. False, and nothing is counted: it is not later than the last one, so it may be one to
   * keep, or its flow keeps evidence still.
   */
  #add(shape: Shape, bytes: Buffer): boolean {
    const { flow, last } = shape;
    const { timeStart, timeEnd } = this.#skimmed;
    if (flow.samples.length > 0 || timeEnd - timeStart !== last.length) return false;
    if (!isLater(bytes, timeStart, last)) return false;
    for (let index = 0; index < last.length; index++) last[index] = bytes[timeStart + index] as number;
    flow.count++;
    flow.bytesSent = (flow.bytesSent ?? 0) + this.#skimmed.bytesSent;
    flow.bytesReceived = (flow.bytesReceived ?? 0) + this.#skimmed.bytesReceived;
    flow.maxDurationMs = Math.max(flow.maxDurationMs ?? 0, this.#skimmed.durationMs);
    return true;
  }
}

/** Whether the time that stands in `bytes` at `start` is later than `last`, which has as many digits. */
function isLater(bytes: Buffer, start: number, last: Buffer): boolean {
  for (let index = 0; index < last.length; index++) {
    const difference = (bytes[start + index] as number) - (last[index] as number);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

/** The latest time of a shape goes into its flow. */
function settle(shape: Shape | undefined): void {
  if (shape === undefined) return;
  const time = parseInstant(shape.last.toString('latin1'));
  const { flow } = shape;
  if (time !== null && (flow.lastSeen === null || time > flow.lastSeen)) flow.lastSeen = time;
}
