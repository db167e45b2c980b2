import type { Finding } from '../model/finding.ts';
import type { MeshView, Pod } from '../model/mesh.ts';
import type { Draft, ObjectChange, Verification } from '../model/remedy.ts';
import type { Flow } from '../model/traffic.ts';
import type { Way } from '../model/way.ts';
import { decide } from '../policy/decide.ts';
import type { Probe } from '../policy/way/probe.ts';
import { isRecord } from '../text/kube-object.ts';
import { hasLabels } from '../text/labels.ts';
import { textMapOf, valueAt } from '../text/untyped.ts';
import { applyChanges } from './apply.ts';
import { askedOf, type ControlProbe, controlProbes, otherCalls, probeOfFlow, type Touched, tupleOf } from './probes.ts';
import type { Trial } from './trial.ts';

/** Flows replayed per draft: the finding's own, and connections that worked. */
const MAX_DENIED = 50;
const MAX_WORKED = 500;
/** Others that a change admits, of whom it is asked what else they may call. */
const MAX_ADMITTED = 8;
/** Kinds that act on workloads of their own namespace, or of all from the root namespace. */
const POLICY_KINDS: ReadonlySet<string> = new Set([
  'AuthorizationPolicy',
  'PeerAuthentication',
  'RequestAuthentication',
  'NetworkPolicy',
]);

/**
 * Replays the observed traffic through the mesh's own policy semantics, before and after the change. The only place that may
 * say `verified`: all denials of the finding would be allowed, nothing that worked would be denied, and everything else that
 * would be allowed anew among the probes is listed. `refuted`: it does not do what it says. Anything that is not known makes it
 * `unverifiable`, with what would help.
 */
export function verifyDraft(draft: Draft, finding: Finding, trial: Trial): Proof {
  const denied = finding.flows.slice(0, MAX_DENIED);
  if (draft.changes.length === 0) return stepsOnly(finding);
  if (!trial.mesh.known)
    return notReplayed('policies, pods and Services are not known: give them with --mesh', finding);
  if (!trial.begin()) return notReplayed('not replayed: there are too many findings', finding);
  const before = focusedFor(draft, finding, trial);
  const after = applyChanges(before, draft.changes);
  if (after === null) return notReplayed('what the object would be is not known', finding);
  return new Replay(before, after, draft, trial).run(denied);
}

/** What replaying says, and everything that the change would newly allow, as it is asked once the change is made. */
export interface Proof {
  readonly verification: Verification;
  readonly opened: readonly Probe[];
}

/** What is to be said of a draft without changes. */
export function stepsOnly(finding: Finding): Proof {
  return notReplayed('there is no change of an object to check: these are steps to take', finding);
}

/** A proof that was not made, and what would make it possible. */
function notReplayed(reason: string, { flows }: Finding): Proof {
  const fixes = { of: Math.min(flows.length, MAX_DENIED), fixed: 0 };
  const nothing = { fixes, newlyAllows: [], newlyDenies: [], probes: [] };
  return { verification: { ...unverifiable(reason), ...nothing }, opened: [] };
}

/** The mesh as far as it has a say about a finding and the objects that a draft changes. */
export function focusedFor(draft: Draft, finding: Finding, trial: Trial): MeshView {
  const changed = draft.changes.map(({ object }) => object.namespace);
  return trial.focusedOn([...namespacesOf(finding), ...changed.filter((namespace) => namespace !== '')]);
}

/** True if the mesh, as it is given, admits every call of the finding: what was changed since the log is what was to be done. */
export function isAllowedAlready(finding: Finding, trial: Trial): boolean {
  if (!trial.mesh.known || finding.flows.length === 0) return false;
  const mesh = trial.focusedOn(namespacesOf(finding));
  return finding.flows.slice(0, MAX_DENIED).every((flow) => {
    const probe = probeOfFlow(flow, mesh);
    return probe !== null && decide(mesh, probe).outcome === 'allow';
  });
}

/** Namespaces whose policies have a say: those of both ends, by the finding and by the addresses of its flows. */
function namespacesOf({ source, destination }: Finding): readonly string[] {
  return [source.namespace, destination.namespace].filter((namespace) => namespace !== null);
}

class Replay {
  readonly #before: MeshView;
  readonly #after: MeshView;
  readonly #touched: Touched;
  readonly #trial: Trial;

  constructor(before: MeshView, after: MeshView, draft: Draft, trial: Trial) {
    this.#before = before;
    this.#after = after;
    this.#touched = touchedBy(draft, before);
    this.#trial = trial;
  }

  run(denied: readonly Flow[]): Proof {
    const answers = denied.map((flow) => this.#replay(flow));
    const fixes = { of: denied.length, fixed: answers.filter(({ after }) => after?.outcome === 'allow').length };
    const controls = this.#controls(answers.flatMap(({ probe }) => (probe === null ? [] : [probe])));
    const broken = this.#broken(this.#trial.workedIn(this.#touched.namespaces));
    const told = {
      fixes,
      newlyAllows: controls.filter(isOpened).map(({ text }) => text),
      newlyDenies: [
        ...broken,
        ...controls.filter(({ before, after }) => before === 'allow' && after !== 'allow').map(({ text }) => text),
      ],
      probes: controls.map(({ text, before, after }) => ({ probe: text, before, after })),
    };
    const opened = [
      ...answers.flatMap(({ probe, after }) => (probe !== null && after?.outcome === 'allow' ? [probe] : [])),
      ...controls.filter(isOpened).map(({ probe }) => probe),
    ].map((probe) => askedOf(this.#after, probe));
    return { verification: { ...judge(answers, broken), ...told }, opened };
  }

  #replay(flow: Flow): Replayed {
    const probe = probeOfFlow(flow, this.#before);
    if (probe === null) return { probe, before: null, after: null };
    return { probe, before: decide(this.#before, probe), after: decide(this.#after, askedOf(this.#after, probe)) };
  }

  /** What else is tried; and of whom it turns out to admit besides, everything that such a caller may ask. */
  #controls(observed: readonly Probe[]): readonly Control[] {
    const [first] = observed;
    if (first === undefined) return [];
    const controls = controlProbes(first, this.#touched, this.#before).map((each) => this.#control(each));
    const admitted = controls
      .filter((control) => isOpened(control) && control.probe.source !== first.source)
      .slice(0, MAX_ADMITTED);
    const more = admitted.flatMap(({ probe, words }) => otherCalls(probe, this.#touched, this.#before, words));
    return [...controls, ...more.map((each) => this.#control(each))];
  }

  #control({ words, probe }: ControlProbe): Control {
    const text = `${tupleOf(probe, this.#before)}, ${words}`;
    return {
      words,
      probe,
      text,
      before: this.#trial.outcomeBefore(this.#before, text, probe),
      after: decide(this.#after, askedOf(this.#after, probe)).outcome,
    };
  }

  /** Connections that worked and would be denied. */
  #broken(worked: readonly Flow[]): readonly string[] {
    return worked.slice(0, MAX_WORKED).flatMap((flow) => {
      const probe = probeOfFlow(flow, this.#before);
      if (probe === null || decide(this.#after, askedOf(this.#after, probe)).outcome !== 'deny') return [];
      const wasDenied = decide(this.#before, probe).outcome === 'deny';
      return wasDenied ? [] : [`${tupleOf(probe, this.#before)}, which worked`];
    });
  }
}

/** One thing that was tried beside what was seen. */
interface Control extends ControlProbe {
  readonly text: string;
  readonly before: string;
  readonly after: string;
}

function isOpened({ before, after }: Control): boolean {
  return before !== 'allow' && after === 'allow';
}

/** Policies act on the workloads they select, before or after; who comes into the mesh may be let in anywhere. */
function touchedBy({ changes }: Draft, { rootNamespace }: MeshView): Touched {
  return {
    principals: changes.flatMap(({ before, after }) => [...principalsIn(before), ...principalsIn(after)]),
    namespaces: new Set(
      changes.map(({ object }) => (POLICY_KINDS.has(object.kind) ? object.namespace : rootNamespace)),
    ),
    actsOn: (pod) => changes.some((change) => mayActOn(change, pod, rootNamespace)),
  };
}

function mayActOn({ object, before, after }: ObjectChange, pod: Pod, rootNamespace: string): boolean {
  if (!POLICY_KINDS.has(object.kind) || object.kind === 'NetworkPolicy') return true;
  if (object.namespace !== rootNamespace && object.namespace !== pod.namespace) return false;
  return [before, after].some((state) => {
    if (state === null) return false;
    return hasLabels(pod.labels, textMapOf(valueAt(state, 'spec', 'selector', 'matchLabels')));
  });
}

/** One observed flow, asked again. Null: it could not be asked. */
interface Replayed {
  readonly probe: Probe | null;
  readonly before: Way | null;
  readonly after: Way | null;
}

function judge(answers: readonly Replayed[], broken: readonly string[]): Pick<Verification, 'status' | 'reason'> {
  const unasked = answers.find(({ probe }) => probe === null);
  if (unasked !== undefined) {
    return unverifiable('source or destination are not among the objects given: add pods and Services to --mesh');
  }
  const stale = answers.find(({ before }) => before?.outcome === 'allow');
  if (stale !== undefined) {
    return unverifiable('by the objects given the mesh would not deny this: they are newer or older than the log');
  }
  const still = answers.find(({ after }) => after?.outcome === 'deny');
  if (still?.after) return { status: 'refuted', reason: `it would still be denied: ${still.after.because}` };
  const open = answers.find(({ after }) => after?.outcome !== 'allow');
  if (open !== undefined) return unverifiable(open.after?.because ?? 'the answer is not known');
  const [worked] = broken;
  if (worked !== undefined) return { status: 'refuted', reason: `it would deny what works: ${worked}` };
  return {
    status: 'verified',
    reason: 'every denial that was seen would be allowed, nothing that worked denied',
  };
}

function unverifiable(reason: string): Pick<Verification, 'status' | 'reason'> {
  return { status: 'unverifiable', reason };
}

/** Every text in the lists of principals of an object, to be tried as callers. */
function principalsIn(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(principalsIn);
  if (!isRecord(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    /^(?:notP|p)rincipals$/.test(key) && Array.isArray(inner)
      ? inner.filter((item): item is string => typeof item === 'string')
      : principalsIn(inner),
  );
}
