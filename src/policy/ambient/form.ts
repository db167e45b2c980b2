import type { ObjectRef } from '../../model/mesh.ts';
import type { IpBlock } from '../match-ip.ts';
import type { StringList } from '../match-string.ts';

/** A service account that a peer may or may not be; the trust domain is not looked at. */
export interface ServiceAccountMatch {
  readonly namespace: string;
  readonly name: string;
}

interface ConstraintBase {
  /** True for the `not…` fields: no value may match. False: one must. */
  readonly negated: boolean;
  /** Where it stands, below the rule: `from[0].source.principals`. */
  readonly path: string;
  /** The values as written, also those that istiod could not read. */
  readonly written: readonly string[];
}

/** One field of a match with its values, of which there is at least one. */
export type Constraint = ConstraintBase &
  (
    | { readonly field: 'principals' | 'namespaces'; readonly values: StringList }
    | { readonly field: 'serviceAccounts'; readonly values: readonly ServiceAccountMatch[] }
    | { readonly field: 'sourceIps' | 'destinationIps'; readonly values: readonly IpBlock[] }
    | { readonly field: 'destinationPorts'; readonly values: readonly number[] }
  );

/** A field that ztunnel never gets. */
export interface LostField {
  readonly path: string;
  readonly written: readonly string[];
  /** Its name in istiod's status text, where it counts as an HTTP attribute; null: it is lost without a word. */
  readonly httpAttribute: string | null;
}

/** One entry of `from` or `to`, or one `when`: all constraints must hold. Without any constraint it never matches. */
export interface ZtunnelMatch {
  /** `from[0].source`, `to[1].operation`, `when[0]`. */
  readonly path: string;
  readonly constraints: readonly Constraint[];
  readonly lost: readonly LostField[];
}

/** One rule: every clause must hold, a clause holds if one of its matches does. Without clauses it always matches. */
export interface ZtunnelRule {
  /** Index in `spec.rules` of the object. */
  readonly index: number;
  readonly clauses: readonly (readonly ZtunnelMatch[])[];
}

/** Where a policy applies. WORKLOAD_SELECTOR: to workloads that list it. */
export type ZtunnelScope = 'GLOBAL' | 'NAMESPACE' | 'WORKLOAD_SELECTOR';

/**
 * A policy as istiod sends it to ztunnel (istio 86c9f01f pkg/workloadapi/security/authorization.proto). It matches if one
 * of its rules does, so without rules it never does.
 */
export interface ZtunnelPolicy {
  /** `namespace/name`, as ztunnel names it in its log. */
  readonly key: string;
  readonly name: string;
  readonly namespace: string;
  readonly scope: ZtunnelScope;
  readonly action: 'ALLOW' | 'DENY';
  readonly rules: readonly ZtunnelRule[];
  /** Rules of an ALLOW that istiod leaves out because of HTTP attributes. */
  readonly dropped: readonly ZtunnelRule[];
  /** The object it was made from; null: istiod's own (`istio_converted_static_strict`). */
  readonly source: ObjectRef | null;
}

/** What is known of the mesh beside its policies. */
export interface AmbientSettings {
  readonly rootNamespace: string;
  /** istiod's own revision: objects labelled `istio.io/rev` with another one do not exist for it. Null: not looked at. */
  readonly revision: string | null;
  /** Release as `1.27` or `1.27.3`; null: newest. */
  readonly istioVersion: string | null;
}

/** Key of a policy: `namespace/name`. */
export function policyKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

/** Orders texts as Go and Rust do for the ASCII that Kubernetes names are made of. */
export function byText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
