import { type Finding, POLICY_CATEGORIES } from '../model/finding.ts';
import type { MeshView } from '../model/mesh.ts';
import type { Flow } from '../model/traffic.ts';
import { actionOf } from '../policy/action.ts';
import { shortened } from '../text/shortened.ts';
import { instantMs } from '../text/time.ts';
import { type Observed, Outcomes } from './afterwards.ts';
import { Lives } from './lives.ts';
import type { Phase } from './phase.ts';

/** A finding as it is to be told, and whether what it tells of is over. */
export interface Passing {
  readonly finding: Finding;
  /** True: the same calls worked afterwards, so that nothing is to be changed. */
  readonly isOver: boolean;
}

/** What is observed, beside calls: lines that tell of no failure. */
export interface PassingTraffic extends Observed {
  readonly quiet: readonly Flow[];
}

/** Pods told in a sentence. */
const MAX_PODS = 3;
/** Calls have to go on this long before their silence about a failure says anything. */
const SILENCE_MS = 60_000;

/**
 * Tells of a finding that all of it lies in the first or last seconds of a pod. Its level drops to `note` where the same calls
 * worked afterwards; where they were not seen again although one end went on calling or being called, to `warning`, and
 * only if no policy refused them. Null: it is no such finding. What a policy denies by name or rule is never one.
 */
export function passingJudge(traffic: PassingTraffic, mesh: MeshView): (finding: Finding) => Passing | null {
  const lives = new Lives(traffic.quiet, mesh);
  if (lives.isEmpty) return () => null;
  const outcomes = new Outcomes(traffic, lives, mesh);
  return (finding) => (mayPass(finding, mesh) ? judged(finding, lives, outcomes) : null);
}

/**
 * Whether an owner of a policy may not have meant it: a refusal for lack of a permission, or no refusal at all. A diagnostic
 * that tells of a call, and not of the pod, names nobody of whom it could be said that the same call worked afterwards.
 */
function mayPass({ category, level, intended, policies, flows }: Finding, mesh: MeshView): boolean {
  if (level === 'note' || intended === 'yes' || intended === 'likely') return false;
  if (category !== 'platform' && flows.some(({ record }) => record.kind === 'diagnostic')) return false;
  return category !== 'authorization' || policies.every((ref) => actionOf(ref, mesh) === 'ALLOW');
}

function judged(finding: Finding, lives: Lives, outcomes: Outcomes): Passing | null {
  const phases = finding.flows.map((flow) => phaseOf(flow, lives));
  const all = phases.filter((phase) => phase !== null);
  if (all.length === 0 || all.length < phases.length) return null;
  const after = finding.flows.map((flow) => ({ flow, ...outcomes.of(flow, isOfOneOperation(finding)) }));
  const where = sayWhere(finding, all);
  if (after.every(({ flow, worked }) => isAfter(worked, flow))) {
    const cause = `${finding.cause} ${where}; the same calls worked afterwards.`;
    return { finding: { ...finding, level: 'note', cause }, isOver: true };
  }
  if (
    isPolicy(finding) ||
    !after.every(({ failed, seen }) => !isAfter(failed, finding) && isAfter(seen, finding, SILENCE_MS))
  )
    return null;
  const cause = `${finding.cause} ${where}; the same calls were not seen again, so it may be over.`;
  return { finding: { ...finding, level: 'warning', cause }, isOver: false };
}

function phaseOf({ record, firstSeen, lastSeen }: Flow, lives: Lives): Phase | null {
  return firstSeen === null || lastSeen === null ? null : lives.phaseOf(lives.podsOf(record), firstSeen, lastSeen);
}

function isPolicy({ category }: Finding): boolean {
  return POLICY_CATEGORIES.has(category);
}

/** What hangs on method and path heals for one operation at a time; a connection heals for all. */
function isOfOneOperation(finding: Finding): boolean {
  return isPolicy(finding) || finding.category === 'routing' || finding.category === 'application';
}

function isAfter(timeMs: number | null, { lastSeen }: Pick<Flow, 'lastSeen'>, byMs = 1): boolean {
  return timeMs !== null && lastSeen !== null && timeMs - instantMs(lastSeen) >= byMs;
}

/** `Seen only in the first 12 seconds of pod shop/web-1`. */
function sayWhere({ flows }: Finding, phases: readonly Phase[]): string {
  const names = shortened([...new Set(phases.map(({ what }) => what))].sort(), MAX_PODS).join(', ');
  if (phases.some(({ kind }) => kind === 'end')) return `Seen only around the end of ${names}`;
  const last = phases.map(({ at }, index) => instantMs(flows[index]?.lastSeen ?? at) - instantMs(at));
  const seconds = Math.max(1, Math.ceil(Math.max(...last) / 1000));
  return `Seen only in the first ${seconds === 1 ? 'second' : `${seconds} seconds`} of ${names}`;
}
