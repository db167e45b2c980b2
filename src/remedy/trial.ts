import { destinationEnd } from '../mesh/ends.ts';
import type { Finding } from '../model/finding.ts';
import type { MeshView } from '../model/mesh.ts';
import type { Wishes } from '../model/remedy.ts';
import type { Flow } from '../model/traffic.ts';
import { decide } from '../policy/decide.ts';
import type { Probe } from '../policy/way/probe.ts';
import { grouped } from '../text/grouped.ts';
import { focusOn } from './apply.ts';

/** Drafts tried per report: a flood of findings must not take all night. */
const MAX_PROOFS = 5000;
/** Parts of the mesh that are remembered: each is compiled, and there may be one for every pair of namespaces. */
const MAX_VIEWS = 256;

/** What drafts are tried against. One per report: it remembers parts of the mesh. */
export class Trial {
  readonly mesh: MeshView;
  /** Flows of the input in which nothing failed, by the namespace that was called. */
  readonly #worked: ReadonlyMap<string, readonly Flow[]>;
  readonly wishes: Wishes;
  /** The finding, with what shows that somebody wanted the denial. */
  readonly withIntent: (finding: Finding) => Finding;
  readonly #focused = new Map<string, MeshView>();
  #answers = new WeakMap<MeshView, Map<string, string>>();
  #proofs = 0;

  constructor(mesh: MeshView, worked: readonly Flow[], wishes: Wishes, withIntent: (finding: Finding) => Finding) {
    this.mesh = mesh;
    this.#worked = byNamespace(worked, mesh);
    this.wishes = wishes;
    this.withIntent = withIntent;
  }

  /** The mesh as far as some namespaces are concerned; the same view for the same namespaces, so that it is compiled once. */
  focusedOn(namespaces: readonly string[]): MeshView {
    const key = [...new Set(namespaces)].sort().join('\n');
    const known = this.#focused.get(key);
    if (known !== undefined) return known;
    const view = focusOn(this.mesh, namespaces);
    if (this.#focused.size >= MAX_VIEWS) this.#focused.clear();
    this.#focused.set(key, view);
    return view;
  }

  /** Flows that worked towards some namespaces, the most frequent of each first; the root namespace stands for all. */
  workedIn(namespaces: ReadonlySet<string>): readonly Flow[] {
    const isMeshWide = namespaces.has(this.mesh.rootNamespace);
    return [...this.#worked].flatMap(([namespace, flows]) => (isMeshWide || namespaces.has(namespace) ? flows : []));
  }

  /** All flows that worked, by the namespace that was called. */
  workedByNamespace(): readonly { readonly namespace: string; readonly flows: readonly Flow[] }[] {
    return [...this.#worked].map(([namespace, flows]) => ({ namespace, flows }));
  }

  /** The answer of the mesh as it is to one control, which every draft of a finding asks anew. `text` names the probe. */
  outcomeBefore(view: MeshView, text: string, probe: Probe): string {
    const known = this.#answers.get(view) ?? new Map<string, string>();
    this.#answers.set(view, known);
    const outcome = known.get(text) ?? decide(view, probe).outcome;
    known.set(text, outcome);
    return outcome;
  }

  /** Says that another finding begins: its controls are others. */
  forget(): void {
    this.#answers = new WeakMap();
  }

  /** Counts a proof; false when there were enough. Findings come worst first. */
  begin(): boolean {
    this.#proofs++;
    return this.#proofs <= MAX_PROOFS;
  }
}

function byNamespace(flows: readonly Flow[], mesh: MeshView): ReadonlyMap<string, readonly Flow[]> {
  const sorted = flows.toSorted((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1));
  return grouped(sorted, ({ record }) => destinationEnd(record, mesh).namespace);
}
