import { type Origin, UNKNOWN_ORIGIN } from '../model/line.ts';
import type { LogRecord, Parsed, Parser } from '../model/record.ts';
import type { Detector } from './detect.ts';
import { originKey, type Peeled } from './peeled.ts';

/** Lines and characters that one record may run over. */
const MAX_RECORD_LINES = 200;
const MAX_RECORD_LENGTH = 64 * 1024;
/** Pods of one input whose open records are remembered. */
const MAX_STREAMS = 1024;

/** A record that is not complete yet, with the lines it has so far. */
interface OpenRecord {
  readonly parser: Parser;
  readonly envelope: Peeled;
  readonly lines: Peeled[];
}

/** What is open in one stream of lines: one pod of one input. */
interface Stream {
  /** The last record and its parser, for lines that go on with it. */
  record: LogRecord | null;
  parser: Parser | null;
  open: OpenRecord | null;
}

/** What becomes of records that ran over several lines. */
export interface StreamSink {
  /** A record is complete; it has so many lines beside the first. */
  complete(record: LogRecord, parser: Parser, origin: Origin, more: number): void;
  /** `line` went on with an open record. */
  joined(line: Peeled): void;
  /** A record was given up: its first line, which `parser` began and says is its own or not. */
  givenUp(first: Peeled, parser: Parser, isMine: boolean): void;
  /** Another line of a record that was given up. It may go on with another record, but begin none. */
  again(line: Peeled): void;
}

/** Records over several lines, each in the stream of its own pod, between whose lines those of others stand. Bounded. */
export class Streams {
  readonly #detector: Detector;
  readonly #sink: StreamSink;
  readonly #streams = new Map<string, Stream>();
  /** Streams that have an open record: nearly always none. */
  #opened = 0;
  #rereading = false;
  /** The origin asked for last and its name: nearly always the next line's, too. */
  #origin: Origin = UNKNOWN_ORIGIN;
  #key = originKey(UNKNOWN_ORIGIN);

  constructor(detector: Detector, sink: StreamSink) {
    this.#detector = detector;
    this.#sink = sink;
  }

  /** Whether a record is open. */
  get isOpen(): boolean {
    return this.#opened > 0;
  }

  /** Streams about which something is remembered. */
  get size(): number {
    return this.#streams.size;
  }

  /** Whether lines of a record that was given up are being read again: they begin none. */
  get isRereading(): boolean {
    return this.#rereading;
  }

  /** Begins a record with a line. */
  open(parser: Parser, envelope: Peeled, line: Peeled): void {
    this.#closeAll(this.#stream(envelope.origin));
    // Closing may have driven the stream out.
    this.#stream(envelope.origin).open = { parser, envelope, lines: [line] };
    this.#opened++;
  }

  /** Remembers a record where further lines may go on with it. Null: it was one that none goes on with. */
  note(parser: Parser, origin: Origin, record: LogRecord | null): void {
    if (record?.kind === 'diagnostic' && parser.continues !== undefined) {
      const stream = this.#stream(origin);
      stream.record = record;
      stream.parser = parser;
    } else if (this.#streams.size > 0) {
      const stream = this.#streams.get(this.#keyOf(origin));
      if (stream !== undefined) stream.record = null;
    }
  }

  /** Whether a line that no parser knows goes on with the last record of its stream. */
  continues(line: Peeled): boolean {
    const found = this.#find(line, ({ record }) => record !== null);
    if (found === null || found.stream.record === null) return false;
    return found.stream.parser?.continues?.(found.stream.record, found.line.payload) === true;
  }

  /** Whether a line is of a stream whose last record may go on. */
  mayGoOn(line: Peeled): boolean {
    return this.#find(line, ({ open, record }) => open !== null || record !== null) !== null;
  }

  /** Gives the open record of this line's stream its next line. `apart`: it has none; `closed`: the line is not part of it. */
  goOn(line: Peeled): 'joined' | 'closed' | 'apart' {
    const found = this.#find(line, ({ open }) => open !== null);
    if (found === null || found.stream.open === null) return 'apart';
    const { stream, line: next } = found;
    const { parser, envelope, lines } = found.stream.open;
    const payload = `${envelope.payload}\n${next.payload}`;
    const fits = lines.length < MAX_RECORD_LINES && payload.length <= MAX_RECORD_LENGTH;
    const whole = { ...envelope, payload };
    const parsed = fits ? this.#detector.parse(parser, whole) : null;
    if (parsed === null || parsed.kind === 'malformed') {
      this.#close(stream);
      return 'closed';
    }
    this.#sink.joined(next);
    lines.push(line);
    if (parsed.kind === 'unfinished') {
      stream.open = { parser, envelope: whole, lines };
    } else {
      stream.open = null;
      this.#opened--;
      this.#sink.complete(parsed, parser, envelope.origin, lines.length - 1);
    }
    return 'joined';
  }

  /** The input, or a part of it, ended: closes all records. Lines that are read again for it may open new ones. */
  closeAll(): void {
    for (const stream of this.#streams.values()) this.#closeAll(stream);
  }

  /** Forgets everything. */
  clear(): void {
    this.#streams.clear();
  }

  #closeAll(stream: Stream): void {
    // Closing may open the lines anew with a later parser, of which there are few.
    while (stream.open !== null) this.#close(stream);
  }

  /**
   * No more lines belong to an open record. An empty line tells its parser so: it may be whole after all. If not, the
   * parsers after that one get its first line, and the other lines are read anew.
   */
  #close(stream: Stream): void {
    const { open } = stream;
    if (open === null) return;
    stream.open = null;
    this.#opened--;
    const { parser, envelope, lines } = open;
    const whole = this.#detector.parse(parser, { ...envelope, payload: `${envelope.payload}\n` });
    if (isRecord(whole)) {
      this.#sink.complete(whole, parser, envelope.origin, lines.length - 1);
      return;
    }
    const [first, ...rest] = lines;
    if (first !== undefined) this.#sink.givenUp(first, parser, whole !== null);
    const outer = this.#rereading;
    this.#rereading = true;
    for (const line of rest) this.#sink.again(line);
    this.#rereading = outer;
  }

  /** The stream that a line is of, read in the ways in which lines before it were, if it is one that is wanted. */
  #find(line: Peeled, isWanted: (stream: Stream) => boolean): { stream: Stream; line: Peeled } | null {
    if (this.#streams.size === 0) return null;
    for (const peeled of this.#detector.peeledAsBefore(line)) {
      const stream = this.#streams.get(this.#keyOf(peeled.origin));
      if (stream !== undefined && isWanted(stream)) return { stream, line: peeled };
    }
    return null;
  }

  #keyOf(origin: Origin): string {
    if (origin !== this.#origin) {
      this.#origin = origin;
      this.#key = originKey(origin);
    }
    return this.#key;
  }

  #stream(origin: Origin): Stream {
    const key = this.#keyOf(origin);
    const known = this.#streams.get(key);
    if (known !== undefined) return known;
    const [oldest] = this.#streams.size >= MAX_STREAMS ? this.#streams : [];
    if (oldest !== undefined) {
      this.#streams.delete(oldest[0]);
      this.#closeAll(oldest[1]);
    }
    const fresh: Stream = { record: null, parser: null, open: null };
    this.#streams.set(key, fresh);
    return fresh;
  }
}

/** Whether a parser's answer is a record. */
export function isRecord(parsed: Parsed): parsed is LogRecord {
  return parsed !== null && parsed.kind !== 'malformed' && parsed.kind !== 'unfinished';
}
