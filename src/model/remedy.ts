import type { KubeObject, ObjectRef } from './mesh.ts';

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
  /** The change as a unified diff of that file, comments, order and style kept; null: there is no such file, or no such diff. */
  readonly diff: string | null;
}

/** What a rule proposes. Not yet looked at by anybody else. */
export interface Draft {
  readonly kind: RemedyKind;
  /** One sentence: what is changed. */
  readonly summary: string;
  /** What it opens or breaks; `null`: nothing. */
  readonly risk: string | null;
  /** Why an owner must decide before it is made, one sentence (it takes back what a policy says); null: nothing to decide. */
  readonly decision: string | null;
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

/** Whom a change reaches beside the caller and the destination. Names are `namespace/name`. */
export interface Reach {
  /** Principals that the change brings into a policy, and the workloads that run under each; null: the pods are not known. */
  readonly callers: readonly { readonly principal: string; readonly workloads: readonly string[] | null }[];
  /** Workloads that the changed policies apply to; null: the pods are not known. */
  readonly selected: readonly string[] | null;
  /** Other policies that apply to one of these workloads; null: they are not known. */
  readonly others: readonly ObjectRef[] | null;
}

/** A draft and what is known about it. */
export interface Remedy extends Draft {
  readonly verification: Verification;
  /** Null: it changes no object. */
  readonly reach: Reach | null;
}

/** What an operator says beforehand about the changes to propose. */
export interface Wishes {
  /** Callers known to be legitimate, though their denial looks intended: identities, principals, `namespace/account`, addresses. */
  readonly allowCallers: readonly string[];
  /** Admit more than was seen: all of the caller's namespace, or all paths of one form. Null: exactly what was seen. */
  readonly widen: 'namespace' | 'path-template' | null;
  /** ALLOW policies that say what may ever be allowed; null: no bound. */
  readonly ceiling: readonly KubeObject[] | null;
  /** Propose AuthorizationPolicies that only log what they would do. */
  readonly dryRun: boolean;
}

/** Nothing asked for. */
export const NO_WISHES: Wishes = { allowCallers: [], widen: null, ceiling: null, dryRun: false };
