import type { Instant } from '../model/line.ts';
import type { KubeObject } from '../model/mesh.ts';
import { instantMs, parseInstant } from '../text/time.ts';
import { listOf, textOf, valueAt } from '../text/untyped.ts';

/** The first or last seconds of one pod, or of the proxy that serves it: what fails in them may be of that alone. */
export interface Phase {
  /** `namespace/name`. */
  readonly pod: string;
  readonly kind: 'start' | 'end';
  /** What began or ended: `pod shop/web-1`, `the proxy of pod shop/web-1`. Untrusted. */
  readonly what: string;
  /** When it began or was told to end. */
  readonly at: Instant;
  /** In milliseconds since 1970, both ends included. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** A pod is expected to serve this long after its start at the latest, and to be forgotten by all callers this long after its end. */
const SETTLING_MS = 60_000;
/** One that takes longer until it is ready, as a model server does, is starting all that time; beyond this it is ailing. */
const MAX_STARTING_MS = 10 * 60_000;
/** A pod that is ready becomes known to its callers a little later. */
const SPREADING_MS = 5_000;
/** Kubernetes writes whole seconds, and the clocks of nodes differ a little. */
const SLACK_MS = 2_000;

/** The first seconds of a pod. `ready`: since when it is ready; null: that is not known. */
export function startPhase(pod: string, what: string, at: Instant, ready: Instant | null): Phase {
  const atMs = instantMs(at);
  const readyMs = ready === null ? 0 : instantMs(ready) + SPREADING_MS;
  const isSlow = readyMs > atMs + SETTLING_MS && readyMs <= atMs + MAX_STARTING_MS;
  return { pod, kind: 'start', what, at, fromMs: atMs - SLACK_MS, toMs: isSlow ? readyMs : atMs + SETTLING_MS };
}

/** The last seconds of a pod. `graceMs`: for how long before it was known that the end would come. */
export function endPhase(pod: string, what: string, at: Instant, graceMs: number): Phase {
  const atMs = instantMs(at);
  return { pod, kind: 'end', what, at, fromMs: atMs - graceMs - SLACK_MS, toMs: atMs + SETTLING_MS };
}

/** When a pod began and ended, by its object. */
export function phasesOfPod({ raw, metadata }: KubeObject): readonly Phase[] {
  const pod = `${metadata.namespace}/${metadata.name}`;
  const ready = readySince(raw);
  const starts = startsOf(raw).map((at) => startPhase(pod, `pod ${pod}`, at, ready));
  const gone = timeAt(raw, 'metadata', 'deletionTimestamp');
  if (gone === null) return starts;
  // The time stands for the end of the grace period, which began when the deletion was asked for.
  const grace = valueAt(raw, 'metadata', 'deletionGracePeriodSeconds');
  const graceMs = typeof grace === 'number' && grace > 0 ? grace * 1000 : 0;
  return [...starts, endPhase(pod, `pod ${pod}`, gone, graceMs)];
}

/** Those of a pod's phases that are the earliest around some span: each begins later than the one before, and ends later. */
export function inSteps(phases: readonly Phase[]): readonly Phase[] {
  let lastMs = Number.NEGATIVE_INFINITY;
  return phases.toSorted(byBeginning).filter(({ toMs }) => {
    if (toMs <= lastMs) return false;
    lastMs = toMs;
    return true;
  });
}

/** The first of these steps that lasts until a time; null: none does. */
export function earliestUntil(steps: readonly Phase[], toMs: number): Phase | null {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((steps[middle]?.toMs ?? toMs) < toMs) low = middle + 1;
    else high = middle;
  }
  return steps[low] ?? null;
}

/** The order of phases: by when they begin. */
export function byBeginning(a: Phase, b: Phase): number {
  return a.fromMs - b.fromMs || b.toMs - a.toMs || (a.what < b.what ? -1 : 1);
}

function timeAt(raw: unknown, ...keys: readonly string[]): Instant | null {
  return parseInstant(textOf(valueAt(raw, ...keys)) ?? '');
}

/** When a pod and the containers in it began, as far as its status tells, the earliest first. */
function startsOf(raw: unknown): readonly Instant[] {
  const containers = ['containerStatuses', 'initContainerStatuses'].flatMap((list) =>
    listOf(valueAt(raw, 'status', list)),
  );
  const times = [
    timeAt(raw, 'status', 'startTime'),
    ...containers.flatMap((container) => [
      timeAt(container, 'state', 'running', 'startedAt'),
      timeAt(container, 'lastState', 'terminated', 'startedAt'),
    ]),
  ];
  return [...new Set(times.filter((time) => time !== null))].sort();
}

/** Since when a pod is ready; null: it is not, or its status does not tell. */
function readySince(raw: unknown): Instant | null {
  const ready = listOf(valueAt(raw, 'status', 'conditions')).find(
    (condition) => valueAt(condition, 'type') === 'Ready' && valueAt(condition, 'status') === 'True',
  );
  return timeAt(ready, 'lastTransitionTime');
}
