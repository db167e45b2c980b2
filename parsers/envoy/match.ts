import { fitsToEnd, type Slot, valueEnd } from './slot.ts';

/** Literal text before the first value, then the values. */
export interface Template {
  readonly before: string;
  readonly slots: readonly Slot[];
}

/** Finds the values of a line; null: the line was not printed with this template. */
export type Matcher = (line: string) => readonly string[] | null;

/** A run of values that the proxy controls, between two free ones: slots `from` up to, not including, `to`. */
interface Run {
  readonly from: number;
  readonly to: number;
}

/** Where a run was found. `end` is behind the literal that follows it; -1: not found. */
interface Place {
  readonly start: number;
  readonly end: number;
}

const NOWHERE: Place = { start: -1, end: -1 };
const MAX_ATTEMPTS = 256;
const MAX_ALTERNATIVES = 256;
/** So many values at the end may have been lost with trailing blanks, if the run that ends there is long enough. */
const MAX_LOST = 2;
const MIN_KEPT = 4;

/**
 * Builds the matcher of a template. Values under control of the client (`header`, `free`) can hold anything, the literals
 * of the template too. So first the runs at both ends are fixed, the last one from the right; then what lies between is
 * shared out, each run at its first place, or at its last where the text before it is the freer one. Where several places
 * are possible, the first one that `plausible` accepts wins, else the first; a line with hundreds of them is nobody's. Time is linear in the length of the line.
 */
export function compileMatcher(template: Template, plausible: (values: readonly string[]) => boolean): Matcher {
  const search = new Search(template);
  return (line) => {
    let at = search.find(line, 0);
    if (at < 0) return null;
    const first = search.values(line);
    if (plausible(first)) return first;
    for (let count = 0; count < MAX_ALTERNATIVES; count++) {
      at = search.find(line, at + 1);
      if (at < 0) return first;
      const other = search.values(line);
      if (plausible(other)) return other;
    }
    return null;
  };
}

/** The work of one template. Scratch space is reused from line to line. */
class Search {
  readonly #before: string;
  readonly #slots: readonly Slot[];
  /** Numbers of the free slots. */
  readonly #free: readonly number[];
  readonly #runs: readonly Run[];
  /** Runs from this one on are placed as far right as possible. */
  readonly #split: number;
  readonly #starts: number[];
  readonly #ends: number[];

  constructor({ before, slots }: Template) {
    this.#before = before;
    this.#slots = slots;
    const free = slots.flatMap((_slot, index) => (freedom(slots, index) > 0 ? [index] : []));
    this.#free = free;
    const bounds = [-1, ...free, slots.length];
    this.#runs = bounds.slice(1).map((to, index) => ({ from: (bounds[index] ?? -1) + 1, to }));
    this.#split = splitOf(slots, free);
    this.#starts = slots.map(() => 0);
    this.#ends = slots.map(() => 0);
  }

  /** Places all runs, the first movable one at `from` or later. Answers where that one begins; -1: no match. */
  find(line: string, from: number): number {
    const runs = this.#runs;
    const head = runs[0];
    if (head === undefined || !line.startsWith(this.#before)) return -1;
    const headEnd = this.#match(line, head, this.#before.length, line.length);
    if (runs.length === 1) return headEnd === line.length && from === 0 ? 0 : -1;
    if (headEnd < 0) return -1;
    const tail = this.#tail(line, headEnd);
    return tail < 0 ? -1 : this.#middle(line, headEnd, tail, Math.max(from, headEnd));
  }

  values(line: string): string[] {
    return this.#slots.map((_slot, index) => line.slice(this.#starts[index], this.#ends[index]));
  }

  #tail(line: string, headEnd: number): number {
    const run = this.#runs.at(-1);
    if (run === undefined) return -1;
    const opening = this.#opening(run);
    if (run.from === run.to) {
      const start = line.length - opening.length;
      return start >= headEnd && line.endsWith(opening) ? start : -1;
    }
    return this.#last(line, run, headEnd, line.length, true).start;
  }

  #middle(line: string, headEnd: number, tail: number, from: number): number {
    const last = this.#runs.length - 1;
    let cursor = headEnd;
    let first = -1;
    for (let index = 1; index < Math.min(this.#split, last); index++) {
      const place = this.#first(line, this.#run(index), index === 1 ? Math.max(from, cursor) : cursor, tail);
      if (place.start < 0) return -1;
      if (index === 1) first = place.start;
      this.#give(index - 1, cursor, place.start);
      cursor = place.end;
    }
    let bound = tail;
    for (let index = last - 1; index >= this.#split; index--) {
      const place = this.#last(line, this.#run(index), cursor, bound, false);
      if (place.start < 0) return -1;
      this.#give(index, place.end, bound);
      bound = place.start;
    }
    this.#give(Math.min(this.#split, last) - 1, cursor, bound);
    return first < 0 ? (from > headEnd ? -1 : headEnd) : first;
  }

  #run(index: number): Run {
    return this.#runs[index] ?? { from: 0, to: 0 };
  }

  #give(freeIndex: number, start: number, end: number): void {
    const slot = this.#free[freeIndex] ?? 0;
    this.#starts[slot] = start;
    this.#ends[slot] = end;
  }

  /** Literal before a run: what follows the free value in front of it. */
  #opening(run: Run): string {
    return this.#slots[run.from - 1]?.after ?? this.#before;
  }

  #first(line: string, run: Run, from: number, limit: number): Place {
    const opening = this.#opening(run);
    for (
      let start = line.indexOf(opening, from);
      start >= 0 && start < limit;
      start = line.indexOf(opening, start + 1)
    ) {
      const end = this.#match(line, run, start + opening.length, limit);
      if (end >= 0) return { start, end };
    }
    return NOWHERE;
  }

  #last(line: string, run: Run, from: number, limit: number, toEnd: boolean): Place {
    const opening = this.#opening(run);
    let start = line.lastIndexOf(opening, limit - opening.length);
    for (let count = 0; start >= from && count < MAX_ATTEMPTS; count++) {
      const end = this.#match(line, run, start + opening.length, limit);
      if (end >= 0 && (!toEnd || end === limit)) return { start, end };
      if (start === 0) break;
      start = line.lastIndexOf(opening, start - 1);
    }
    return NOWHERE;
  }

  /** Reads the slots of a run from `position`; the answer is behind the literal after them, or -1. */
  #match(line: string, run: Run, position: number, limit: number): number {
    let cursor = position;
    for (let index = run.from; index < run.to; index++) {
      const slot = this.#slots[index];
      if (slot === undefined) return -1;
      const end = valueEnd(line, slot, cursor, limit, index === this.#slots.length - 1);
      if (end < 0) return this.#lost(line, run, index, cursor, limit);
      this.#starts[index] = cursor;
      this.#ends[index] = end;
      cursor = end + slot.after.length;
    }
    return cursor <= limit ? cursor : -1;
  }

  /** The line ends before the template does: fine if only a few blank-separated values are missing at the very end. */
  #lost(line: string, run: Run, index: number, cursor: number, limit: number): number {
    const missing = this.#slots.length - 1 - index;
    const atEnd = run.to === this.#slots.length && limit === line.length;
    if (!atEnd || missing > MAX_LOST || index - run.from < MIN_KEPT) return -1;
    const blank = this.#slots.slice(index).every((slot) => slot.after.trim() === '');
    const slot = this.#slots[index];
    if (!blank || slot === undefined || !fitsToEnd(slot.shape, line, cursor, limit)) return -1;
    for (let lost = index; lost < run.to; lost++) {
      this.#starts[lost] = lost === index ? cursor : limit;
      this.#ends[lost] = limit;
    }
    return limit;
  }
}

/** How freely a client writes this value: 0 not at all, 1 seldom with blanks, 2 anything. */
function freedom(slots: readonly Slot[], index: number): number {
  const slot = slots[index];
  if (slot === undefined) return 0;
  if (slot.shape === 'free') return 2;
  // A phrase with a mere blank after it has no end of its own: it is bounded by its neighbours.
  const open = slot.shape === 'phrase' && slot.after.trim() === '' && slot.after !== '' && index < slots.length - 1;
  return slot.shape === 'header' || open ? 1 : 0;
}

function splitOf(slots: readonly Slot[], free: readonly number[]): number {
  const ranks = free.map((index) => freedom(slots, index));
  const found = ranks.findIndex((rank, index) => rank > Math.max(0, ...ranks.slice(index + 1)));
  return found < 0 ? free.length : found + 1;
}
