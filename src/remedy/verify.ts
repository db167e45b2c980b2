import { POLICY_KINDS } from '../mesh/kinds.ts';
import type { Finding } from '../model/finding.ts';
import type { MeshView, Pod } from '../model/mesh.ts';
import type { Draft, ObjectChange, Verification } from '../model/remedy.ts';
import type { Flow } from '../model/traffic.ts';
import type { Way } from '../model/way.ts';
import { decide } from '../policy/decide.ts';
import { enginesOf } from '../policy/way/compiled.ts';
import type { Probe } from '../policy/way/probe.ts';
import { isRecord } from '../text/kube-object.ts';
import { hasLabels } from '../text/labels.ts';
import { pathShape } from '../text/path-shape.ts';
import { textMapOf, valueAt } from '../text/untyped.ts';
import { applyChanges } from './apply.ts';
import { onePodEach, type Touched } from './control-probes.ts';
import { type Control, Controls, isOpened } from './controls.ts';
import { askedOf, probeOfFlow, seenAgain, siblingOfFlow, tupleOf, waysAgain } from './probes.ts';
import { withEachHeaders } from './requests.ts';
import type { Trial } from './trial.ts';

/** Flows replayed per draft: the finding's own, and connections that worked. */
const MAX_DENIED = 1000;
const MAX_WORKED = 500;

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
  const { rootNamespace } = trial.mesh;
  // Who comes into the mesh, and what stands in the root namespace, matters everywhere.
  if (draft.changes.some(({ object }) => !POLICY_KINDS.has(object.kind) || object.namespace === rootNamespace))
    return trial.mesh;
  const changed = draft.changes.map(({ object }) => object.namespace);
  return trial.focusedOn([...namespacesOf(finding), ...changed.filter((namespace) => namespace !== '')]);
}

/** True if the mesh, as it is given, admits every call of the finding: what was changed since the log is what was to be done. */
export function isAllowedAlready(finding: Finding, trial: Trial): boolean {
  if (!trial.mesh.known || finding.flows.length === 0) return false;
  const mesh = trial.focusedOn(namespacesOf(finding));
  return finding.flows.slice(0, MAX_DENIED).every((flow) => {
    const probe = probeOfFlow(flow, mesh);
    const sibling = siblingOfFlow(flow, mesh);
    return [probe, sibling ?? probe].every((each) => each !== null && decide(mesh, each).outcome === 'allow');
  });
}

/** Namespaces whose policies have a say: those of both ends, as the finding has them. */
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
    const [observed] = answers.flatMap(({ probe }) => (probe === null ? [] : [probe]));
    const controls =
      observed === undefined
        ? []
        : new Controls(this.#before, this.#after, this.#touched, this.#trial).around(observed);
    const broken = this.#broken(this.#trial.workedIn(this.#touched.namespaces));
    const told = {
      fixes,
      newlyAllows: [...new Set(controls.filter(isOpened).map(openedText))],
      newlyDenies: [
        ...broken.map(({ text, isCertain }) => (isCertain ? text : `${text}, perhaps: it hangs on what is not known`)),
        ...controls.filter(({ before, after }) => before === 'allow' && after !== 'allow').map(({ text }) => text),
      ],
      probes: controls.map(({ text, before, after }) => ({ probe: text, before, after })),
    };
    const opened = [
      ...answers.flatMap(({ probe, after }) =>
        probe !== null && after?.outcome === 'allow' ? [seenAgain(this.#after, probe)] : [],
      ),
      ...controls.filter(isOpened).map(({ probe }) => askedOf(this.#after, probe)),
    ];
    const verdict = judge(answers, broken);
    const left = verdict.status === 'verified' ? this.#leftOut(denied) : null;
    return { verification: { ...(left === null ? verdict : unverifiable(left)), ...told }, opened };
  }

  #replay(flow: Flow): Replayed {
    const probe = probeOfFlow(flow, this.#before);
    if (probe === null) return { probe, before: null, after: null };
    return { probe, before: decide(this.#before, probe), after: decide(this.#after, seenAgain(this.#after, probe)) };
  }

  /** That other paths of a shape that was refused stay refused; null: they do not. */
  #leftOut(denied: readonly Flow[]): string | null {
    for (const flow of denied) {
      const probe = siblingOfFlow(flow, this.#before);
      if (probe === null || decide(this.#after, askedOf(this.#after, probe)).outcome === 'allow') continue;
      return `other paths of that form were refused as well, such as ${pathShape(probe.request.path)}: name their pattern, or see what --widen path-template gives`;
    }
    return null;
  }

  /** Connections that worked and would be denied, for sure or where it hangs on what their lines do not show. */
  #broken(worked: readonly Flow[]): readonly Broken[] {
    return worked.slice(0, MAX_WORKED).flatMap((flow) => {
      const probe = probeOfFlow(flow, this.#before);
      if (probe === null || !this.#mayMatterTo(probe)) return [];
      const outcomes = this.#outcomesAfter(probe);
      if (outcomes.every((outcome) => outcome === 'allow')) return [];
      const was = decide(this.#before, probe).outcome;
      if (was === 'deny') return [];
      const isCertain = outcomes.includes('deny');
      if (!isCertain && was !== 'allow' && !this.#dependsOnHeaders(probe)) return [];
      return [{ text: `${tupleOf(probe, this.#before)}, which worked`, isCertain }];
    });
  }

  /** False for a call to pods on none of which the changed objects act: it fares as before. */
  #mayMatterTo({ destination }: Probe): boolean {
    return destination.kind !== 'pods' || destination.pods.some(this.#touched.actsOn);
  }

  /** Of every way that a connection may take. */
  #outcomesAfter(probe: Probe): readonly string[] {
    return waysAgain(this.#after, probe).map((way) => decide(this.#after, way).outcome);
  }

  /** True if, with some headers that no line shows, a request was admitted and would be denied. */
  #dependsOnHeaders(probe: Probe): boolean {
    return withEachHeaders(probe.request, this.#before)
      .map((request) => ({ ...probe, request }))
      .some((each) => decide(this.#before, each).outcome === 'allow' && this.#outcomesAfter(each).includes('deny'));
  }
}

function openedText({ text, after }: Control): string {
  return after === 'allow' ? text : `${text}, perhaps: it hangs on what is not known`;
}

/** Policies act on the workloads they select, before or after; who comes into the mesh may be let in anywhere. */
function touchedBy({ changes }: Draft, mesh: MeshView): Touched {
  const { rootNamespace } = mesh;
  const actsOn = (pod: Pod): boolean => changes.some((change) => mayActOn(change, pod, rootNamespace));
  return {
    objects: changes.map(({ object }) => object),
    principals: changes.flatMap(({ before, after }) => [...principalsIn(before), ...principalsIn(after)]),
    namespaces: new Set(
      changes.map(({ object }) => (POLICY_KINDS.has(object.kind) ? object.namespace : rootNamespace)),
    ),
    actsOn,
    places: onePodEach(podsNear(changes, mesh).filter(actsOn)),
    onTheWay: changes.some(({ object }) => object.kind === 'NetworkPolicy'),
  };
}

/** All pods on which changes may act are among these. */
function podsNear(changes: readonly ObjectChange[], mesh: MeshView): readonly Pod[] {
  const areAtHome = changes.every(
    ({ object }) =>
      POLICY_KINDS.has(object.kind) && object.kind !== 'NetworkPolicy' && object.namespace !== mesh.rootNamespace,
  );
  const namespaces = new Set(changes.map(({ object }) => object.namespace));
  return areAtHome ? [...namespaces].flatMap((namespace) => enginesOf(mesh).podsIn(namespace)) : mesh.pods;
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

/** A call that worked and would be denied. */
interface Broken {
  readonly text: string;
  /** False: it hangs on what is not known. */
  readonly isCertain: boolean;
}

function judge(answers: readonly Replayed[], broken: readonly Broken[]): Pick<Verification, 'status' | 'reason'> {
  const still = answers.find(({ after }) => after?.outcome === 'deny');
  if (still?.after) return { status: 'refuted', reason: `it would still be denied: ${still.after.because}` };
  const worked = broken.find(({ isCertain }) => isCertain);
  if (worked !== undefined) return { status: 'refuted', reason: `it would deny what works: ${worked.text}` };
  const unasked = answers.find(({ probe }) => probe === null);
  if (unasked !== undefined) {
    return unverifiable('source or destination are not among the objects given: add pods and Services to --mesh');
  }
  const stale = answers.find(({ before }) => before?.outcome === 'allow');
  if (stale !== undefined) {
    return unverifiable('by the objects given the mesh would not deny this: they are newer or older than the log');
  }
  const open = answers.find(({ after }) => after?.outcome !== 'allow');
  if (open !== undefined) return unverifiable(open.after?.because ?? 'the answer is not known');
  const [doubtful] = broken;
  if (doubtful !== undefined) {
    return unverifiable(`it may deny what works, by what its line does not show: ${doubtful.text}`);
  }
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
  const found: string[] = [];
  const collect = (inner: unknown): void => {
    if (Array.isArray(inner)) inner.forEach(collect);
    else if (isRecord(inner)) for (const key in inner) visit(key, inner[key]);
  };
  const visit = (key: string, inner: unknown): void => {
    if (PRINCIPALS.has(key) && Array.isArray(inner)) {
      for (const item of inner) if (typeof item === 'string') found.push(item);
    } else collect(inner);
  };
  collect(value);
  return found;
}

const PRINCIPALS: ReadonlySet<string> = new Set(['principals', 'notPrincipals']);
