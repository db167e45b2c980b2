import { destinationEnd } from '../mesh/ends.ts';
import type { Finding } from '../model/finding.ts';
import type { MeshView } from '../model/mesh.ts';
import type { Draft, Verification, Wishes } from '../model/remedy.ts';
import type { Flow } from '../model/traffic.ts';
import type { Way } from '../model/way.ts';
import { decide } from '../policy/decide.ts';
import type { Probe } from '../policy/way/probe.ts';
import { isRecord } from '../text/kube-object.ts';
import { applyChanges, focusOn } from './apply.ts';
import { askedOf, type ControlProbe, controlProbes, otherCalls, probeOfFlow, type Touched, tupleOf } from './probes.ts';

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
/** Drafts tried per report: a flood of findings must not take all night. */
const MAX_PROOFS = 1500;

/** What drafts are tried against. One per report: it remembers parts of the mesh. */
export class Trial {
  readonly mesh: MeshView;
  /** Flows of the input in which nothing failed. */
  readonly worked: readonly Flow[];
  readonly wishes: Wishes;
  readonly #focused = new Map<string, MeshView>();
  #proofs = 0;

  constructor(mesh: MeshView, worked: readonly Flow[], wishes: Wishes) {
    this.mesh = mesh;
    this.worked = worked;
    this.wishes = wishes;
  }

  /** The mesh as far as some namespaces are concerned; the same view for the same namespaces, so that it is compiled once. */
  focusedOn(namespaces: readonly string[]): MeshView {
    const key = [...new Set(namespaces)].sort().join('\n');
    const known = this.#focused.get(key);
    if (known !== undefined) return known;
    const view = focusOn(this.mesh, namespaces);
    this.#focused.set(key, view);
    return view;
  }

  /** Counts a proof; false when there were enough. Findings come worst first. */
  begin(): boolean {
    this.#proofs++;
    return this.#proofs <= MAX_PROOFS;
  }
}

/**
 * Replays the observed traffic through the mesh's own policy semantics, before and after the change. The only place that may
 * say `verified`: all denials of the finding would be allowed, nothing that worked would be denied, and everything else that
 * would be allowed anew among the probes is listed. `refuted`: it does not do what it says. Anything that is not known makes it
 * `unverifiable`, with what would help.
 */
export function verifyDraft(draft: Draft, finding: Finding, trial: Trial): Verification {
  const denied = finding.flows.slice(0, MAX_DENIED);
  const nothing = { fixes: { of: denied.length, fixed: 0 }, newlyAllows: [], newlyDenies: [], probes: [] };
  if (draft.changes.length === 0) {
    return {
      status: 'unverifiable',
      reason: 'there is no change of an object to check: these are steps to take',
      ...nothing,
    };
  }
  if (!trial.mesh.known) {
    return {
      status: 'unverifiable',
      reason: 'policies, pods and Services are not known: give them with --mesh',
      ...nothing,
    };
  }
  if (!trial.begin())
    return { status: 'unverifiable', reason: 'not replayed: there are too many findings', ...nothing };
  const before = focusedFor(draft, finding, trial);
  const after = applyChanges(before, draft.changes);
  if (after === null) return { status: 'unverifiable', reason: 'what the object would be is not known', ...nothing };
  return new Replay(before, after, draft).run(denied, trial.worked);
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

  constructor(before: MeshView, after: MeshView, draft: Draft) {
    this.#before = before;
    this.#after = after;
    this.#touched = touchedBy(draft, before);
  }

  run(denied: readonly Flow[], worked: readonly Flow[]): Verification {
    const answers = denied.map((flow) => this.#replay(flow));
    const fixes = { of: denied.length, fixed: answers.filter(({ after }) => after?.outcome === 'allow').length };
    const controls = this.#controls(answers.flatMap(({ probe }) => (probe === null ? [] : [probe])));
    const broken = this.#broken(worked);
    const told = {
      fixes,
      newlyAllows: controls.filter(isOpened).map(({ text }) => text),
      newlyDenies: [
        ...broken,
        ...controls.filter(({ before, after }) => before === 'allow' && after !== 'allow').map(({ text }) => text),
      ],
      probes: controls.map(({ text, before, after }) => ({ probe: text, before, after })),
    };
    return { ...judge(answers, broken), ...told };
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
    return {
      words,
      probe,
      text: `${tupleOf(probe, this.#before)}, ${words}`,
      before: decide(this.#before, probe).outcome,
      after: decide(this.#after, askedOf(this.#after, probe)).outcome,
    };
  }

  /** Connections that worked and would be denied. */
  #broken(worked: readonly Flow[]): readonly string[] {
    const { namespaces } = this.#touched;
    const meshWide = namespaces.has(this.#before.rootNamespace);
    const touched = worked.filter(({ record }) => {
      const namespace = destinationEnd(record, this.#before).namespace;
      return namespace !== null && (meshWide || namespaces.has(namespace));
    });
    return touched.slice(0, MAX_WORKED).flatMap((flow) => {
      const { probe, before, after } = this.#replay(flow);
      const breaks = before?.outcome !== 'deny' && after?.outcome === 'deny';
      return probe !== null && breaks ? [`${tupleOf(probe, this.#before)}, which worked`] : [];
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

/** Policies act where they stand; who comes into the mesh may be let in anywhere. */
function touchedBy({ changes }: Draft, { rootNamespace }: MeshView): Touched {
  return {
    principals: changes.flatMap(({ before, after }) => [...principalsIn(before), ...principalsIn(after)]),
    namespaces: new Set(
      changes.map(({ object }) => (POLICY_KINDS.has(object.kind) ? object.namespace : rootNamespace)),
    ),
  };
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
    reason: 'replayed: every denial that was seen would be allowed, and nothing that works denied',
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
