import { type Line, type Origin, UNKNOWN_ORIGIN } from '../model/line.ts';
import type { LogRecord, Malformed, Parser } from '../model/record.ts';
import type { Flow } from '../model/traffic.ts';
import { Account } from './account.ts';
import { Detector, isWeak, type Recipe, type Taken } from './detect.ts';
import { Documents } from './documents.ts';
import { Dumps } from './dumps.ts';
import { Learner } from './learn.ts';
import { mayHoldNotice, noticeOf } from './notices.ts';
import { bare, type Peeled } from './peeled.ts';
import { Pieces } from './pieces.ts';
import type { RecognizerParts } from './recognizer-parts.ts';
import { isRecord, Streams } from './streams.ts';

/** Shorter lines are no record on their own. */
const MIN_LENGTH = 8;
const INCOMPLETE: Malformed = { kind: 'malformed', reason: 'record is not complete' };
const TOO_LONG =
  'line is longer than 1 MiB; of JSON give one record a line (jq -c), of anything else the log as it was printed';
/** A brace and a bracket. */
const OPENERS: ReadonlySet<number> = new Set([123, 91]);

/** A line that was read on its own. */
export interface KnownLine {
  readonly flow: Flow;
  readonly parser: Parser;
  /** How it was read, and what its wrappings told of who wrote it; null: it had none. */
  readonly wrapped: Wrapped | null;
}

/** The wrappings of a line that was read. */
export interface Wrapped {
  readonly recipe: Recipe;
  readonly origin: Origin;
  readonly payload: string;
}

/**
 * Turns the lines of one input into records, and accounts for every line in the tally. A line is part of an open record, of an
 * open document, a record of its own, a piece of one, held until its format is learnt, or none of ours: asked in this order.
 * Never throws on any line.
 */
export class Recognizer {
  readonly #parts: RecognizerParts;
  readonly #account: Account;
  readonly #pieces: Pieces;
  readonly #detector: Detector;
  readonly #streams: Streams;
  readonly #documents: Documents;
  readonly #learner: Learner;
  readonly #dumps = new Dumps();
  #known: KnownLine | null = null;

  constructor(parts: RecognizerParts) {
    this.#parts = parts;
    this.#account = new Account(parts.tally);
    this.#pieces = new Pieces(this.#account);
    this.#detector = new Detector(parts.parsers, parts.wrappings, this.home, this.#pieces);
    this.#streams = new Streams(this.#detector, {
      complete: (record, parser, origin, more) => {
        this.#account.join(more);
        this.#complete(record, parser, origin);
      },
      joined: (line) => this.#pieces.settle(line, 'joined'),
      givenUp: (first, parser, isMine) => this.#readAfter(first, parser, isMine),
      again: (line) => this.#read(line),
    });
    this.#documents = new Documents(parts.wrappings);
    this.#learner = new Learner(parts.infer ?? null);
  }

  /** Takes the next line. Answers its flow and how it was read if it was a record on its own. */
  feed(given: Line): KnownLine | null {
    const line = bare(given);
    this.#known = null;
    this.#account.take(1);
    if (given.truncated) this.#account.truncated(line.at, TOO_LONG, line.payload);
    else if (this.#isTooShort(line.payload)) this.#account.skip(line.payload, line.at);
    else this.#read(line);
    return this.#known;
  }

  /** Who wrote the lines that do not say so. */
  get home(): Origin {
    return this.#parts.home ?? UNKNOWN_ORIGIN;
  }

  /** Whether the next line may be part of something that is open, so that it must be fed. */
  get busy(): boolean {
    return this.#streams.isOpen || this.#pieces.waiting || this.#documents.isOpen;
  }

  /** How the line before was read, if it was a record on its own or a part of one: so the next one is tried first. */
  get recipe(): Recipe | null {
    return this.#detector.last;
  }

  /** Counts a line that is known to be a record of its own: without wrappings, or in those of `recipe`. */
  pass({ parser, wrapped }: Pick<KnownLine, 'parser' | 'wrapped'>): void {
    this.#account.take(1);
    if (wrapped === null) this.#detector.noteBare(parser);
    this.#account.record(parser);
    this.#streams.note(parser, wrapped?.origin ?? UNKNOWN_ORIGIN, null);
  }

  /** The input ended: what is still open is accounted for. */
  end(): void {
    do {
      this.#streams.closeAll();
      const { inside, lines } = this.#documents.end();
      this.#readPart(inside, lines);
      while (this.#learner.isHolding) this.#learn();
    } while (this.#streams.isOpen);
    this.#pieces.end();
    this.#streams.clear();
  }

  #read(line: Peeled): void {
    if (this.#goesOn(line)) return;
    if (this.#documents.isOpen) this.#readInDocument(line);
    else this.#readNext(line, true);
  }

  /** Whether a line is taken by an open record. One that is closed may be opened anew by another parser, which is asked then. */
  #goesOn(line: Peeled): boolean {
    while (this.#streams.isOpen) {
      const outcome = this.#streams.goOn(line);
      if (outcome !== 'closed') return outcome === 'joined';
    }
    return false;
  }

  /** Reads a line that belongs to no open record or document. It may begin a document only if it `mayBegin` one. */
  #readNext(line: Peeled, mayBegin: boolean): void {
    const found = this.#detector.read(line);
    if (this.#pieces.waiting && found?.kind !== 'piece') this.#settlePieces(line, found);
    if (found === null) this.#readUnknown(line, mayBegin);
    else if (found.kind === 'piece') this.#pieces.hold(found.envelope);
    else if (mayBegin && isWeak(found.parsed, found.parser, found.envelope.payload)) this.#readWeak(line, found);
    else this.#takeOrHold(found, line);
  }

  /** A whole line came after pieces: in its streams they are part of its record, or of no line of ours. */
  #settlePieces(line: Peeled, found: Taken | null): void {
    const sources = found === null ? this.#detector.sourcesOf(line) : [found.envelope];
    for (const source of sources) this.#pieces.settle(source, found === null ? 'skipped' : 'joined');
  }

  /** A line that is no whole record: it may begin a document, or be the first piece of a line that was broken by an editor. */
  #readWeak(line: Peeled, claim: Taken | null): void {
    if (this.#documents.begin(line, claim)) this.#readInDocument(line);
    else if (claim !== null) this.#takeOrHold(claim, line);
    else this.#readUnknown(line, false);
  }

  /** Reads a line that `parser` began and gave up: by the parsers after it, else it is broken, or none of ours. */
  #readAfter(line: Peeled, parser: Parser, isMine: boolean): void {
    const found = this.#detector.readAfter(line, parser);
    if (found?.kind === 'taken') this.#take(found, line);
    else this.#readWeak(line, isMine ? { kind: 'taken', envelope: line, parsed: INCOMPLETE, parser } : null);
  }

  /** A line that no parser knows: part of the record before, or none of ours. */
  #readUnknown(line: Peeled, mayBegin: boolean): void {
    if (this.#streams.continues(line)) this.#account.join(1);
    else if (mayBegin && this.#documents.begin(line, null)) this.#readInDocument(line);
    else if (!this.#hold(line)) this.#skip(line);
  }

  #takeOrHold(found: Taken, line: Peeled): void {
    if (found.parser.takesParts !== true || !this.#hold(line)) this.#take(found, line);
  }

  #take({ parsed, parser, envelope }: Taken, line: Peeled): void {
    if (isRecord(parsed)) {
      const flow = this.#complete(parsed, parser, envelope.origin);
      this.#known = flow === null ? null : this.#knownLine(flow, parser, envelope);
    } else if (parsed.kind === 'malformed' || this.#streams.isRereading) {
      const { reason } = parsed.kind === 'malformed' ? parsed : INCOMPLETE;
      this.#account.malformed(line.at, reason, line.payload);
    } else {
      this.#streams.open(parser, envelope, line);
    }
  }

  #knownLine(flow: Flow, parser: Parser, { wrappings, origin, payload }: Peeled): KnownLine | null {
    if (wrappings.length === 0) return { flow, parser, wrapped: null };
    const recipe = this.#detector.last;
    const isItsOwn = recipe?.parser === parser && recipe.ids.join(' ') === wrappings.join(' ');
    return isItsOwn ? { flow, parser, wrapped: { recipe, origin, payload } } : null;
  }

  #complete(record: LogRecord, parser: Parser, origin: Origin): Flow | null {
    this.#account.record(parser);
    this.#streams.note(parser, origin, record);
    return this.#parts.fold(this.#dumps.toldOf(record));
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
      else this.#skip(line);
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
    const isOurs = inside.some((one) => this.#streams.mayGoOn(one) || this.#detector.read(one) !== null);
    this.#documents.noteForeign(isOurs ? 0 : inside.length);
    if (!isOurs) {
      for (const line of lines) this.#readAlone(line);
      return;
    }
    this.#account.take(Math.max(0, inside.length - lines.length));
    this.#account.join(Math.max(0, lines.length - inside.length));
    for (const one of inside) if (!this.#goesOn(one)) this.#readNext(one, false);
  }

  /** Reads a line of which it is known that it goes with no other. */
  #readAlone(line: Peeled): void {
    const found = this.#detector.read(line);
    if (found?.kind === 'taken' && isRecord(found.parsed)) this.#take(found, line);
    else if (!this.#hold(line)) this.#skip(line);
  }

  /** A line that is none of ours: in whatever wrapping, what the fetching tool said of the log; else of a shape that is told. */
  #skip(line: Peeled): void {
    const texts = mayHoldNotice(line.payload) ? this.#detector.peelings(line).map(({ payload }) => payload) : [];
    const text = texts.find((one) => noticeOf(one) !== null) ?? line.payload;
    this.#account.skip(text, line.at);
  }

  /** Too short for a record, unless it goes on with one or begins a document. */
  #isTooShort(text: string): boolean {
    if (text.length >= MIN_LENGTH || this.#streams.size > 0 || this.#documents.isOpen) return false;
    const trimmed = text.trim();
    return !OPENERS.has(trimmed.charCodeAt(0)) && !OPENERS.has(trimmed.charCodeAt(trimmed.length - 1));
  }
}
