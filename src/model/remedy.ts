import type { ObjectRef } from './mesh.ts';

export type RemedyKind = 'policy-change' | 'enrol' | 'network-policy' | 'configuration' | 'investigate' | 'none';

/** A JSON Patch operation (RFC 6902). `test` operations come first and guard against a stale object. */
export type JsonPatchOperation =
  | { readonly op: 'test' | 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

/** One change of one object, as plain data ready to print. */
export interface ObjectChange {
  readonly op: 'create' | 'patch' | 'delete';
  readonly object: ObjectRef & { readonly apiVersion: string };
  /** The object before; null when it is created or not known. */
  readonly before: Readonly<Record<string, unknown>> | null;
  /** The object after; null when it is deleted or only the patch is known. */
  readonly after: Readonly<Record<string, unknown>> | null;
  readonly jsonPatch: readonly JsonPatchOperation[] | null;
  /** What to apply, as YAML: the whole object for `create`, the object after the change for `patch`. */
  readonly yaml: string;
  /** File it was read from, where the change belongs. */
  readonly file: string | null;
}

/** What a rule proposes. Not yet looked at by anybody else. */
export interface Draft {
  readonly kind: RemedyKind;
  /** One sentence: what is changed. */
  readonly summary: string;
  /** What it opens or breaks; `null`: nothing. */
  readonly risk: string | null;
  readonly changes: readonly ObjectChange[];
  readonly commands: RemedyCommands;
}

/** Shell commands for the operator. Values from logs in them are quoted with `src/text/shell.ts`. */
export interface RemedyCommands {
  readonly confirm: readonly string[];
  readonly apply: readonly string[];
  readonly verify: readonly string[];
  readonly rollback: readonly string[];
}

/** What replaying says about a draft. */
export interface Verification {
  readonly status: 'verified' | 'refuted' | 'unverifiable';
  readonly reason: string;
  readonly fixes: { readonly of: number; readonly fixed: number };
  /** Connections that would be allowed and are not now, in words. */
  readonly newlyAllows: readonly string[];
  readonly newlyDenies: readonly string[];
  readonly probes: readonly { readonly probe: string; readonly before: string; readonly after: string }[];
}

/** A draft and what is known about it. */
export interface Remedy extends Draft {
  readonly verification: Verification;
}
