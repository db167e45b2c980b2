import type { Parser, Skimmed } from '../model/record.ts';
import type { Flow, Traffic } from '../model/traffic.ts';
import { instantOfStamp, type Stamp, stampAt } from '../text/stamp.ts';
import type { Recipe } from '../traffic/detect.ts';
import { isSame } from '../traffic/peeled.ts';
import type { KnownLine } from '../traffic/recognize.ts';
import { MAX_SAMPLES } from '../traffic/traffic.ts';
import { type Around, FrameStore } from './frames.ts';
import { type Shape, ShapeStore } from './shapes.ts';

/** Pieces that a shape may have. */
const MAX_PIECES = 20;

const NO_BYTES = Buffer.alloc(0);

/**
 * The bulk road: most lines of a log have a shape that was parsed before, and need only be counted. Without it everything
 * comes out the same, later; a test says so.
 */
export class BulkCounter {
  readonly #traffic: Traffic;
  readonly #parsers: readonly Parser[];
  readonly #shapes = new ShapeStore();
  readonly #frames = new FrameStore();
  /** `overflow.records` when the memory was empty: a flow that was dropped must not be counted up. */
  #overflow = 0;
  readonly #skimmed: Skimmed = {
    spans: new Int32Array(2 * MAX_PIECES),
    pieces: 0,
    timeStart: 0,
    timeEnd: 0,
    bytesSent: 0,
    bytesReceived: 0,
    durationMs: 0,
  };
  /** What is known of the last line. The parser that skimmed it is likely the next line's too; null: none did. */
  #parser: Parser | null = null;
  /** What is around its payload, and the bytes in which that stands. Null: nothing that is known. */
  #around: Around | null = null;
  #bytes: Buffer = NO_BYTES;
  #time: Stamp = Number.NaN;
  #shape: Shape | null = null;

  constructor(traffic: Traffic, parsers: readonly Parser[]) {
    this.#traffic = traffic;
    this.#parsers = parsers.filter((parser) => parser.skim !== undefined);
  }

  /**
   * Counts the line from `start` to `end` if its shape is known; answers what is known of it. Null: it must be parsed.
   * `recipe` is how the line before was read. In no other way are wrappings taken off here: it is what the plain road tries first.
   */
  count(bytes: Buffer, start: number, end: number, recipe: Recipe | null): KnownLine | null {
    if (this.#traffic.overflow.records !== this.#overflow) this.forget();
    const isWrapped = recipe !== null && recipe.wrappings.length > 0 && this.#findInside(bytes, start, end, recipe);
    if (!isWrapped) this.#find(bytes, start, end, null);
    return this.#shape !== null && this.#add(this.#shape) ? this.#shape : null;
  }

  /** Remembers the shape of the line that `count` refused last, now that it was parsed. */
  learn(bytes: Buffer, start: number, end: number, known: KnownLine): void {
    if (!this.#isFoundAs(bytes, start, end, known)) return;
    if (known.parser !== this.#parser || !isSettled(known.flow, this.#time)) return;
    if (this.#shape !== null) {
      this.#shape.floor = this.#time;
      return;
    }
    if (this.#shapes.isFull) this.forget();
    settle(this.#shapes.add(this.#bytes, this.#skimmed, known, this.#around, this.#time));
  }

  /** Writes what is held back into the flows, and forgets all shapes. To be called at the end. */
  forget(): void {
    for (const shape of this.#shapes.clear()) settle(shape);
    this.#overflow = this.#traffic.overflow.records;
  }

  /** Looks for the shape of a payload, and `around` it. */
  #find(bytes: Buffer, start: number, end: number, around: Around | null): void {
    const skimmed = this.#skimmed;
    this.#bytes = bytes;
    this.#around = around;
    const only = around?.wrapped.recipe.parser ?? null;
    this.#parser = only === null ? this.#skim(bytes, start, end) : this.#skimBy(only, bytes, start, end);
    this.#shape = null;
    if (this.#parser === null) return;
    this.#time = stampAt(bytes, skimmed.timeStart, skimmed.timeEnd);
    this.#shape = this.#shapes.find(bytes, skimmed, this.#parser, around);
  }

  /** The same of what is in the wrappings of `recipe`; false: it is not known what they look like on this line. */
  #findInside(bytes: Buffer, start: number, end: number, recipe: Recipe): boolean {
    const around = this.#frames.find(bytes, start, end, recipe);
    if (around === null) return false;
    const { payload, start: payloadStart, end: payloadEnd } = this.#frames;
    this.#find(payload, payloadStart, payloadEnd, around);
    return true;
  }

  /** Whether the last line was looked at without the wrappings that it turned out to have, which may be learnt only now. */
  #isFoundAs(bytes: Buffer, start: number, end: number, { wrapped }: KnownLine): boolean {
    if (wrapped === null) return this.#around === null;
    if (
      this.#around === null &&
      !(this.#frames.learn(bytes, start, end, wrapped) && this.#findInside(bytes, start, end, wrapped.recipe))
    )
      return false;
    const around = this.#around?.wrapped;
    return around !== undefined && around.recipe === wrapped.recipe && isSame(around.origin, wrapped.origin);
  }

  #skimBy(parser: Parser, bytes: Buffer, start: number, end: number): Parser | null {
    return parser.skim?.(bytes, start, end, this.#skimmed) ? parser : null;
  }

  #skim(bytes: Buffer, start: number, end: number): Parser | null {
    const last = this.#parser;
    if (last?.skim?.(bytes, start, end, this.#skimmed)) return last;
    for (const parser of this.#parsers) {
      if (parser !== last && parser.skim?.(bytes, start, end, this.#skimmed)) return parser;
    }
    return null;
  }

  /** Counts a line of the shape. False, and nothing is counted: it is too early, so it may be one to keep. */
  #add(shape: Shape): boolean {
    const time = this.#time;
    if (!(time > shape.floor)) return false;
    if (time > shape.last) shape.last = time;
    const { flow } = shape;
    const { bytesSent, bytesReceived, durationMs } = this.#skimmed;
    flow.count++;
    flow.bytesSent = (flow.bytesSent ?? 0) + bytesSent;
    flow.bytesReceived = (flow.bytesReceived ?? 0) + bytesReceived;
    flow.maxDurationMs = Math.max(flow.maxDurationMs ?? 0, durationMs);
    return true;
  }
}

/** Whether a record that is later than this one of the flow can change nothing but counts: all samples are as early. */
function isSettled({ samples }: Flow, time: Stamp): boolean {
  if (Number.isNaN(time)) return false;
  if (samples.length === 0) return true;
  const latest = samples[MAX_SAMPLES - 1]?.time ?? null;
  return latest !== null && latest <= instantOfStamp(time);
}

/** The latest time of a shape goes into its flow. */
function settle(shape: Shape | null): void {
  if (shape === null) return;
  const { flow } = shape;
  const time = instantOfStamp(shape.last);
  if (flow.lastSeen === null || time > flow.lastSeen) flow.lastSeen = time;
}
