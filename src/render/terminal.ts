import { styleText } from 'node:util';
import type { Finding, Level } from '../model/finding.ts';
import type { ObjectChange, Remedy } from '../model/remedy.ts';
import type { Report, ReportedFinding } from '../model/report.ts';
import { grouped } from '../text/grouped.ts';
import { refText } from '../text/object-ref.ts';
import { clip, printable } from '../text/sanitize.ts';
import { type Alike, foldAlike } from './alike.ts';
import { changeLines } from './change.ts';
import { destinationText, sourceText } from './ends.ts';
import { labelled, WIDTH, wrap } from './layout.ts';
import { reachText } from './reach.ts';

/** How to print for a terminal. */
export interface TerminalOptions {
  readonly colour: boolean;
  /** Findings printed; the rest is counted. */
  readonly top: number;
}

const INDENT = 3;
/** Findings alike that are named. */
const MAX_ALIKE = 3;
/** Connections that a change would newly allow, printed; `-o json` has all. */
const MAX_OPENED = 3;

/** The report for people: worst first, at most 80 columns (commands are never broken), one or two dozen lines a finding. */
export function renderTerminal(report: Report, options: TerminalOptions): string {
  const main = report.findings.filter((finding) => finding.level !== 'note');
  const notes = report.findings.filter((finding) => finding.level === 'note');
  const told = foldAlike(main);
  const shown = told.slice(0, options.top);
  const blocks = [
    headline(report, told.length),
    ...shown.map((alike, index) => findingBlock(alike, index + 1, options)),
    told.length > shown.length ? [`… and ${told.length - shown.length} more: --top ${told.length} prints them`] : [],
    noteBlock(notes, options.top),
    problemBlock(report),
    nextBlock(report, main),
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

/** One line for a finding that has just come up in a live stream. */
export function renderOpened(finding: Finding, options: TerminalOptions): string {
  const level = label(finding.level, options.colour);
  const ends = `${sourceText(finding.source)} -> ${destinationText(finding.destination)}`;
  return `${level} ${finding.category}: ${finding.title}\n   ${clip(ends, WIDTH - INDENT)}\n`;
}

function headline(report: Report, causes: number): readonly string[] {
  const partial = report.partial ? ' (interrupted: what was read so far)' : '';
  return wrap(`meshmend: ${summaryOf(report, causes)}${partial}`, WIDTH);
}

function summaryOf(report: Report, causes: number): string {
  const { records, failures } = report.totals;
  const inputs = count(report.inputs.length, 'input');
  if (records === 0) return `nothing was understood in ${inputs}`;
  const told = `${count(records, 'record')} of ${inputs}`;
  return causes === 0
    ? `nothing failed in ${told}`
    : `${count(causes, 'cause')} behind ${count(failures, 'failure')} in ${told}`;
}

function findingBlock({ finding, others }: Alike, number: number, options: TerminalOptions): readonly string[] {
  const [remedy] = finding.remedies;
  return [
    heading(finding, number, options),
    ...wrap(printable(finding.title), WIDTH - INDENT).map(indented),
    ...wrap(endsLine(finding), WIDTH - INDENT)
      .slice(0, 2)
      .map(indented),
    ...labelled('Cause', printable(finding.cause), INDENT, 3),
    ...policyLines(finding),
    ...nearMissLines(finding),
    ...(remedy === undefined ? [] : remedyLines(remedy)),
    ...finding.unchecked.slice(0, 1).flatMap((text) => labelled('Unsure', printable(text), INDENT, 2)),
    ...evidenceLine(finding),
    ...othersLine(others),
  ];
}

/** What else the same caller was refused for the same reason. */
function othersLine(others: readonly ReportedFinding[]): readonly string[] {
  if (others.length === 0) return [];
  const named = others.slice(0, MAX_ALIKE).map(({ destination }) => destinationText(destination));
  const more = others.length > named.length ? ', …' : '';
  return labelled(
    'Also',
    `${others.length} more of this caller: ${named.join(', ')}${more} (-o json has each)`,
    INDENT,
    2,
  );
}

function heading(finding: ReportedFinding, number: number, options: TerminalOptions): string {
  const left = `${String(number).padEnd(INDENT)}${label(finding.level, options.colour)} ${finding.category}, ${finding.certainty}`;
  const bare = `${String(number).padEnd(INDENT)}${finding.level.toUpperCase()} ${finding.category}, ${finding.certainty}`;
  const right = `${finding.count}x${span(finding)}`;
  return `${left}${' '.repeat(Math.max(2, WIDTH - bare.length - right.length))}${right}`;
}

/** A level as it is printed. */
export function label(level: Level, colour: boolean): string {
  const text = level.toUpperCase();
  if (!colour) return text;
  return styleText(level === 'error' ? ['red', 'bold'] : level === 'warning' ? ['yellow', 'bold'] : 'cyan', text, {
    validateStream: false,
  });
}

/** `11:30:47 to 11:31:02`, with the day where the span has more than one. */
function span(finding: ReportedFinding): string {
  const { firstSeen, lastSeen } = finding;
  if (firstSeen === null || lastSeen === null) return '';
  const sameDay = firstSeen.slice(0, 10) === lastSeen.slice(0, 10);
  const from = sameDay ? firstSeen.slice(11, 19) : firstSeen.slice(5, 16).replace('T', ' ');
  const to = sameDay ? lastSeen.slice(11, 19) : lastSeen.slice(5, 16).replace('T', ' ');
  return from === to ? `  at ${from}` : `  ${from} to ${to}`;
}

function endsLine(finding: ReportedFinding): string {
  const by = finding.enforcedBy === null ? '' : `, refused by ${finding.enforcedBy}`;
  return `${sourceText(finding.source)} -> ${destinationText(finding.destination)}${by}`;
}

function policyLines(finding: ReportedFinding): readonly string[] {
  if (finding.policies.length === 0) return [];
  return labelled(
    'Policy',
    finding.policies
      .slice(0, 3)
      .map((ref) => printable(refText(ref)))
      .join(', '),
    INDENT,
    2,
  );
}

/** The rule that came closest: which field failed. */
function nearMissLines(finding: ReportedFinding): readonly string[] {
  // For a DENY the "miss" is what matched: nothing to tell beside the policy.
  const miss = finding.nearMiss.find(({ wanted, seen }) => wanted !== seen);
  if (miss === undefined) return [];
  const text = `rule ${miss.rule} of ${miss.policy.namespace}/${miss.policy.name}: ${miss.field} wanted ${miss.wanted}, saw ${miss.seen}`;
  return labelled('Missed', printable(text), INDENT, 2);
}

/** The best remedy of a finding: what to do, the change, its proof and risk, the commands. */
export function remedyLines(remedy: Remedy): readonly string[] {
  const [confirm] = remedy.commands.confirm;
  const { newlyAllows, newlyDenies } = remedy.verification;
  return [
    ...labelled(remedyLabel(remedy), printable(remedy.summary), INDENT, 8),
    ...remedy.changes.slice(0, 2).flatMap((change: ObjectChange) => changeLines(change, INDENT + 8)),
    ...(remedy.changes.length > 0 ? labelled('Proof', printable(proofText(remedy)), INDENT, 2) : []),
    ...(newlyAllows.length > 0 ? labelled('Opens', printable(openedText(newlyAllows)), INDENT, 8) : []),
    ...(newlyDenies.length > 0 ? labelled('Closes', printable(newlyDenies.join('; ')), INDENT, 3) : []),
    ...(remedy.decision === null ? [] : labelled('Decide', printable(remedy.decision), INDENT, 2)),
    ...(remedy.risk === null ? [] : labelled('Risk', printable(remedy.risk), INDENT, 4)),
    ...reachLines(remedy),
    ...commandLine('Check', confirm),
    ...commandLine(remedy.changes.length > 0 ? 'Try' : 'Run', remedy.commands.apply[0]),
  ];
}

/** Whole entries only: half of one would hide who is let in. */
function openedText(opened: readonly string[]): string {
  const told = opened.slice(0, MAX_OPENED);
  return [...told, ...(opened.length > told.length ? [`and ${opened.length - told.length} more`] : [])].join('; ');
}

function proofText({ verification: { status, reason, fixes } }: Remedy): string {
  if (status !== 'verified' || fixes.fixed === 0) return `${status}: ${reason}`;
  return `verified: replayed, ${fixes.fixed} of ${fixes.of} pass, nothing that worked is denied`;
}

function reachLines({ reach }: Remedy): readonly string[] {
  const text = reach === null ? null : reachText(reach);
  return text === null ? [] : labelled('Reach', text, INDENT, 2);
}

/** A command on a line of its own, never broken: it is there to be copied. */
function commandLine(name: string, command: string | undefined): readonly string[] {
  return command === undefined ? [] : [`${' '.repeat(INDENT)}${name.padEnd(8)}${printable(command)}`];
}

/** Steps are to `Do`; a change is a `Fix` once it is proved, before that a `Draft`; what enforces nothing is a `Trial`. */
function remedyLabel(remedy: Remedy): string {
  if (remedy.changes.length === 0) return 'Do';
  const { status, fixes } = remedy.verification;
  if (status !== 'verified') return 'Draft';
  return fixes.fixed === 0 ? 'Trial' : 'Fix';
}

/** Where the lines stand: `destination.log:41, 57; source.log:12`. Folders are left out where the names tell. */
function evidenceLine(finding: ReportedFinding): readonly string[] {
  const byInput = grouped(finding.evidence, ({ input }) => input);
  const names = [...byInput.keys()].map((input) => input.split('/').at(-1) ?? input);
  const short = new Set(names).size === names.length;
  const places = [...byInput].map(
    ([input, lines], index) => `${short ? names[index] : input}:${lines.map(({ line }) => line).join(', ')}`,
  );
  return places.length === 0 ? [] : labelled('Lines', printable(places.join('; ')), INDENT, short ? 1 : 3);
}

function noteBlock(notes: readonly ReportedFinding[], top: number): readonly string[] {
  if (notes.length === 0) return [];
  const totals = new Map<string, number>();
  for (const note of notes) totals.set(note.title, (totals.get(note.title) ?? 0) + note.count);
  const lines = [...totals].sort((a, b) => b[1] - a[1]).map(([title, times]) => clip(`   ${times}x ${title}`, WIDTH));
  return ['Notes (nothing to repair):', ...lines.slice(0, top)];
}

/** What went wrong besides, or was not looked at. */
export function problemBlock(report: Report): readonly string[] {
  if (report.problems.length === 0) return [];
  const lines = report.problems.flatMap(({ about, message }) => {
    const [first = '', ...more] = wrap(printable(`${about}: ${message}`), WIDTH - INDENT - 2);
    return [`   - ${first}`, ...more.map((line) => `     ${line}`)];
  });
  return ['Problems:', ...lines.slice(0, 20)];
}

function nextBlock(report: Report, main: readonly ReportedFinding[]): readonly string[] {
  const [worst] = main;
  const steps = [
    worst === undefined ? null : `meshmend explain ${worst.ruleId}`,
    worst === undefined || report.mesh.known ? null : '--mesh PATH to check against your policies',
    main.some(hasProof) ? '-o patch for files to apply' : null,
    worst === undefined ? null : '-o json for everything',
  ].filter((step) => step !== null);
  return steps.length === 0 ? [] : wrap(`next: ${steps.join('; ')}`, WIDTH);
}

/** True for a finding whose best remedy is a change that was proved. */
function hasProof({ remedies: [best] }: ReportedFinding): boolean {
  return best !== undefined && best.changes.length > 0 && best.verification.status === 'verified';
}

function indented(line: string): string {
  return ' '.repeat(INDENT) + line;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
