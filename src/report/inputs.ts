import type { Problem } from '../model/report.ts';
import type { InputNotice, InputTally, UnrecognisedShape } from '../model/traffic.ts';
import { grouped } from '../text/grouped.ts';
import { clip } from '../text/sanitize.ts';

/** A format that was learnt from the lines of an input. */
export interface LearntFormat {
  readonly input: string;
  readonly format: string;
}

/** One thing to tell of an input. */
interface Remark {
  readonly tally: InputTally;
  /** What remarks of several inputs that say the same have in common. */
  readonly kind: string;
  readonly alone: string;
  /** The same of several inputs. `of`: how many they are and of how many, in words. */
  readonly together: (remarks: readonly Remark[], of: string) => string;
  readonly notice: InputNotice | null;
}

/** From so many lines and such a share on it is worth a line in the report that an input was not understood. */
const MANY_SKIPPED = 10;
const LARGE_SHARE = 0.25;
/** Characters of a shape that is told. */
const MAX_SHAPE = 120;
/** So many files that are in no archive are told one by one. */
const FEW = 5;

/**
 * What to tell of inputs: that nothing was understood, lines are broken, a format was learnt. Members of one archive with the
 * same fault are one problem, and so are many files, for there may be thousands.
 */
export function inputProblems(
  tallies: ReadonlyMap<string, InputTally>,
  learnt: readonly LearntFormat[],
): readonly Problem[] {
  const all = [...tallies.values()];
  const remarks = [...all.flatMap(remarksOf), ...learnt.flatMap((one) => learntRemark(one, tallies.get(one.input)))];
  const sizes = new Map<string, number>();
  for (const { name } of all) sizes.set(archiveOf(name), (sizes.get(archiveOf(name)) ?? 0) + 1);
  const groups = grouped(remarks, ({ tally, kind }) => `${archiveOf(tally.name)}\u0001${kind}`);
  return [...groups.values()].flatMap((group) => groupProblems(group, sizes));
}

/** The archive of which an input is a member; '' for a file of its own. */
function archiveOf(name: string): string {
  return name.slice(0, Math.max(0, name.indexOf('!')));
}

function groupProblems(group: readonly Remark[], sizes: ReadonlyMap<string, number>): readonly Problem[] {
  const [first] = group;
  if (first === undefined) return [];
  const archive = archiveOf(first.tally.name);
  if (group.length <= (archive === '' ? FEW : 1)) {
    return group.map(({ tally, alone }) => ({ about: `input ${tally.name}`, message: alone }));
  }
  const about = archive === '' ? folderOf(group.map(({ tally }) => tally.name)) : archive;
  const of = `${group.length} of ${sizes.get(archive) ?? group.length} logs`;
  return [{ about: `input ${about}`, message: first.together(group, of) }];
}

/** The folder below which all these files are; `*` where there is none. */
function folderOf(names: readonly string[]): string {
  const [first = [], ...others] = names.map((name) => name.split('/').slice(0, -1));
  const differs = first.findIndex((part, depth) => others.some((other) => other[depth] !== part));
  const folder = (differs < 0 ? first : first.slice(0, differs)).join('/');
  return folder === '' ? '*' : folder;
}

function remarksOf(tally: InputTally): readonly Remark[] {
  const { malformed, truncated, notices } = tally;
  const remarks = [...coverageRemark(tally), ...notices.map((notice) => noticeRemark(tally, notice))];
  const counted = [
    { count: malformed, key: 'malformed', fault: 'are of a known format but broken' },
    { count: truncated, key: 'truncated', fault: 'are longer than 1 MiB and were not read' },
  ] as const;
  for (const { count, key, fault } of counted) {
    if (count === 0) continue;
    remarks.push({
      tally,
      kind: key,
      alone: `${count} lines ${fault}`,
      together: (all, of) => `${sum(all, (one) => one[key])} lines in ${of} ${fault}`,
      notice: null,
    });
  }
  return remarks;
}

/** What to tell of an input of which nothing, or much, was not understood. */
function coverageRemark(tally: InputTally): readonly Remark[] {
  const { lines, records, skipped } = tally;
  if (lines === 0) {
    const together = (_all: readonly Remark[], of: string): string => `${of} are empty`;
    return [{ tally, kind: 'empty', alone: 'it is empty: no line was read', together, notice: null }];
  }
  if (records === 0) {
    const known = 'is of a format known here (ztunnel, Envoy access log, istio-agent)';
    const together = (all: readonly Remark[], of: string): string =>
      `in ${of} none of the ${sum(all, (one) => one.lines)} lines ${known}${looks(shapesOf(all))}`;
    const alone = `none of its ${lines} lines ${known}${looks(tally.unrecognised)}`;
    return [{ tally, kind: 'unknown', alone, together, notice: null }];
  }
  if (skipped < MANY_SKIPPED || skipped < LARGE_SHARE * lines) return [];
  const fault = 'lines are of no format known here';
  const together = (all: readonly Remark[], of: string): string => {
    const total = sum(all, (one) => one.lines);
    const unknown = sum(all, (one) => one.skipped);
    return `in ${of} ${percent(unknown, total)} of the ${total} ${fault}${looks(shapesOf(all))}`;
  };
  const alone = `${percent(skipped, lines)} of its ${lines} ${fault}${looks(tally.unrecognised)}`;
  return [{ tally, kind: 'partly', alone, together, notice: null }];
}

function percent(part: number, whole: number): string {
  return `${Math.floor((100 * part) / whole)} %`;
}

function noticeRemark(tally: InputTally, notice: InputNotice): Remark {
  const { meaning, count, line, sample } = notice;
  const more = count > 1 ? `, and ${count - 1} more` : '';
  return {
    tally,
    kind: `notice ${meaning}`,
    alone: `${meaning} (line ${line}: ${JSON.stringify(sample)}${more})`,
    together: (all, of) => {
      const told = all.reduce((total, one) => total + (one.notice?.count ?? 0), 0);
      return `${meaning} (${told} lines in ${of}; line ${line} of ${tally.name}: ${JSON.stringify(sample)})`;
    },
    notice,
  };
}

function learntRemark({ format }: LearntFormat, tally: InputTally | undefined): readonly Remark[] {
  if (tally === undefined) return [];
  const advice = `read with a format inferred from its lines: ${format}; where it is wrong, give the right one with --access-log-format`;
  return [
    { tally, kind: `learnt ${format}`, alone: advice, together: (_all, of) => `${of} are ${advice}`, notice: null },
  ];
}

function sum(remarks: readonly Remark[], of: (tally: InputTally) => number): number {
  return remarks.reduce((total, { tally }) => total + of(tally), 0);
}

function shapesOf(remarks: readonly Remark[]): readonly UnrecognisedShape[] {
  return remarks.flatMap(({ tally }) => tally.unrecognised);
}

/** What most of the lines that were not recognised look like. A shape may stand several times. */
function looks(unrecognised: readonly UnrecognisedShape[]): string {
  const counts = new Map<string, number>();
  for (const { shape, count } of unrecognised) if (shape !== '') counts.set(shape, (counts.get(shape) ?? 0) + count);
  const [most] = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return most === undefined ? '' : `; ${most[1]} look like ${JSON.stringify(clip(most[0], MAX_SHAPE))}`;
}
