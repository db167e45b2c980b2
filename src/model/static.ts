import type { Certainty, EnforcedBy, Level, RuleMeta } from './finding.ts';
import type { KubeObject, MeshView, ObjectRef } from './mesh.ts';
import type { Draft } from './remedy.ts';

/** What a static rule says about one place in one object. */
export interface StaticMatch {
  readonly object: KubeObject;
  /** Keys from the object to the place, `spec`, `rules`, 1: where it stands in the file, and what tells two matches apart. */
  readonly at: readonly (string | number)[];
  readonly certainty: Certainty;
  /** Sentence or two: what the object does not do, or does besides. Values of manifests may stand in it: untrusted. */
  readonly cause: string;
  /** Overrides the rule's own level: what matters only at a proxy that may not be there is a note. */
  readonly level?: Level;
  readonly enforcedBy?: EnforcedBy;
  /** Other objects that have a part in it. */
  readonly others?: readonly ObjectRef[];
  /** What could not be checked, and what would allow it. */
  readonly unchecked?: readonly string[];
  /** Changes or steps, best first. */
  readonly drafts?: readonly Draft[];
}

/** One diagnosis that manifests alone show. A value in `rules/static`; pure, no I/O. */
export interface StaticRule {
  readonly meta: RuleMeta;
  /** Every place where it holds. Looks at what the mesh holds only: what is not known is no fault. */
  check(mesh: MeshView): readonly StaticMatch[];
  /** What it could not check for want of objects, one sentence each: what, and which command gives them. */
  readonly gaps?: (mesh: MeshView) => readonly string[];
}
