import type { ObjectRef } from './mesh.ts';
import type { JsonPatchOperation } from './remedy.ts';

/** What is to be done to one object, by one remedy or several. */
export interface PlannedObject {
  readonly op: 'create' | 'patch';
  readonly object: ObjectRef & { readonly apiVersion: string };
  /** Name of the file that holds the patch or the manifest: small letters, digits, dots and dashes only. */
  readonly file: string;
  /** JSON Patch; null for an object that is created. */
  readonly jsonPatch: readonly JsonPatchOperation[] | null;
  /** The manifest of an object that is created, as YAML; null for a patch. */
  readonly yaml: string | null;
  /** Why an owner must decide first; such an object goes into its file only, not into what changes many at once. Null: no need. */
  readonly decision: string | null;
  /** Whether the patch also fits the object as its manifest has it, without what the API server fills in. */
  readonly asWritten: boolean;
  /** Shell commands that name `file`, to run beside it. */
  readonly trial: string;
  readonly apply: string;
  readonly rollback: string;
}

/** A remedy that is carried out by the plan. Texts are untrusted. */
export interface PlannedRemedy {
  readonly fingerprint: string;
  readonly summary: string;
  /** What was proved, in a sentence. */
  readonly proof: string;
  readonly newlyAllows: readonly string[];
  readonly risk: string | null;
  readonly decision: string | null;
  /** Files that belong together: all of them or none. */
  readonly files: readonly string[];
  readonly confirm: readonly string[];
  readonly verify: readonly string[];
}

/** A remedy that is not, and why. Untrusted. */
export interface LeftOut {
  readonly summary: string;
  readonly because: string;
}

/** All proved changes of a report as one set, in which no two contradict each other. */
export interface Plan {
  readonly objects: readonly PlannedObject[];
  readonly remedies: readonly PlannedRemedy[];
  readonly leftOut: readonly LeftOut[];
  /** Findings above `note` for which no change was proved, and that the mesh does not admit by now. */
  readonly unsolved: number;
  /** Unified diffs of the operator's own files, one per place that their paths begin at (`''`: the working folder; `/`; `..`). */
  readonly diffs: readonly { readonly root: string; readonly text: string }[];
}

/** Whether a change that was written down earlier still fits the object as it is now. */
export interface Fit {
  /** File of the patch or manifest. */
  readonly file: string;
  /** Its object, `Kind namespace/name`. Untrusted. */
  readonly about: string;
  /** `fits`: it can be applied; `done`: the object has all of it; `stale`: it would be refused. */
  readonly state: 'fits' | 'done' | 'stale';
  /** What is in the way; null unless `stale`. Untrusted. */
  readonly because: string | null;
}
