/**
 * A moment: `YYYY-MM-DDTHH:MM:SS.uuuuuuZ`, UTC, always six digits of fraction, so that comparing strings compares times.
 * `src/text/time.ts` makes one from what logs print.
 */
export type Instant = string;

/** Where a line stood: name of the input (file path, or `stdin`) and line number from 1. */
export interface At {
  readonly input: string;
  readonly line: number;
}

/** One line of input without its line end. `truncated`: it was longer than the cap and only its head is here. */
export interface Line {
  readonly at: At;
  readonly text: string;
  readonly truncated: boolean;
}

/** Who wrote a line, as far as the wrapping (kubectl --prefix, stern, a collector) tells. Null means: not told. */
export interface Origin {
  readonly cluster: string | null;
  readonly namespace: string | null;
  readonly pod: string | null;
  readonly container: string | null;
  readonly node: string | null;
}

/** The origin of a line about which no wrapping says anything. */
export const UNKNOWN_ORIGIN: Origin = { cluster: null, namespace: null, pod: null, container: null, node: null };

/** One wrapping taken off. `more`: the collector cut a long line here and its rest follows in the next record. */
export interface Unwrapped {
  readonly payload: string;
  readonly time: Instant | null;
  readonly origin: Origin;
  readonly more: boolean;
  /** Which of the container's streams the line is of, whose pieces stand between each other. Null: not told. */
  readonly stream: 'stdout' | 'stderr' | null;
}

/** What a wrapping says that says nothing: of everything but the payload. */
export const NOTHING_TOLD: Omit<Unwrapped, 'payload'> = {
  time: null,
  origin: UNKNOWN_ORIGIN,
  more: false,
  stream: null,
};

/**
 * One kind of wrapping that a tool puts around a proxy's line: `kubectl --prefix`, stern, CRI files, …
 * A value in `parsers/envelopes`; the core peels one only if a parser accepts what is inside.
 */
export interface Wrapping {
  /** kebab-case, equal to the file name. */
  readonly id: string;
  /** For people: `kubectl logs --prefix`. */
  readonly title: string;
  /** Takes this wrapping off; null: the text is not wrapped so. Never throws. */
  unwrap(text: string): Unwrapped | null;
  /**
   * Reads the document that begins with this line, which no parser takes: an answer of an API, a table. Null: it begins
   * none. Never throws. Absent: this wrapping is around single lines only.
   */
  readonly begin?: (text: string) => DocumentReader | null;
}

/** Reads one document of many log lines. Never throws; what it holds of the document is bounded. */
export interface DocumentReader {
  /**
   * Takes the next line; the first one is the line that began the document. Answers what stands in the part of the document
   * that this line completes, as lines to be read like any other; `open`: the part goes on; `left`: this line and those
   * since the last part are none of the document, which is over.
   */
  next(text: string): readonly string[] | 'open' | 'left';
  /** The input ended within a part: what stands in it so far, of which there is less than of the whole. Absent: that is not read. */
  readonly end?: () => readonly string[];
}

/** A line with all wrappings off, as parsers get it. `wrappings` are the ids peeled, outermost first. */
export interface Envelope {
  readonly at: At;
  readonly wrappings: readonly string[];
  /** The collector's time, null if it told none. */
  readonly time: Instant | null;
  readonly origin: Origin;
  readonly payload: string;
}
