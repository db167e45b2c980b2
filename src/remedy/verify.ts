import type { Finding } from '../model/finding.ts';
import type { MeshView } from '../model/mesh.ts';
import type { Draft, Verification } from '../model/remedy.ts';
import type { Flow } from '../model/traffic.ts';
import { decide } from '../policy/decide.ts';
import type { Probe, Way } from '../policy/way/probe.ts';
import { isRecord } from '../text/kube-object.ts';
import { applyChanges } from './apply.ts';
import { controlProbes, type NamedProbe, probeOfFlow } from './probes.ts';

/** Flows replayed per draft: the finding's own, and connections that worked. */
const MAX_DENIED = 50;
const MAX_WORKED = 500;

/** What a draft is tried against. */
export interface Trial {
  readonly mesh: MeshView;
  /** Flows of the input in which nothing failed. */
  readonly worked: readonly Flow[];
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
  const after = applyChanges(trial.mesh, draft.changes);
  if (after === null) return { status: 'unverifiable', reason: 'what the object would be is not known', ...nothing };
  return new Replay(trial.mesh, after, draft).run(denied, trial.worked);
}

class Replay {
  readonly #before: MeshView;
  readonly #after: MeshView;
  readonly #draft: Draft;

  constructor(before: MeshView, after: MeshView, draft: Draft) {
    this.#before = before;
    this.#after = after;
    this.#draft = draft;
  }

  run(denied: readonly Flow[], worked: readonly Flow[]): Verification {
    const answers = denied.map((flow) => this.#replay(flow));
    const fixes = { of: denied.length, fixed: answers.filter(({ after }) => after?.outcome === 'allow').length };
    const changed = this.#control(answers.flatMap(({ probe }) => (probe === null ? [] : [probe])));
    const broken = this.#broken(worked);
    const told = {
      fixes,
      newlyAllows: changed
        .filter(({ before, after }) => before !== 'allow' && after === 'allow')
        .map(({ probe }) => probe),
      newlyDenies: [
        ...broken,
        ...changed.filter(({ before, after }) => before === 'allow' && after !== 'allow').map(({ probe }) => probe),
      ],
      probes: changed,
    };
    return { ...judge(answers, told.newlyDenies), ...told };
  }

  #replay(flow: Flow): Replayed {
    const probe = probeOfFlow(flow, this.#before);
    if (probe === null) return { probe, before: null, after: null };
    return { probe, before: decide(this.#before, probe), after: decide(this.#after, probe) };
  }

  /** Probes whose answer the change alters, and all those that stay denied. One probe per kind and destination. */
  #control(observed: readonly Probe[]): readonly { probe: string; before: string; after: string }[] {
    const [first] = observed;
    if (first === undefined) return [];
    const principals = this.#draft.changes.flatMap(({ after }) => principalsIn(after));
    return controlProbes(first, principals, this.#before).map(({ name, probe }: NamedProbe) => ({
      probe: name,
      before: decide(this.#before, probe).outcome,
      after: decide(this.#after, probe).outcome,
    }));
  }

  /** Connections that worked and would be denied. */
  #broken(worked: readonly Flow[]): readonly string[] {
    const namespaces = new Set(this.#draft.changes.map(({ object }) => object.namespace));
    const meshWide = namespaces.has(this.#before.rootNamespace);
    const touched = worked.filter(({ record }) => {
      if (record.kind === 'diagnostic') return false;
      const { address, namespace } = record.destination;
      const known = namespace ?? (address === null ? null : (this.#before.podByIp(address)?.namespace ?? null));
      return meshWide || known === null || namespaces.has(known);
    });
    return touched.slice(0, MAX_WORKED).flatMap((flow) => {
      const { probe, before, after } = this.#replay(flow);
      const breaks = before?.outcome !== 'deny' && after?.outcome === 'deny';
      return probe !== null && breaks ? [`${after.source} to ${after.destination}, which worked`] : [];
    });
  }
}

/** One observed flow, asked again. Null: it could not be asked. */
interface Replayed {
  readonly probe: Probe | null;
  readonly before: Way | null;
  readonly after: Way | null;
}

function judge(answers: readonly Replayed[], newlyDenies: readonly string[]): Pick<Verification, 'status' | 'reason'> {
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
  const [broken] = newlyDenies;
  if (broken !== undefined) return { status: 'refuted', reason: `it would deny what works: ${broken}` };
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
