import { compileQuickMatcher } from './quick-match.ts';
import { BLANK, isAbsent, isValue, mayHold, QUOTE } from './shapes.ts';
import type { Slot, Template } from './template.ts';

/** Finds the values of a line; null: the line was not printed with this template. */
export type Matcher = (line: string) => readonly string[] | null;

const MAX_ALTERNATIVES = 256;
/** So many values at the end may have been lost with trailing blanks, if enough of the line is the proxy's before them. */
const MAX_LOST = 2;
const MIN_KEPT = 4;

/**
 * Builds the matcher of a template. Values under control of the client can hold anything, the literals of the template too.
 * So a free value ends at the first place from which the rest of the line can be read; from the freest one on, which is
 * bounded from the right, at the last such place. Where several places are possible, the first one that `plausible`
 * accepts wins, else the first; a line with hundreds of them is nobody's. `strict`: usual values are looked for before
 * any value is accepted. Time is linear in the length of the line.
 */
export function compileMatcher(
  template: Template,
  strict: boolean,
  plausible: (values: readonly string[]) => boolean,
): Matcher {
  const quick = compileQuickMatcher(template);
  const searching = compileSearch(template, strict, plausible);
  return (line) => quick?.(line) ?? searching(line);
}

/** The same without the short way for lines in which nothing has to be told apart. */
export function compileSearch(
  template: Template,
  strict: boolean,
  plausible: (values: readonly string[]) => boolean,
): Matcher {
  const search = new Search(template);
  const last = template.slots.at(-1)?.after ?? '';
  // Blanks at the end may be lost.
  const end = last === last.trimEnd() ? last : '';
  return (line) => {
    if (!line.startsWith(template.before) || !line.endsWith(end)) return null;
    return (strict ? find(search, line, true, plausible) : null) ?? find(search, line, false, plausible);
  };
}

function find(
  search: Search,
  line: string,
  strict: boolean,
  plausible: (values: readonly string[]) => boolean,
): readonly string[] | null {
  search.begin(line, strict);
  let at = search.next(0);
  if (at < 0) return null;
  const first = search.values();
  if (plausible(first)) return first;
  for (let count = 0; count < MAX_ALTERNATIVES; count++) {
    at = search.next(at + 1);
    if (at < 0) return first;
    const other = search.values();
    if (plausible(other)) return other;
  }
  return null;
}

/** Steps that reading a line may take, by its length: what no template comes near to with any line seen. */
const STEPS = 64;
const MIN_STEPS = 65_536;

/** The work of one template. Scratch space is reused from line to line. */
class Search {
  readonly #start: number;
  readonly #slots: readonly Slot[];
  /** Whether the value ends at the last possible place. */
  readonly #isLate: readonly boolean[];
  /** The first free slot; the number of slots: there is none. */
  readonly #firstFree: number;
  /** Whether the value can end at several places. */
  readonly #hasChoice: readonly boolean[];
  /** The first slot for which that holds. */
  readonly #firstChoice: number;
  readonly #mayBeLost: readonly boolean[];
  readonly #starts: number[];
  readonly #ends: number[];
  /** From which place up to which place the slot is known to fail. */
  readonly #failsFrom: number[];
  readonly #failsUpTo: number[];
  /** Single places at which a slot is known to fail, where more cannot be said. */
  readonly #failed = new Set<number>();
  #line = '';
  #strict = false;
  #steps = 0;
  /** The first free value ends here or later. */
  #least = 0;

  constructor({ before, slots }: Template) {
    this.#start = before.length;
    this.#slots = slots;
    const freedoms = slots.map((_slot, index) => freedomOf(slots, index));
    const late = lateFrom(freedoms);
    const firstFree = freedoms.findIndex((freedom) => freedom > 0);
    const lastFree = freedoms.findLastIndex((freedom) => freedom > 0);
    this.#isLate = freedoms.map((freedom, index) => freedom > 0 && index >= late);
    this.#firstFree = firstFree < 0 ? slots.length : firstFree;
    this.#hasChoice = slots.map(hasChoice);
    const firstChoice = this.#hasChoice.indexOf(true);
    this.#firstChoice = firstChoice < 0 ? slots.length : firstChoice;
    this.#mayBeLost = slots.map(
      (_slot, index) =>
        index - lastFree > MIN_KEPT &&
        slots.length - 1 - index <= MAX_LOST &&
        slots.slice(index).every(({ after }) => after.trim() === ''),
    );
    this.#starts = slots.map(() => 0);
    this.#ends = slots.map(() => 0);
    this.#failsFrom = slots.map(() => 0);
    this.#failsUpTo = slots.map(() => 0);
  }

  begin(line: string, strict: boolean): void {
    this.#line = line;
    this.#strict = strict;
    this.#steps = Math.max(MIN_STEPS, line.length * STEPS);
    this.#failsFrom.fill(Number.POSITIVE_INFINITY);
    this.#failsUpTo.fill(-1);
    if (this.#failed.size > 0) this.#failed.clear();
  }

  /** Places all values, the first free one ending at `least` or later. Answers where it ends (without one: 0); -1: no match. */
  next(least: number): number {
    const free = this.#firstFree;
    if (free === this.#slots.length && least > 0) return -1;
    this.#least = least;
    if (!this.#read(0, this.#start)) return -1;
    return this.#ends[free] ?? 0;
  }

  values(): string[] {
    return this.#slots.map((_slot, index) => this.#line.slice(this.#starts[index], this.#ends[index]));
  }

  /** Reads the slots from `index` on, the first of them at `at`, up to the end of the line. */
  #read(index: number, at: number): boolean {
    const slot = this.#slots[index];
    if (slot === undefined) return at === this.#line.length;
    if (this.#isKnownToFail(index, at)) return false;
    this.#starts[index] = at;
    const stop = this.#stopOf(slot, at);
    const isLast = index === this.#slots.length - 1;
    if (isLast ? this.#readLast(index, slot, at, stop) : this.#readAny(index, slot, at, stop)) return true;
    if (this.#loseRest(index, slot, at)) return true;
    this.#noteFailure(index, slot, at, stop);
    return false;
  }

  /** The last place where the value can end. */
  #stopOf({ rule, maxLength }: Slot, at: number): number {
    const most = maxLength === null || maxLength > rule.maxLength ? rule.maxLength : maxLength;
    const stop = Math.min(this.#line.length, at + most);
    if (rule.mayHoldQuotes) return stop;
    const { mayHoldBlanks } = rule;
    let place = at;
    while (place < stop) {
      const code = this.#line.charCodeAt(place);
      if (code === QUOTE || (code === BLANK && !mayHoldBlanks)) break;
      place++;
    }
    this.#steps -= (place - at) >> 4;
    return place;
  }

  #readLast(index: number, slot: Slot, at: number, stop: number): boolean {
    const end = this.#line.length - slot.after.length;
    return (
      end >= this.#leastOf(index, at) &&
      end <= stop &&
      this.#line.endsWith(slot.after) &&
      this.#isEnd(index, slot, at, end)
    );
  }

  #readAny(index: number, slot: Slot, at: number, stop: number): boolean {
    const { after } = slot;
    if (after === '') return this.#readTouching(index, slot, at, stop);
    if (this.#hasChoice[index] === false) {
      const isEnd = stop >= this.#leastOf(index, at) && this.#line.startsWith(after, stop);
      return isEnd && this.#isEnd(index, slot, at, stop) && this.#read(index + 1, stop + after.length);
    }
    const least = this.#leastOf(index, at);
    const most = this.#mostOf(index, slot, stop);
    const isLate = this.#isLate[index];
    let end = isLate ? lastPlace(this.#line, after, least, most) : firstPlace(this.#line, after, least, most);
    while (end >= 0 && this.#steps >= 0) {
      if (this.#isEnd(index, slot, at, end) && this.#read(index + 1, end + after.length)) return true;
      end = isLate ? lastPlace(this.#line, after, least, end - 1) : firstPlace(this.#line, after, end + 1, most);
    }
    return false;
  }

  /**
   * Reads a value with another one right behind it. Both are printed, if only as `-`, or both are empty. Where nothing tells
   * them apart, the first gets all.
   */
  #readTouching(index: number, slot: Slot, at: number, stop: number): boolean {
    if (!this.#strict && !slot.isDistinct && this.#isEnd(index, slot, at, stop) && this.#read(index + 1, stop))
      return true;
    const least = this.#leastOf(index, at + 1);
    const most = this.#mostOf(index, slot, stop);
    for (let end = least; end <= most && this.#steps >= 0; end++) {
      if (this.#isEnd(index, slot, at, end) && this.#read(index + 1, end)) return true;
    }
    return this.#isEnd(index, slot, at, at) && this.#read(index + 1, at);
  }

  #leastOf(index: number, at: number): number {
    return index === this.#firstFree ? Math.max(at, this.#least) : at;
  }

  /** The last place that was not tried from a later start. */
  #mostOf(index: number, slot: Slot, stop: number): number {
    const known = isGreedy(slot, this.#strict) && stop === this.#failsUpTo[index];
    return known ? Math.min(stop, (this.#failsFrom[index] ?? 0) - 1) : stop;
  }

  #isEnd(index: number, { rule, notation }: Slot, at: number, end: number): boolean {
    this.#steps -= 1 + ((end - at) >> 4);
    if (this.#steps < 0 || (end === at && !this.#mayBeEmpty(index))) return false;
    this.#ends[index] = end;
    if (rule.loose === null && notation === null && !this.#strict) return true;
    const text = this.#line.slice(at, end);
    if (notation !== null) return isAbsent(text) || notation.test(text);
    return isValue(rule, text, this.#strict);
  }

  /** Absent values are empty in some formats, but not where that would leave the `-` of an absent one to its neighbour. */
  #mayBeEmpty(index: number): boolean {
    if (this.#strict && this.#slots[index]?.after.startsWith('-')) return false;
    const before = this.#slots[index - 1];
    if (before?.after !== '') return true;
    return this.#starts[index - 1] === this.#ends[index - 1] || (!this.#strict && !before.isDistinct);
  }

  #isKnownToFail(index: number, at: number): boolean {
    if (this.#steps < 0) return true;
    if (at >= (this.#failsFrom[index] ?? 0) && at <= (this.#failsUpTo[index] ?? -1)) return true;
    return this.#failed.size > 0 && this.#failed.has(index * (this.#line.length + 1) + at);
  }

  #noteFailure(index: number, slot: Slot, at: number, stop: number): void {
    // What comes before the first choice is tried once, and with `least` for a reason that holds only now.
    if (index <= this.#firstChoice || (index <= this.#firstFree && this.#least > 0)) return;
    if (!isGreedy(slot, this.#strict) || stop - at === slot.rule.maxLength) {
      this.#failed.add(index * (this.#line.length + 1) + at);
      return;
    }
    this.#failsFrom[index] = at;
    this.#failsUpTo[index] = stop;
  }

  /** The line ends before the template does: fine if only a few blank-separated values are missing at the very end. */
  #loseRest(index: number, slot: Slot, at: number): boolean {
    if (this.#mayBeLost[index] !== true || this.#steps < 0) return false;
    const { length } = this.#line;
    if (this.#stopOf(slot, at) < length || !this.#isEnd(index, slot, at, length)) return false;
    this.#ends[index] = length;
    this.#starts.fill(length, index + 1);
    this.#ends.fill(length, index + 1);
    return true;
  }
}

/** Whether, when the value cannot begin at one place, it cannot begin at a later one either up to where it had to stop. */
function isGreedy({ rule, notation, maxLength }: Slot, strict: boolean): boolean {
  return notation === null && maxLength === null && rule.loose === null && (!strict || rule.exact === null);
}

/** Where `text` stands first between two places; -1: nowhere. */
function firstPlace(line: string, text: string, from: number, to: number): number {
  const code = text.charCodeAt(0);
  for (let place = from; place <= to; place++) {
    if (line.charCodeAt(place) === code && line.startsWith(text, place)) return place;
  }
  return -1;
}

/** Where `text` stands last between two places; -1: nowhere. */
function lastPlace(line: string, text: string, from: number, to: number): number {
  const code = text.charCodeAt(0);
  for (let place = to; place >= from; place--) {
    if (line.charCodeAt(place) === code && line.startsWith(text, place)) return place;
  }
  return -1;
}

/** Whether a value of this slot can end at several places of a line. */
export function hasChoice({ rule, after }: Slot): boolean {
  return after === '' || mayHold(rule, after.charCodeAt(0));
}

/** How freely a client writes this value: 0 not at all, 1 seldom with blanks, 2 anything. */
function freedomOf(slots: readonly Slot[], index: number): number {
  const slot = slots[index];
  if (slot === undefined) return 0;
  // A phrase with a mere blank after it has no end of its own: it is bounded by its neighbours.
  const isPhrase = slot.rule.mayHoldBlanks && !slot.rule.mayHoldQuotes;
  const isOpen = isPhrase && slot.after.trim() === '' && slot.after !== '' && index < slots.length - 1;
  return isOpen ? 1 : slot.rule.freedom;
}

/** The first slot that ends as late as possible: the freest, if those behind it are less free. */
function lateFrom(freedoms: readonly number[]): number {
  const found = freedoms.findIndex((freedom, index) => freedom > Math.max(0, ...freedoms.slice(index + 1)));
  return found < 0 ? freedoms.length : found;
}
