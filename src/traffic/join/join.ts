import type { Flow } from '../../model/traffic.ts';
import { grouped } from '../../text/grouped.ts';
import { instantMs } from '../../text/time.ts';
import { aheadOf, type Clocks, NO_CLOCKS, readClocks } from './clocks.ts';
import type { Incident } from './incident.ts';
import type { LinePair } from './pair.ts';
import { LINE_PAIRS } from './pairs.ts';
import { withProvedIdentity } from './proved.ts';

/** Flows of two ends that are further apart than this in time are not one failure. */
const MAX_SKEW_MS = 120_000;
/** Flows of one key are compared with each other up to so many pairs; of more, none is joined. */
const MAX_COMPARED = 1_000_000;

/** What is known while joining. */
interface Joining {
  readonly clocks: Clocks;
  /** Causes of a flow that is one of the others. Empty: it is one of several, it does not show which. */
  readonly explained: Map<Flow, readonly Flow[]>;
  /** Failures that such a flow saw beyond what its causes saw. */
  readonly surplus: Map<Flow, number>;
}

/** A flow that only saw failures, and the causes that may be theirs. */
interface Seen {
  readonly flow: Flow;
  readonly causes: readonly Flow[];
  /** Those of them with which it shares the mark of an event. */
  readonly proved: readonly Flow[];
  /** True: marks could have shown that it is of one of the others, and do not. */
  readonly isUnproved: boolean;
}

/**
 * Joins lines of one failure, flow by flow. Each flow is the flow of one incident or explained by others, and counts are
 * kept: what one end saw beyond what the other saw stays an incident of its own. The order of the flows changes nothing.
 */
export function joinEnds(flows: readonly Flow[]): readonly Incident[] {
  const incidents = joinBy(flows, NO_CLOCKS);
  const clocks = readClocks(incidents);
  const isFarOff = [...clocks.values()].some(({ aheadMs }) => Math.abs(aheadMs) > MAX_SKEW_MS / 2);
  return (isFarOff ? joinBy(flows, clocks) : incidents).map(withProvedIdentity);
}

function joinBy(flows: readonly Flow[], clocks: Clocks): readonly Incident[] {
  const joining: Joining = { clocks, explained: new Map(), surplus: new Map() };
  // In the order of keys: the order of input must not decide which flow keeps a surplus.
  const sorted = [...flows].sort((a, b) => (a.key < b.key ? -1 : 1));
  for (const pair of LINE_PAIRS) joinPair(pair, sorted, joining);
  const others = new Map<Flow, Flow[]>();
  for (const flow of sorted) {
    if (!joining.explained.has(flow)) continue;
    for (const root of rootsOf(flow, joining)) {
      const list = others.get(root);
      if (list === undefined) others.set(root, [flow]);
      else list.push(flow);
    }
  }
  return flows
    .filter((flow) => !joining.explained.has(flow) || joining.surplus.has(flow))
    .map((flow) => ({
      flow,
      others: joining.explained.has(flow) ? [] : (others.get(flow) ?? []),
      isJoined: true,
      count: joining.surplus.get(flow) ?? flow.count,
    }));
}

function joinPair(pair: LinePair, flows: readonly Flow[], joining: Joining): void {
  const seen = grouped(flows, (flow) => (joining.explained.has(flow) ? null : pair.seen(flow.record)));
  if (seen.size === 0) return;
  const causes = grouped(flows, (flow) => {
    const key = pair.cause(flow.record);
    return key !== null && rootsOf(flow, joining).length > 0 ? key : null;
  });
  for (const [key, group] of seen) {
    const named = causes.get(key) ?? [];
    if (named.length > 0 && named.length * group.length <= MAX_COMPARED) joinGroup(pair, group, named, joining);
  }
}

/** The flows that a flow's failures are told by at last: itself if nothing explains it. */
function rootsOf(flow: Flow, joining: Joining): readonly Flow[] {
  const causes = joining.explained.get(flow);
  if (causes === undefined) return [flow];
  return [...new Set(causes.flatMap((cause) => rootsOf(cause, joining)))];
}

/** Joins what was seen under one key with the causes that were named under it. */
function joinGroup(pair: LinePair, group: readonly Flow[], causes: readonly Flow[], joining: Joining): void {
  const seen = group.map((flow) => seenBy(pair, flow, causes, joining)).filter((one) => one.causes.length > 0);
  const claims = claimsOf(seen);
  const left = new Map(causes.map((cause) => [cause, cause.count]));
  // What is proved takes its share first.
  for (const one of [...seen].sort((a, b) => Number(isProved(b)) - Number(isProved(a)))) {
    if (isProved(one) || isClear(pair, one, claims, joining)) explain(one, left, joining);
  }
}

function isProved({ causes, proved }: Seen): boolean {
  return causes.length === proved.length;
}

/** How many failures were seen that may be of each cause. */
interface Claims {
  readonly byCause: ReadonlyMap<Flow, number>;
  /** True: every flow may be of every cause, and all of them saw no more than the causes tell. */
  readonly areCovered: boolean;
}

function claimsOf(seen: readonly Seen[]): Claims {
  const byCause = new Map<Flow, number>();
  let demand = 0;
  for (const { flow, causes } of seen) {
    demand += flow.count;
    for (const cause of causes) byCause.set(cause, (byCause.get(cause) ?? 0) + flow.count);
  }
  const supply = [...byCause.keys()].reduce((sum, { count }) => sum + count, 0);
  return { byCause, areCovered: demand <= supply && seen.every(({ causes }) => causes.length === byCause.size) };
}

/** Whether joining a flow without proof can hide no other failure. */
function isClear(pair: LinePair, { flow, causes }: Seen, { byCause, areCovered }: Claims, joining: Joining): boolean {
  if (pair.isClockFault && !causes.every((cause) => overlaps(flow, cause, joining.clocks))) {
    return causes.every((cause) => byCause.get(cause) === cause.count);
  }
  if (pair.isOneSubject) return true;
  const isAlone = causes.every((cause) => byCause.get(cause) === flow.count);
  const fits = areCovered || causes.every((cause) => (byCause.get(cause) ?? 0) <= cause.count);
  return rootsOfAll(causes, joining).length === 1 && (isAlone || fits);
}

function rootsOfAll(flows: readonly Flow[], joining: Joining): readonly Flow[] {
  return [...new Set(flows.flatMap((flow) => rootsOf(flow, joining)))];
}

/** The causes that may be those of a flow. */
function seenBy(pair: LinePair, flow: Flow, causes: readonly Flow[], joining: Joining): Seen {
  const near = (cause: Flow): boolean => pair.isClockFault || overlaps(flow, cause, joining.clocks);
  const others = causes.filter((cause) => !rootsOf(cause, joining).includes(flow));
  // A request has its id for itself; a socket is used again.
  const proved = others.filter((cause) => sharesMark(pair, flow, cause) && (pair.mark === 'request' || near(cause)));
  const possible = pair.needsMark ? [] : others.filter((cause) => near(cause) && !isRefuted(pair, flow, cause));
  const isEnough = proved.reduce((sum, { count }) => sum + count, 0) >= flow.count;
  if (proved.length > 0 && (isEnough || possible.length <= proved.length)) {
    return { flow, causes: proved, proved, isUnproved: false };
  }
  const isUnproved = possible.length > 0 && possible.every((cause) => isMarked(pair, flow, cause));
  return { flow, causes: possible, proved, isUnproved };
}

/** Gives what a flow saw to its causes; what is left over is surplus. */
function explain({ flow, causes, proved, isUnproved }: Seen, left: Map<Flow, number>, joining: Joining): void {
  let rest = flow.count;
  for (const cause of causes) {
    const taken = Math.min(rest, left.get(cause) ?? 0);
    left.set(cause, (left.get(cause) ?? 0) - taken);
    rest -= taken;
  }
  if (rest === flow.count) return;
  const isSure = !isUnproved && rootsOfAll(causes, joining).length === 1;
  joining.explained.set(flow, proved.length === 0 && isSure ? causes : proved);
  if (rest > 0) joining.surplus.set(flow, rest);
}

function marksOf(pair: LinePair, { marks }: Flow['samples'][number]): readonly string[] {
  return marks.filter((mark) => mark.startsWith(`${pair.mark} `));
}

function sharesMark(pair: LinePair, a: Flow, b: Flow): boolean {
  if (pair.mark === null) return false;
  return a.samples.some((one) =>
    b.samples.some(({ marks }) => marksOf(pair, one).some((mark) => marks.includes(mark))),
  );
}

/** True where every kept line of both names its event. */
function isMarked(pair: LinePair, a: Flow, b: Flow): boolean {
  return [...a.samples, ...b.samples].every((sample) => marksOf(pair, sample).length > 0);
}

/** True where every line of both is kept and names its event, and no event is the same. */
function isRefuted(pair: LinePair, a: Flow, b: Flow): boolean {
  const isWhole = a.count === a.samples.length && b.count === b.samples.length;
  return isWhole && isMarked(pair, a, b) && !sharesMark(pair, a, b);
}

function overlaps(a: Flow, b: Flow, clocks: Clocks): boolean {
  if (a.firstSeen === null || a.lastSeen === null || b.firstSeen === null || b.lastSeen === null) return true;
  const ahead = aheadOf(a, b, clocks);
  const apart = Math.max(
    instantMs(a.firstSeen) - instantMs(b.lastSeen) - ahead,
    instantMs(b.firstSeen) - instantMs(a.lastSeen) + ahead,
  );
  return apart <= MAX_SKEW_MS;
}
