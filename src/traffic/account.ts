import type { At } from '../model/line.ts';
import type { Parser } from '../model/record.ts';
import type { InputTally } from '../model/traffic.ts';
import { redactSecrets } from '../text/redact.ts';
import { addNotice, noticeOf } from './notices.ts';
import { ShapeCounter } from './shapes.ts';
import { MAX_PROBLEMS } from './traffic.ts';

const MAX_SAMPLE = 200;

/** Accounts for the lines of one input in its tally: every line that was taken becomes exactly one of its other counts. */
export class Account {
  readonly #tally: InputTally;
  readonly #shapes: ShapeCounter;

  /** `tally` may be of lines that came earlier; nothing else may change it. */
  constructor(tally: InputTally) {
    this.#tally = tally;
    this.#shapes = new ShapeCounter(tally.unrecognised);
  }

  /** Lines came. */
  take(lines: number): void {
    this.#tally.lines += lines;
  }

  record(parser: Parser): void {
    this.#tally.records++;
    this.#tally.parsers[parser.id] = (this.#tally.parsers[parser.id] ?? 0) + 1;
  }

  /** Lines are part of a record that is counted elsewhere. */
  join(lines: number): void {
    this.#tally.joined += lines;
  }

  /** A line that is of no format known: what the fetching tool said of the log, or of a shape that is told. */
  skip(text: string, at: At): void {
    const meaning = noticeOf(text);
    if (meaning === null) {
      this.skipPieces(text, 1);
      return;
    }
    this.#tally.skipped++;
    addNotice(this.#tally.notices, meaning, at.line, text);
  }

  /** The pieces of a line of no format known. */
  skipPieces(text: string, pieces: number): void {
    this.#tally.skipped += pieces;
    this.#shapes.add(text, pieces);
  }

  /** Lines that were read in part; `text` is of the first of them. */
  malformed(at: At, reason: string, text: string, lines = 1): void {
    this.#tally.malformed += lines;
    this.#problem(at, reason, text);
  }

  /** Lines of which only the head was read, or that became too long together. */
  truncated(at: At, reason: string, text: string, lines = 1): void {
    this.#tally.truncated += lines;
    this.#problem(at, reason, text);
  }

  #problem(at: At, reason: string, text: string): void {
    const { problems } = this.#tally;
    if (problems.length < MAX_PROBLEMS) {
      problems.push({ line: at.line, reason, sample: redactSecrets(text.slice(0, MAX_SAMPLE)) });
    }
  }
}
