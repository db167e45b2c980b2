import { judge } from './judge.ts';
import type { Finding, Rule } from './model/finding.ts';
import type { Instant, Line, Wrapping } from './model/line.ts';
import type { MeshView } from './model/mesh.ts';
import type { LogRecord, Parser } from './model/record.ts';
import type { Remedy, Wishes } from './model/remedy.ts';
import type { Problem, Report } from './model/report.ts';
import type { Flow, Traffic } from './model/traffic.ts';
import { doubtsOn } from './remedy/doubts.ts';
import { nothingLeftToDo, proposeRemedies } from './remedy/propose.ts';
import { Trial } from './remedy/trial.ts';
import { buildReport } from './report/build.ts';
import type { LearntFormat } from './report/inputs.ts';
import { settle } from './settle.ts';
import { BulkCounter } from './skim/bulk.ts';
import { readLogPath } from './text/log-path.ts';
import { clockProblems } from './traffic/join/clocks.ts';
import { joinEnds } from './traffic/join/join.ts';
import type { Infer } from './traffic/learn.ts';
import { Recognizer } from './traffic/recognize.ts';
import { emptyTally, emptyTraffic, fold } from './traffic/traffic.ts';

/** What a run is wired from. */
export interface AnalysisParts {
  readonly parsers: readonly Parser[];
  readonly wrappings: readonly Wrapping[];
  readonly rules: readonly Rule[];
  readonly mesh: MeshView;
  readonly tool: Report['tool'];
  /** Only records in this span are looked at, both ends included; records without a time are always in. */
  readonly since: Instant | null;
  readonly until: Instant | null;
  readonly wishes: Wishes;
  /** Learns access log formats that no parser knows. Absent: they stay unknown. */
  readonly infer?: Infer;
}

/** New flows remembered between two calls of `freshFindings`; what is beyond is told in the report only. */
const MAX_FRESH = 4096;

/** One run: lines in, findings at any time, a report at the end. Pure and synchronous. */
export class Analysis {
  readonly #parts: AnalysisParts;
  readonly #traffic: Traffic = emptyTraffic();
  /** Of the inputs that have not ended. */
  readonly #recognizers = new Map<string, Recognizer>();
  readonly #bulk: BulkCounter;
  /** The input of which `#bulk` knows the shapes: lines of another one are of other flows where another pod wrote them. */
  #input: string | null = null;
  readonly #problems: Problem[] = [];
  readonly #learnt: LearntFormat[] = [];
  /** Notable flows that came up since `freshFindings` was asked last. */
  #fresh: Flow[] = [];
  readonly #announced = new Set<string>();
  /** Records that are not in the span asked for. */
  #outside = 0;

  constructor(parts: AnalysisParts) {
    this.#parts = parts;
    this.#bulk = new BulkCounter(this.#traffic, parts.parsers);
  }

  /** Takes one line of any input. Lines of one input must come in order. */
  feed(line: Line): void {
    this.#recognizer(line.at.input).feed(line);
  }

  /**
   * Takes a line of an input (its number from 1) as it stands in `bytes`, without its line end; the bytes are free again afterwards. The same as `feed`
   * with the text, but a line whose shape is known is counted without being parsed.
   */
  feedBytes(input: string, line: number, bytes: Buffer, start: number, end: number): void {
    const recognizer = this.#recognizer(input);
    const skims = !recognizer.busy && this.#parts.since === null && this.#parts.until === null;
    if (input !== this.#input) this.#bulk.forget();
    this.#input = input;
    const counted = skims ? this.#bulk.count(bytes, start, end, recognizer.recipe) : null;
    if (counted !== null) {
      recognizer.pass(counted);
      return;
    }
    const known = recognizer.feed({ at: { input, line }, text: bytes.toString('utf8', start, end), truncated: false });
    if (skims && known !== null) this.#bulk.learn(bytes, start, end, known);
  }

  /** Says that an input has no more lines, or none for now. Also makes an empty input known. */
  end(input: string): void {
    this.#bulk.forget();
    this.#recognizer(input).end();
    // An archive may have many thousand members.
    this.#recognizers.delete(input);
  }

  /** Adds something that went wrong outside: a file that could not be read. */
  addProblem(problem: Problem): void {
    this.#problems.push(problem);
  }

  /**
   * Findings above `note` that were not there when this was asked last. Counts are of the moment, and the ends are not joined:
   * what one end sees may be told here and be evidence of the other end's finding in the report.
   */
  freshFindings(): readonly Finding[] {
    if (this.#fresh.length === 0) return [];
    const incidents = this.#fresh.map((flow) => ({ flow, others: [], isJoined: false, count: flow.count }));
    this.#fresh = [];
    const { findings } = judge(incidents, this.#parts.rules, this.#parts.mesh);
    const news = findings.filter((finding) => finding.level !== 'note' && !this.#announced.has(finding.fingerprint));
    for (const finding of news) this.#announced.add(finding.fingerprint);
    return news;
  }

  /** The report on everything read so far. `generatedAt` is given because there is no clock here. */
  report(generatedAt: Instant, partial: boolean): Report {
    const { rules, mesh, tool } = this.#parts;
    this.#bulk.forget();
    const flows = [...this.#traffic.flows.values()];
    const notable = flows.filter((flow) => flow.samples.length > 0);
    const unnotable = flows.filter((flow) => flow.samples.length === 0);
    const worked = unnotable.filter(({ record }) => record.kind !== 'diagnostic');
    const quiet = unnotable.filter(({ record }) => record.kind === 'diagnostic');
    const incidents = joinEnds(notable);
    const judged = judge(incidents, rules, mesh);
    const { findings, untold, isOver, withIntent } = settle(judged.findings, { failed: notable, worked, quiet }, mesh);
    const remedyProblems: Problem[] = [];
    const trial = new Trial(mesh, worked, this.#parts.wishes, withIntent);
    const byId = new Map(rules.map((rule) => [rule.meta.id, rule]));
    const remediesOf = (finding: Finding): readonly Remedy[] => {
      if (isOver(finding)) return [nothingLeftToDo(finding)];
      const proposed = proposeRemedies(finding, byId.get(finding.ruleId) ?? null, trial);
      remedyProblems.push(...proposed.problems);
      return proposed.remedies;
    };
    const reported = buildReport({
      tool,
      generatedAt,
      partial,
      traffic: this.#traffic,
      mesh,
      findings,
      untold,
      remediesOf,
      learnt: this.#learnt,
      problems: [...this.#problems, ...this.#spanProblem(), ...clockProblems(incidents), ...judged.problems],
    });
    return { ...reported, problems: [...reported.problems, ...remedyProblems, ...doubtsOn(findings, trial)] };
  }

  #spanProblem(): readonly Problem[] {
    if (this.#outside === 0) return [];
    const message = `${this.#outside} records are outside the span of --since and --until and were left out`;
    return [{ about: 'span', message }];
  }

  #recognizer(input: string): Recognizer {
    const known = this.#recognizers.get(input);
    if (known !== undefined) return known;
    const tally = this.#traffic.tallies.get(input) ?? emptyTally(input);
    this.#traffic.tallies.set(input, tally);
    const { parsers, wrappings } = this.#parts;
    const recognizer = new Recognizer({
      parsers,
      wrappings,
      tally,
      home: readLogPath(input),
      fold: (record) => this.#fold(record),
      ...(this.#parts.infer === undefined ? {} : { infer: this.#parts.infer }),
      learnt: (format) => this.#learnt.push({ input, format }),
    });
    this.#recognizers.set(input, recognizer);
    return recognizer;
  }

  #fold(record: LogRecord): Flow | null {
    if (!this.#isWanted(record)) {
      this.#outside++;
      return null;
    }
    const flow = fold(this.#traffic, record);
    if (flow.count === 1 && flow.samples.length > 0 && this.#fresh.length < MAX_FRESH) this.#fresh.push(flow);
    return flow;
  }

  #isWanted({ time }: Pick<LogRecord, 'time'>): boolean {
    const { since, until } = this.#parts;
    return time === null || ((since === null || time >= since) && (until === null || time <= until));
  }
}
