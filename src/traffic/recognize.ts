import { type At, type Envelope, type Line, type Origin, UNKNOWN_ORIGIN, type Wrapping } from '../model/line.ts';
import type { LogRecord, Parsed, Parser } from '../model/record.ts';
import type { Flow, InputTally } from '../model/traffic.ts';
import { redactSecrets } from '../text/redact.ts';
import { Detector, originKey, type Peeled, pieceKey, type RawLine, type Taken } from './detect.ts';
import { type CutLine, Pieces } from './pieces.ts';
import { MAX_PROBLEMS } from './traffic.ts';

/** Lines and characters that one record may run over. */
const MAX_RECORD_LINES = 200;
const MAX_RECORD_LENGTH = 64 * 1024;
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
  readonly #pieces = new Pieces();
  /** Streams that have an open record: nearly always none. */
  #opened = 0;
  /** Lines of a record that was given up are read again: they may go on with another, but begin none. */
  #rereading = false;
  #known: KnownLine | null = null;

  constructor(parts: RecognizerParts) {
    this.#parts = parts;
    this.#tally = parts.tally;
    this.#detector = new Detector(parts.parsers, parts.wrappings, (envelope) => this.#joinPieces(envelope));
  }

  /** Takes the next line. Answers its flow and parser if it was a record on its own without wrappings. */
  feed(given: Line): KnownLine | null {
    const line = withoutByteOrderMark(given);
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
    return this.#opened > 0 || this.#streams.size > 1 || this.#pieces.waiting;
  }

  /** Counts a line without wrappings that is known to be a record of this parser. */
  pass(parser: Parser): void {
    this.#tally.lines++;
    this.#detector.noteBare(parser);
    this.#count(parser, UNKNOWN_ORIGIN, null);
  }

  /** The input ended: what is still open is accounted for. */
  end(): void {
    for (const stream of this.#streams.values()) this.#closeStream(stream);
    for (const cut of this.#pieces.closeAll()) this.#tellCut(cut, 'malformed');
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
    if (this.#pieces.waiting && found?.kind !== 'piece') this.#settlePieces(line, found);
    if (found === null) this.#readUnknown(line);
    else if (found.kind === 'piece') this.#holdPiece(found.envelope, line.at);
    else this.#take(found, line);
  }

  #take({ parsed, parser, envelope }: Taken, line: RawLine): void {
    if (parsed.kind === 'malformed') this.#malformed(line, parsed.reason);
    else if (parsed.kind === 'unfinished' && this.#rereading) this.#malformed(line, 'record is not complete');
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
    if (this.#pieces.waiting) this.#closePieces(pieceKey(next), 'joined');
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
    const outer = this.#rereading;
    this.#rereading = true;
    for (const line of rest) this.#read(line);
    this.#rereading = outer;
  }

  /** Reads a line that `parser` began and gave up: by the parsers after it, else it is broken, or none of ours. */
  #readAgain(line: RawLine, parser: Parser, isMine: boolean): void {
    const again = this.#detector.readAfter(line, parser);
    if (again?.kind === 'taken') this.#take(again, line);
    else if (isMine) this.#malformed(line, 'record is not complete');
    else this.#tally.skipped++;
  }

  #holdPiece(piece: Peeled, at: At): void {
    const givenUp = this.#pieces.hold(pieceKey(piece), at, piece.payload);
    if (givenUp !== null) this.#tellCut(givenUp, 'malformed');
  }

  /** The envelope with the pieces that wait in its stream put before it. Changes nothing. */
  #joinPieces(envelope: Peeled): Peeled {
    const before = this.#pieces.waiting ? this.#pieces.before(pieceKey(envelope)) : '';
    return before === '' ? envelope : { ...envelope, payload: before + envelope.payload };
  }

  /** A whole line came after pieces: in its streams they are part of its record, or of no line of ours. */
  #settlePieces(line: RawLine, found: Taken | null): void {
    const sources = found === null ? this.#detector.sourcesOf(line) : [found.envelope];
    for (const source of sources) this.#closePieces(pieceKey(source), found === null ? 'skipped' : 'joined');
  }

  #closePieces(stream: string, as: 'joined' | 'skipped'): void {
    const cut = this.#pieces.close(stream);
    if (cut !== null) this.#tellCut(cut, as);
  }

  #tellCut(cut: CutLine, as: 'joined' | 'skipped' | 'malformed'): void {
    this.#tally[cut.overlong ? 'truncated' : as] += cut.pieces;
    if (as === 'malformed') this.#problem(cut.first, 'the rest of a cut line is missing', cut.payload);
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
    const fresh: Stream = { last: null, open: null };
    this.#streams.set(key, fresh);
    return fresh;
  }

  #closeStream(stream: Stream): void {
    // Closing may open the lines anew with a later parser, of which there are few.
    while (stream.open !== null) this.#closeOpen(stream);
  }

  #malformed(line: RawLine, reason: string): void {
    this.#tally.malformed++;
    this.#problem(line.at, reason, line.text);
  }

  #problem(at: At, reason: string, text: string): void {
    const { problems } = this.#tally;
    if (problems.length < MAX_PROBLEMS) {
      problems.push({ line: at.line, reason, sample: redactSecrets(text.slice(0, 200)) });
    }
  }
}

function isRecord(parsed: Parsed): parsed is LogRecord {
  return parsed !== null && parsed.kind !== 'malformed' && parsed.kind !== 'unfinished';
}

/** Windows tools write one before the first line; files that were put together have it in the middle. */
function withoutByteOrderMark(line: Line): Line {
  return line.text.charCodeAt(0) === 0xfeff ? { ...line, text: line.text.slice(1) } : line;
}
