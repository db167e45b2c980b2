import { type At, type Line, type Origin, UNKNOWN_ORIGIN, type Wrapping } from '../model/line.ts';
import type { LogRecord, Malformed, Parsed, Parser } from '../model/record.ts';
import type { Flow, InputTally } from '../model/traffic.ts';
import { redactSecrets } from '../text/redact.ts';
import { bare, Detector, isWeak, originKey, type Peeled, pieceKey, type Taken } from './detect.ts';
import { Documents } from './documents.ts';
import { type Infer, Learner } from './learn.ts';
import { addNotice, noticeOf } from './notices.ts';
import { type CutLine, Pieces } from './pieces.ts';
import { ShapeCounter } from './shapes.ts';
import { MAX_PROBLEMS } from './traffic.ts';

/** Lines and characters that one record may run over. */
const MAX_RECORD_LINES = 200;
const MAX_RECORD_LENGTH = 64 * 1024;
/** Pods of one input whose open records are remembered. */
const MAX_STREAMS = 1024;
/** Shorter lines are no record on their own. */
const MIN_LENGTH = 8;
const INCOMPLETE: Malformed = { kind: 'malformed', reason: 'record is not complete' };
const BRACE = 123;
const BRACKET = 91;

/** A record that is not complete yet, with the lines it has so far. */
interface OpenRecord {
  readonly parser: Parser;
  readonly envelope: Peeled;
  readonly lines: Peeled[];
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
  /** Learns formats that no parser knows. Absent: they stay unknown. */
  readonly infer?: Infer;
  /** Is told the formats that were learnt. */
  readonly learnt?: (format: string) => void;
}

/** Turns the lines of one input into records, and accounts for every line in the tally. Never throws on any line. */
export class Recognizer {
  readonly #parts: RecognizerParts;
  readonly #tally: InputTally;
  readonly #detector: Detector;
  readonly #streams = new Map<string, Stream>();
  readonly #pieces = new Pieces();
  readonly #documents: Documents;
  readonly #shapes: ShapeCounter;
  readonly #learner: Learner;
  /** Streams that have an open record: nearly always none. */
  #opened = 0;
  /** Lines of a record that was given up are read again: they may go on with another, but begin none. */
  #rereading = false;
  #known: KnownLine | null = null;

  constructor(parts: RecognizerParts) {
    this.#parts = parts;
    this.#tally = parts.tally;
    this.#detector = new Detector(parts.parsers, parts.wrappings, (envelope) => this.#joinPieces(envelope));
    this.#documents = new Documents(parts.wrappings);
    this.#shapes = new ShapeCounter(parts.tally.unrecognised);
    this.#learner = new Learner(parts.infer ?? null);
  }

  /** Takes the next line. Answers its flow and parser if it was a record on its own without wrappings. */
  feed(given: Line): KnownLine | null {
    const line = withoutByteOrderMark(given);
    this.#known = null;
    this.#tally.lines++;
    if (line.truncated) {
      this.#tally.truncated++;
      this.#problem(line.at, 'line is longer than the limit', line.text);
    } else if (this.#isTooShort(line.text)) {
      this.#skip(line.text, line.at);
    } else {
      this.#read(bare(line));
    }
    return this.#known;
  }

  /** Whether the next line may be part of something that is open, so that it must be fed. */
  get busy(): boolean {
    return this.#opened > 0 || this.#streams.size > 1 || this.#pieces.waiting || this.#documents.isOpen;
  }

  /** Counts a line without wrappings that is known to be a record of this parser. */
  pass(parser: Parser): void {
    this.#tally.lines++;
    this.#detector.noteBare(parser);
    this.#count(parser, UNKNOWN_ORIGIN, null);
  }

  /** The input ended: what is still open is accounted for. */
  end(): void {
    do {
      for (const stream of this.#streams.values()) this.#closeStream(stream);
      for (const line of this.#documents.end()) this.#readAlone(line);
      while (this.#learner.isHolding) this.#learn();
    } while ([...this.#streams.values()].some(({ open }) => open !== null));
    for (const cut of this.#pieces.closeAll()) this.#tellCut(cut, 'malformed');
    this.#streams.clear();
  }

  #read(line: Peeled): void {
    while (this.#opened > 0) {
      const outcome = this.#goesOn(line);
      if (outcome === 'joined') return;
      // Closed: the open line may have been opened anew by another parser, which is asked then.
      if (outcome === 'apart') break;
    }
    if (this.#documents.isOpen) this.#readInDocument(line);
    else this.#readNext(line, true);
  }

  /** Reads a line that belongs to no open record or document. It may begin a document only if it `mayBegin` one. */
  #readNext(line: Peeled, mayBegin: boolean): void {
    const found = this.#detector.read(line);
    if (this.#pieces.waiting && found?.kind !== 'piece') this.#settlePieces(line, found);
    if (found === null) this.#readUnknown(line, mayBegin);
    else if (found.kind === 'piece') this.#holdPiece(found.envelope, line.at);
    else if (mayBegin && isWeak(found.parsed, found.parser)) this.#readGivenUp(line, found);
    else this.#takeOrHold(found, line);
  }

  /** A line that is no whole record: it may begin a document, or be the first piece of a line that was broken by an editor. */
  #readGivenUp(line: Peeled, claim: Taken | null): void {
    if (this.#documents.begin(line, claim)) this.#readInDocument(line);
    else if (claim !== null) this.#takeOrHold(claim, line);
    else this.#readUnknown(line, false);
  }

  #takeOrHold(found: Taken, line: Peeled): void {
    if (found.parser.takesParts !== true || !this.#hold(line)) this.#take(found, line);
  }

  #take({ parsed, parser, envelope }: Taken, line: Peeled): void {
    if (parsed.kind === 'malformed') this.#malformed(line, parsed.reason);
    else if (parsed.kind === 'unfinished' && this.#rereading) this.#malformed(line, INCOMPLETE.reason);
    else if (parsed.kind === 'unfinished') this.#openRecord({ parser, envelope, lines: [line] });
    else {
      const flow = this.#complete(parsed, parser, envelope.origin);
      if (envelope.wrappings.length === 0) this.#known = flow === null ? null : { flow, parser };
    }
  }

  /** A line that no parser knows: part of the record before, or none of ours. */
  #readUnknown(line: Peeled, mayBegin: boolean): void {
    const envelope = this.#streams.size === 0 ? null : this.#detector.peelAsBefore(line);
    const last = envelope === null ? null : this.#streams.get(originKey(envelope.origin))?.last;
    if (envelope !== null && last?.parser.continues?.(last.record, envelope.payload)) this.#tally.joined++;
    else if (mayBegin && this.#documents.begin(line, null)) this.#readInDocument(line);
    else if (!this.#hold(line)) this.#skip(line.payload, line.at);
  }

  /** Keeps a line that is not known, or known in part, until its format is learnt; false: nothing is learnt from it. */
  #hold(line: Peeled): boolean {
    const isHeld = this.#learner.hold(line);
    if (isHeld && this.#learner.isFull) this.#learn();
    return isHeld;
  }

  /** Reads the lines that were held, with the format that they have if it can be learnt; the others may have another one. */
  #learn(): void {
    const { lines, learnt } = this.#learner.settle((line) => this.#detector.peelings(line));
    if (learnt !== null) {
      this.#detector.add(learnt.parser);
      this.#parts.learnt?.(learnt.format);
    }
    for (const line of lines) {
      const found = this.#detector.read(line);
      const taken = found?.kind === 'taken' && found.parsed.kind !== 'unfinished' ? found : null;
      const isWhole = taken !== null && taken.parser.takesParts !== true;
      if (!isWhole && learnt !== null && this.#learner.hold(line)) continue;
      if (taken !== null) this.#take(taken, line);
      else this.#skip(line.payload, line.at);
    }
  }

  /** Reads the next line of the open document. */
  #readInDocument(line: Peeled): void {
    const step = this.#documents.take(line);
    if (step.kind === 'part') this.#readPart(step.inside, step.lines);
    else if (step.kind === 'left') {
      const [first, ...rest] = step.lines;
      if (first !== undefined && step.claim !== null) this.#takeOrHold(step.claim, first);
      else if (first !== undefined && step.failed) this.#readAlone(first);
      else if (first !== undefined) this.#readNext(first, true);
      for (const next of rest) this.#read(next);
    }
  }

  /**
   * Reads what stands in the lines of one part of a document, if a parser takes any of it; else its lines as they are. Lines
   * of the document in which no log line of its own stands are joined to the others.
   */
  #readPart(inside: readonly Peeled[], lines: readonly Peeled[]): void {
    const isOurs = inside.some((one) => this.#mayGoOn(one) || this.#detector.read(one) !== null);
    if (!isOurs) {
      for (const line of lines) this.#readAlone(line);
      return;
    }
    this.#tally.lines += Math.max(0, inside.length - lines.length);
    this.#tally.joined += Math.max(0, lines.length - inside.length);
    for (const one of inside) {
      while (this.#opened > 0) if (this.#goesOn(one) !== 'closed') break;
      this.#readNext(one, false);
    }
  }

  /** Whether a line is of a stream whose last record may go on. */
  #mayGoOn(line: Peeled): boolean {
    const envelope = this.#streams.size === 0 ? null : this.#detector.peelAsBefore(line);
    const stream = envelope === null ? undefined : this.#streams.get(originKey(envelope.origin));
    return stream !== undefined && (stream.open !== null || stream.last !== null);
  }

  /** Reads a line of which it is known that it goes with no other. */
  #readAlone(line: Peeled): void {
    const found = this.#detector.read(line);
    if (found?.kind === 'taken' && isRecord(found.parsed)) this.#take(found, line);
    else if (!this.#hold(line)) this.#skip(line.payload, line.at);
  }

  /** A line that is none of ours: what the fetching tool said of the log, or of a shape that is told. */
  #skip(text: string, at: At): void {
    this.#tally.skipped++;
    const meaning = noticeOf(text);
    if (meaning === null) this.#shapes.add(text, 1);
    else addNotice(this.#tally.notices, meaning, at.line, text);
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
    this.#closeStream(this.#stream(open.envelope.origin));
    const stream = this.#stream(open.envelope.origin);
    stream.open = open;
    this.#opened++;
  }

  /** Gives the open record of this line's stream its next line. `apart`: it has none; `closed`: the line is not part of it. */
  #goesOn(line: Peeled): 'joined' | 'closed' | 'apart' {
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
  #readAgain(line: Peeled, parser: Parser, isMine: boolean): void {
    const again = this.#detector.readAfter(line, parser);
    if (again?.kind === 'taken') this.#take(again, line);
    else this.#readGivenUp(line, isMine ? { kind: 'taken', envelope: line, parsed: INCOMPLETE, parser } : null);
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
  #settlePieces(line: Peeled, found: Taken | null): void {
    const sources = found === null ? this.#detector.sourcesOf(line) : [found.envelope];
    for (const source of sources) this.#closePieces(pieceKey(source), found === null ? 'skipped' : 'joined');
  }

  #closePieces(stream: string, as: 'joined' | 'skipped'): void {
    const cut = this.#pieces.close(stream);
    if (cut !== null) this.#tellCut(cut, as);
  }

  #tellCut(cut: CutLine, as: 'joined' | 'skipped' | 'malformed'): void {
    this.#tally[cut.overlong ? 'truncated' : as] += cut.pieces;
    if (as === 'skipped' && !cut.overlong) this.#shapes.add(cut.payload, cut.pieces);
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

  #malformed(line: Peeled, reason: string): void {
    this.#tally.malformed++;
    this.#problem(line.at, reason, line.payload);
  }

  /** Too short for a record, unless it goes on with one or begins a document. */
  #isTooShort(text: string): boolean {
    if (text.length >= MIN_LENGTH || this.#streams.size > 0 || this.#documents.isOpen) return false;
    const first = text.trimStart().charCodeAt(0);
    return first !== BRACE && first !== BRACKET;
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
