import type { Problem } from '../../model/report.ts';
import type { Flow } from '../../model/traffic.ts';
import { grouped } from '../../text/grouped.ts';
import { instantMs } from '../../text/time.ts';
import type { Incident } from './incident.ts';

/** How far apart the clocks of two logs are, by the failures that both saw. */
export interface Skew {
  /** The two logs: pods with their namespaces, or inputs where no pod is told. In the order of text. */
  readonly logs: readonly [string, string];
  /** How much later the first one's times are, in milliseconds. */
  readonly aheadMs: number;
  /** Failures by which that is known. */
  readonly pairs: number;
}

/** The skews of pairs of logs; nothing is known of a pair that is not in it. */
export type Clocks = ReadonlyMap<string, Skew>;

export const NO_CLOCKS: Clocks = new Map();

/** Pairs of lines that must agree before clocks are called wrong, and how closely. */
const MIN_PAIRS = 2;
const MIN_SHARE = 0.75;
const AGREES_MS = 1000;
/** Less is not worth telling, and may be the way from one end to the other. */
const MIN_SKEW_MS = 1000;
const SEPARATOR = '\u0001';

/** The log that a flow was read from: of a pod, whose name another namespace may have too, or an input where no pod is told. */
function logOf({ record, samples }: Flow): string {
  const { cluster, namespace, pod } = record.origin;
  if (pod === null) return samples[0]?.at.input ?? record.at.input;
  return [cluster, namespace, pod].filter((part) => part !== null).join('/');
}

/** How much later than the other flow's log one flow's log prints the same moment, in milliseconds. */
export function aheadOf(flow: Flow, other: Flow, clocks: Clocks): number {
  if (clocks.size === 0) return 0;
  const [a, b] = [logOf(flow), logOf(other)];
  const skew = clocks.get(a < b ? a + SEPARATOR + b : b + SEPARATOR + a);
  return skew === undefined ? 0 : a < b ? skew.aheadMs : -skew.aheadMs;
}

/**
 * Clocks that differ by more than a second, by the median of what the joined ends show. Only lines of the same kind of proxy
 * are compared (Envoy prints when a request began, ztunnel when a connection ended), and a difference that the duration of
 * the call explains is none.
 */
export function readClocks(incidents: readonly Incident[]): Clocks {
  const seen = new Map<string, { readonly logs: readonly [string, string]; readonly aheadMs: number[] }>();
  for (const { flow, others } of incidents) {
    const own = logOf(flow);
    for (const [log, ends] of endsByLog(flow, others)) {
      const logs: readonly [string, string] = own < log ? [own, log] : [log, own];
      const key = logs.join(SEPARATOR);
      const pair = seen.get(key) ?? { logs, aheadMs: [] };
      pair.aheadMs.push(...differencesOf(flow, ends).map((ms) => (own < log ? ms : -ms)));
      seen.set(key, pair);
    }
  }
  const skews = [...seen].flatMap(([key, { logs, aheadMs }]) => {
    const skew = skewOf(logs, aheadMs);
    return skew === null ? [] : [[key, skew] as const];
  });
  return new Map(skews.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The other flows whose times can be compared with the flow's, by their logs. */
function endsByLog(flow: Flow, others: readonly Flow[]): ReadonlyMap<string, readonly Flow[]> {
  const { kind, proxy } = flow.record;
  const own = logOf(flow);
  const alike = others.filter(({ record }) => kind !== 'diagnostic' && proxy === record.proxy);
  return grouped(
    alike.filter((other) => logOf(other) !== own),
    logOf,
  );
}

function skewOf(logs: readonly [string, string], aheadMs: readonly number[]): Skew | null {
  const median = [...aheadMs].sort((a, b) => a - b)[Math.floor(aheadMs.length / 2)] ?? 0;
  const pairs = aheadMs.filter((ms) => Math.abs(ms - median) <= AGREES_MS).length;
  const isSure = pairs >= MIN_PAIRS && pairs >= MIN_SHARE * aheadMs.length;
  return isSure && Math.abs(median) > MIN_SKEW_MS ? { logs, aheadMs: median, pairs } : null;
}

/**
 * Differences in time of lines that are of one event, in milliseconds: of those that share a request, else one by one in the
 * order of time if both ends saw equally many and all lines are kept.
 */
function differencesOf(flow: Flow, ends: readonly Flow[]): readonly number[] {
  const slack = Math.max(...[flow, ...ends].map(({ maxDurationMs }) => maxDurationMs ?? 0));
  const told = ends.flatMap(({ samples }) => samples);
  const marked = flow.samples.flatMap((sample) => {
    const same = told.find(({ marks }) => marks.some((mark) => isRequest(mark) && sample.marks.includes(mark)));
    return same === undefined ? [] : [[sample.time, same.time] as const];
  });
  const total = ends.reduce((sum, { count }) => sum + count, 0);
  const isWhole = flow.count === total && flow.samples.length === flow.count && told.length === total;
  const sorted = told.map(({ time }) => time ?? '').sort();
  const inOrder = isWhole ? flow.samples.map(({ time }, index) => [time, sorted[index] ?? null] as const) : [];
  return (marked.length > 0 ? marked : inOrder).flatMap(([own, other]) => {
    if (own === null || other === null || other === '') return [];
    const ms = instantMs(own) - instantMs(other);
    return [Math.abs(ms) <= slack ? 0 : ms];
  });
}

function isRequest(mark: string): boolean {
  return mark.startsWith('request ');
}

/** What to tell of clocks that differ. */
export function clockProblems(incidents: readonly Incident[]): readonly Problem[] {
  return [...readClocks(incidents).values()].map(({ logs: [a, b], aheadMs, pairs }) => {
    const [late, early] = aheadMs > 0 ? [a, b] : [b, a];
    const seconds = Math.round(Math.abs(aheadMs) / 100) / 10;
    const message = `the clock behind ${late} is ${seconds} s ahead of the one behind ${early}, by ${pairs} failures that both logs tell of; certificates and tokens look expired or not yet valid where clocks are wrong`;
    return { about: 'clocks', message };
  });
}
