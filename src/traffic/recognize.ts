import { type At, type Envelope, type Line, type Origin, UNKNOWN_ORIGIN, type Wrapping } from '../model/line.ts';
import type { LogRecord, Parsed, Parser } from '../model/record.ts';
import type { Flow, InputTally } from '../model/traffic.ts';
import { Detector, originKey, type RawLine, type Taken } from './detect.ts';
import { MAX_PROBLEMS } from './traffic.ts';

/** Lines and characters that one record may run over. */
const MAX_RECORD_LINES = 400;
const MAX_RECORD_LENGTH = 256 * 1024;
/** Pods of one input whose open records are remembered. */
const MAX_STREAMS = 1024;
/** Shorter lines are no record on their own. */
const MIN_LENGTH = 8;

/** A record that is not complete yet, with the lines it has so far. */
interface OpenRecord {
  readonly parser: Parser;
  readonly envelope: Envelope;
  readonly lines: RawLine[];
}

/** What is open in one stream of lines: one pod of one input. */
interface Stream {
  /** The last record and its parser, for lines that go on with it. */
  last: { readonly record: LogRecord; readonly parser: Parser } | null;
  open: OpenRecord | null;
  /** A line that the collector cut: its pieces so far. */
  cut: { payload: string; readonly lines: At[] } | null;
}

/** A line that was read on its own. */
export interface KnownLine {
  readonly flow: Flow;
  readonly parser: Parser;
}

/** What a recognizer works with. */
export interface RecognizerParts {
  readonly parsers: readonly Parser[];
  readonly wrappings: readonly Wrapping[];
  /** Counted up for every line. */
  readonly tally: InputTally;
  /** Takes a record; answers its flow, or null if the record is not wanted. */
  fold(record: LogRecord): Flow | null;
}

/** Turns the lines of one input into records, and accounts for every line in the tally. Never throws on any line. */
export class Recognizer {
  readonly #parts: RecognizerParts;
  readonly #tally: InputTally;
  readonly #detector: Detector;
  readonly #streams = new Map<string, Stream>();
  /** Streams that have an open record: nearly always none. */
  #opened = 0;
  #known: KnownLine | null = null;
  /** The stream whose pieces were put before the line that is being read. */
  #pieced: Stream | null = null;

  constructor(parts: RecognizerParts) {
    this.#parts = parts;
    this.#tally = parts.tally;
    this.#detector = new Detector(parts.parsers, parts.wrappings, (envelope) => this.#joinPieces(envelope));
  }

  /** Takes the next line. Answers its flow and parser if it was a record on its own without wrappings. */
  feed(line: Line): KnownLine | null {
    this.#known = null;
    this.#tally.lines++;
    if (line.truncated) {
      this.#tally.truncated++;
      this.#problem(line.at, 'line is longer than the limit', line.text);
    } else if (line.text.length < MIN_LENGTH && this.#streams.size === 0 && !line.text.startsWith('{')) {
      this.#tally.skipped++;
    } else {
      this.#read(line);
    }
    return this.#known;
  }

  /** Whether the next line may be part of something that is open, so that it must be fed. */
  get busy(): boolean {
    return this.#opened > 0 || this.#streams.size > 1 || (this.#streams.get('')?.cut ?? null) !== null;
  }

  /** Counts a line without wrappings that is known to be a record of this parser. */
  pass(parser: Parser): void {
    this.#tally.lines++;
    this.#count(parser, UNKNOWN_ORIGIN, null);
  }

  /** The input ended: what is still open is accounted for. */
  end(): void {
    for (const stream of this.#streams.values()) this.#closeStream(stream);
    this.#streams.clear();
  }

  #read(line: RawLine): void {
    while (this.#opened > 0) {
      const outcome = this.#goesOn(line);
      if (outcome === 'joined') return;
      // Closed: the open line may have been opened anew by another parser, which is asked then.
      if (outcome === 'apart') break;
    }
    const found = this.#detector.read(line);
    if (this.#pieced !== null) this.#closePieces(this.#pieced, found?.kind === 'taken');
    if (found === null) this.#readUnknown(line);
    else if (found.kind === 'piece') this.#holdPiece(found.envelope, line.at);
    else this.#take(found, line);
  }

  #take({ parsed, parser, envelope }: Taken, line: RawLine): void {
    if (parsed.kind === 'malformed') this.#malformed(line, parsed.reason);
    else if (parsed.kind === 'unfinished') this.#openRecord({ parser, envelope, lines: [line] });
    else {
      const flow = this.#complete(parsed, parser, envelope.origin);
      if (envelope.wrappings.length === 0) this.#known = flow === null ? null : { flow, parser };
    }
  }

  /** A line that no parser knows: part of the record before, or none of ours. */
  #readUnknown(line: RawLine): void {
    const envelope = this.#streams.size === 0 ? null : this.#detector.peelAsBefore(line);
    const last = envelope === null ? null : this.#streams.get(originKey(envelope.origin))?.last;
    if (envelope !== null && last?.parser.continues?.(last.record, envelope.payload)) this.#tally.joined++;
    else this.#tally.skipped++;
  }

  #complete(record: LogRecord, parser: Parser, origin: Origin): Flow | null {
    this.#count(parser, origin, record);
    return this.#parts.fold(record);
  }

  /** Counts a record, and remembers it where further lines may go on with it. */
  #count(parser: Parser, origin: Origin, record: LogRecord | null): void {
    this.#tally.records++;
    this.#tally.parsers[parser.id] = (this.#tally.parsers[parser.id] ?? 0) + 1;
    if (record !== null && parser.continues !== undefined) {
      this.#stream(origin).last = { record, parser };
    } else if (this.#streams.size > 0) {
      const stream = this.#streams.get(originKey(origin));
      if (stream !== undefined) stream.last = null;
    }
  }

  #openRecord(open: OpenRecord): void {
    const stream = this.#stream(open.envelope.origin);
    this.#closeOpen(stream);
    stream.open = open;
    this.#opened++;
  }

  /** Gives the open record of this line's stream its next line. `apart`: it has none; `closed`: the line is not part of it. */
  #goesOn(line: RawLine): 'joined' | 'closed' | 'apart' {
    const next = this.#detector.peelAsBefore(line);
    const stream = next === null ? undefined : this.#streams.get(originKey(next.origin));
    if (next === null || stream === undefined || stream.open === null) return 'apart';
    const { parser, envelope, lines } = stream.open;
    const payload = `${envelope.payload}\n${next.payload}`;
    const fits = lines.length < MAX_RECORD_LINES && payload.length <= MAX_RECORD_LENGTH;
    const whole = { ...envelope, payload };
    const parsed = fits ? parser.parse(whole) : null;
    if (parsed === null || parsed.kind === 'malformed') {
      this.#closeOpen(stream);
      return 'closed';
    }
    lines.push(line);
    if (parsed.kind === 'unfinished') {
      stream.open = { parser, envelope: whole, lines };
    } else {
      stream.open = null;
      this.#opened--;
      this.#tally.joined += lines.length - 1;
      this.#complete(parsed, parser, envelope.origin);
    }
    return 'joined';
  }

  /**
   * No more lines belong to an open record. An empty line tells its parser so: it may be whole after all. If not, the
   * parsers after that one get its first line, and the other lines are read anew.
   */
  #closeOpen(stream: Stream): void {
    const { open } = stream;
    if (open === null) return;
    stream.open = null;
    this.#opened--;
    const { parser, envelope, lines } = open;
    const whole = parser.parse({ ...envelope, payload: `${envelope.payload}\n` });
    if (isRecord(whole)) {
      this.#tally.joined += lines.length - 1;
      this.#complete(whole, parser, envelope.origin);
      return;
    }
    const [first, ...rest] = lines;
    if (first !== undefined) this.#readAgain(first, parser, whole !== null);
    for (const line of rest) this.#read(line);
  }

  /** Reads a line that `parser` began and gave up: by the parsers after it, else it is broken, or none of ours. */
  #readAgain(line: RawLine, parser: Parser, isMine: boolean): void {
    const again = this.#detector.readAfter(line, parser);
    if (again?.kind === 'taken') this.#take(again, line);
    else if (isMine) this.#malformed(line, 'record is not complete');
    else this.#tally.skipped++;
  }

  #holdPiece(envelope: Envelope, at: At): void {
    const stream = this.#stream(envelope.origin);
    stream.cut ??= { payload: '', lines: [] };
    if (stream.cut.payload.length < MAX_RECORD_LENGTH) stream.cut.payload += envelope.payload;
    stream.cut.lines.push(at);
  }

  /** The envelope with the pieces that are held of its line put before it, if there are any. */
  #joinPieces(envelope: Envelope): Envelope {
    if (this.#streams.size === 0) return envelope;
    const stream = this.#streams.get(originKey(envelope.origin));
    if (stream === undefined || stream.cut === null) return envelope;
    this.#pieced = stream;
    return { ...envelope, payload: stream.cut.payload + envelope.payload };
  }

  /** The last piece of a line has come: what was held is part of a record, or no line of ours. */
  #closePieces(stream: Stream, taken: boolean): void {
    const held = stream.cut?.lines.length ?? 0;
    if (taken) this.#tally.joined += held;
    else this.#tally.skipped += held;
    stream.cut = null;
    this.#pieced = null;
  }

  #stream(origin: Origin): Stream {
    const key = originKey(origin);
    const known = this.#streams.get(key);
    if (known !== undefined) return known;
    const [oldest] = this.#streams.size >= MAX_STREAMS ? this.#streams : [];
    if (oldest !== undefined) {
      this.#streams.delete(oldest[0]);
      this.#closeStream(oldest[1]);
    }
    const fresh: Stream = { last: null, open: null, cut: null };
    this.#streams.set(key, fresh);
    return fresh;
  }

  #closeStream(stream: Stream): void {
    this.#closeOpen(stream);
    if (stream.cut === null) return;
    const { lines, payload } = stream.cut;
    stream.cut = null;
    for (const at of lines) this.#malformed({ at, text: payload }, 'the rest of a cut line is missing');
  }

  #malformed(line: RawLine, reason: string): void {
    this.#tally.malformed++;
    this.#problem(line.at, reason, line.text);
  }

  #problem(at: At, reason: string, text: string): void {
    const { problems } = this.#tally;
    if (problems.length < MAX_PROBLEMS) {
      problems.push({ line: at.line, reason, sample: text.slice(0, 200) });
    }
  }
}

function isRecord(parsed: Parsed): parsed is LogRecord {
  return parsed !== null && parsed.kind !== 'malformed' && parsed.kind !== 'unfinished';
}
