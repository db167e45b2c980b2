import { isTimeAt } from '../text/stamp.ts';
import type { Recipe } from '../traffic/detect.ts';
import type { Wrapped } from '../traffic/recognize.ts';
import { type Frame, frameOf, type Gap, type Side } from './frame.ts';
import { StringReader } from './unescape.ts';
import { endOfValue } from './values.ts';
import { isEqual, viewOf } from './words.ts';

/** Beginnings that are kept, and ends of each: those of some pods. When there are more, all are learnt anew. */
const MAX_HEADS = 256;
const MAX_TAILS = 256;
/** Lines that may be looked at in vain before one is counted for it, and lines counted that are worth looking at one. */
const MAX_CREDIT = 256;
const WORTH = 16;
/** Longer payloads are parsed. */
const MAX_PAYLOAD = 64 * 1024;
const NEWLINE = 10;
const CARRIAGE_RETURN = 13;
/** An odd number far from others: it tells the shapes in one frame from those in the next. */
const NEXT_SEED = 0x2545f491;

/** What is known to be around a payload. */
export interface Around {
  readonly wrapped: Wrapped;
  readonly seed: number;
}

/** One side of frames, ready to be compared. */
interface Pattern {
  readonly texts: readonly DataView[];
  readonly gaps: readonly Gap[];
}

interface Head {
  readonly recipe: Recipe;
  readonly before: Pattern;
  readonly isJson: boolean;
  readonly tails: Tail[];
}

interface Tail {
  readonly after: Pattern;
  /** Bytes of the line end in the payload. */
  readonly lineEnd: number;
  readonly around: Around;
}

/**
 * The frames of lines that were read, and their payloads found by them. Two lines with one frame have the same wrappings, which
 * tell the same of who wrote them: see `frameOf`.
 */
export class FrameStore {
  readonly #heads: Head[] = [];
  readonly #string = new StringReader(MAX_PAYLOAD);
  #seed = 0;
  #credit = MAX_CREDIT;
  #counted = 0;
  #buffer: Buffer | null = null;
  #line = viewOf(this.#string.bytes);

  /** Where the payload stands that `find` found last. */
  payload: Buffer = this.#string.bytes;
  start = 0;
  end = 0;

  /** What is around the payload of this line, if that is known and comes off in the way of `recipe`; else null. */
  find(bytes: Buffer, start: number, end: number, recipe: Recipe): Around | null {
    if (this.#buffer !== bytes) {
      this.#buffer = bytes;
      this.#line = viewOf(bytes);
    }
    for (let index = 0; index < this.#heads.length; index++) {
      const head = this.#heads[index] as Head;
      const at = head.recipe === recipe ? this.#behind(bytes, start, end, head.before) : -1;
      if (at < 0) continue;
      if (index > 0) toFront(this.#heads, index);
      const tail = head.isJson ? this.#inString(bytes, at, end, head) : this.#inRest(bytes, at, end, head);
      if (tail !== null && ++this.#counted % WORTH === 0 && this.#credit < MAX_CREDIT) this.#credit++;
      return tail?.around ?? null;
    }
    return null;
  }

  /** Learns the frame of a line that was read. False: it has none that could be used. */
  learn(bytes: Buffer, start: number, end: number, wrapped: Wrapped): boolean {
    if (this.#credit === 0) return false;
    this.#credit--;
    const frame = frameOf(bytes.toString('latin1', start, end), wrapped);
    if (frame === null) return false;
    const head = this.#headOf(frame, wrapped.recipe);
    if (head.tails.length >= MAX_TAILS) head.tails.length = 0;
    this.#seed = (this.#seed + NEXT_SEED) | 0;
    head.tails.unshift({
      after: patternOf(frame.after),
      lineEnd: frame.lineEnd?.length ?? 0,
      around: { wrapped, seed: this.#seed },
    });
    return true;
  }

  /** Forgets all frames. */
  clear(): void {
    this.#heads.length = 0;
    this.#credit = MAX_CREDIT;
  }

  #headOf(frame: Frame, recipe: Recipe): Head {
    const before = patternOf(frame.before);
    const isJson = frame.lineEnd !== null;
    const known = this.#heads.find(
      (head) => head.recipe === recipe && head.isJson === isJson && isSamePattern(head.before, before),
    );
    if (known !== undefined) return known;
    if (this.#heads.length >= MAX_HEADS) this.#heads.length = 0;
    const head: Head = { recipe, before, isJson, tails: [] };
    this.#heads.unshift(head);
    return head;
  }

  #inRest(bytes: Buffer, at: number, end: number, { tails }: Head): Tail | null {
    this.payload = bytes;
    this.start = at;
    this.end = end;
    return tails[0] ?? null;
  }

  #inString(bytes: Buffer, at: number, end: number, { tails }: Head): Tail | null {
    const quote = this.#string.read(this.#line, at, end);
    if (quote < 0) return null;
    const { bytes: payload, length, lineEnds } = this.#string;
    const lineEnd = lineEndOf(payload, length);
    // Of several lines each is read on its own.
    if (lineEnds !== lineEnd) return null;
    for (let index = 0; index < tails.length; index++) {
      const tail = tails[index] as Tail;
      if (tail.lineEnd !== lineEnd || this.#behind(bytes, quote, end, tail.after) !== end) continue;
      if (index > 0) toFront(tails, index);
      this.payload = payload;
      this.start = 0;
      this.end = length - lineEnd;
      return tail;
    }
    return null;
  }

  /** The place behind what the pattern says that begins at `start`; -1: something else stands there. */
  #behind(bytes: Buffer, start: number, end: number, { texts, gaps }: Pattern): number {
    let at = start;
    for (let index = 0; index < texts.length; index++) {
      const text = texts[index] as DataView;
      const length = text.byteLength;
      if (at + length > end || !isEqual(text, 0, this.#line, at, length)) return -1;
      at += length;
      const gap = gaps[index];
      if (gap === undefined) return at;
      at = behindGap(bytes, at, end, gap);
      if (at < 0) return -1;
    }
    return at;
  }
}

/** Bytes of the line end with which a text ends. */
function lineEndOf(bytes: Buffer, end: number): number {
  if (end === 0 || bytes[end - 1] !== NEWLINE) return 0;
  return end > 1 && bytes[end - 2] === CARRIAGE_RETURN ? 2 : 1;
}

function patternOf({ texts, gaps }: Side): Pattern {
  return { texts: texts.map((text) => viewOf(Buffer.from(text, 'latin1'))), gaps };
}

function isSamePattern(a: Pattern, b: Pattern): boolean {
  return (
    a.texts.length === b.texts.length &&
    a.gaps.every((gap, index) => gap === b.gaps[index]) &&
    a.texts.every((text, index) => {
      const other = b.texts[index];
      return other !== undefined && text.byteLength === other.byteLength && isEqual(text, 0, other, 0, text.byteLength);
    })
  );
}

/** Makes an item the first one: it is likely the next one, too. */
function toFront<Item>(items: Item[], index: number): void {
  const [item] = items.splice(index, 1);
  if (item !== undefined) items.unshift(item);
}

function behindGap(bytes: Buffer, at: number, end: number, gap: Gap): number {
  if (typeof gap !== 'number') return endOfValue(bytes, at, end, gap);
  return at + gap <= end && isTimeAt(bytes, at, gap) ? at + gap : -1;
}
