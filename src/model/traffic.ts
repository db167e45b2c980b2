import type { At, Instant } from './line.ts';
import type { LogRecord } from './record.ts';

/** One record kept as evidence. `raw` is untrusted. */
export interface Sample {
  readonly at: At;
  readonly time: Instant | null;
  readonly raw: string;
  /** What names this event in other lines about it: `request ID`, `socket ADDRESS PORT`. Untrusted. */
  readonly marks: readonly string[];
}

/**
 * All records of one shape: same parser, ends, outcome; times, source ports, ids, sizes differ. Mutable while folding.
 * The fold is a commutative monoid: the order of records does not change it.
 */
export interface Flow {
  /** What is equal in all records of the flow. Never holds a source port, a time or a request id. */
  readonly key: string;
  /** The earliest record (by time, then input, then line), parsed. */
  record: LogRecord;
  count: number;
  firstSeen: Instant | null;
  lastSeen: Instant | null;
  /** Sums over all records; null where the format prints none. */
  bytesSent: number | null;
  bytesReceived: number | null;
  /** Longest duration seen. */
  maxDurationMs: number | null;
  /** Up to `MAX_SAMPLES` earliest records, earliest first. Empty for flows in which nothing failed. */
  samples: Sample[];
  /** Up to `MAX_ADDRESSES` smallest source addresses as text, sorted. */
  sourceAddresses: string[];
}

/**
 * Lines of one input, all accounted for: lines = records + joined + skipped + malformed + truncated. Of a line in which
 * several log lines stand (the answer of a log server's API) each of those is counted.
 */
export interface InputTally {
  readonly name: string;
  lines: number;
  /** Lines that became a record. */
  records: number;
  /** Further lines of a record that has several. */
  joined: number;
  /** Lines of no format known here (application output, blank lines). */
  skipped: number;
  /** Lines of a known format that could not be read. */
  malformed: number;
  /** Lines longer than the cap: only the head was looked at, none became a record. */
  truncated: number;
  /** Records per parser id. */
  parsers: Record<string, number>;
  /** A few examples of what could not be read, first ones first. */
  problems: InputProblem[];
  /** What the skipped lines look like, the most frequent shapes. Other skipped lines are the rest up to `skipped`. */
  unrecognised: UnrecognisedShape[];
  /** What the tool that fetched the log said in between. */
  notices: InputNotice[];
}

/** Lines that no parser knows and that look alike. */
export interface UnrecognisedShape {
  /** The line with digits, ids and quoted texts masked, cut to 200 characters. Untrusted. '': blank lines. */
  readonly shape: string;
  /** At least so many lines; all of them if no shape had to be given up. */
  count: number;
  /** The first of them. Untrusted and cut to 200 characters. */
  readonly sample: string;
}

/** Lines of kubectl or the kubelet about the log itself: it ends there, a part of it is missing. */
export interface InputNotice {
  /** What it means for the reader, a phrase in our own words. */
  readonly meaning: string;
  count: number;
  /** The first one: its number, and its text, which is untrusted and cut to 200 characters. */
  readonly line: number;
  readonly sample: string;
}

/** One line that could not be read. `sample` is untrusted and cut to 200 characters. */
export interface InputProblem {
  readonly line: number;
  readonly reason: string;
  readonly sample: string;
}

/** What had to be dropped because more distinct flows came than are kept. */
export interface Overflow {
  /** Records whose flow was dropped; they are counted here and in no flow. */
  records: number;
  /** The same, only of failed ones. */
  failures: number;
}

/** What was observed. `merge` in `src/traffic` joins two. */
export interface Traffic {
  readonly flows: Map<string, Flow>;
  readonly tallies: Map<string, InputTally>;
  readonly overflow: Overflow;
}
