import type { Finding } from '../../model/finding.ts';
import type { KubeObject, MeshView } from '../../model/mesh.ts';
import type { AuthorizationPolicy, PolicyRule } from '../../model/policy.ts';
import { allOf, type Truth } from '../../policy/network-match.ts';
import { sameRef } from '../../text/object-ref.ts';
import { destinationOf } from './destination.ts';
import { type Call, callOf, fromFits, isLayer4, restFits } from './fit.ts';
import { asksOfHttp } from './http-at-ztunnel.ts';
import { policiesFor, readPolicy } from './policies.ts';

/** A DENY policy that the log names, or that applies where the call was refused. */
export interface Denial {
  readonly object: KubeObject;
  readonly policy: AuthorizationPolicy;
}

/** A rule of a DENY policy that matched a call, or that may have: what the log does not tell, it may turn on. */
export interface DenyingRule {
  readonly rule: PolicyRule;
  /** Index in `spec.rules`. */
  readonly index: number;
  readonly call: Call;
  /** Null: what is known does not tell; then the policy is one that the log names. */
  readonly fits: Truth;
  /** The proxy leaves out what the rule asks of HTTP, so that it denies more than it says. */
  readonly reduced: boolean;
}

/** The DENY policies that the finding names and the mesh holds, then others that apply: a proxy names one only. */
export function deniesFor(finding: Finding, mesh: MeshView): readonly Denial[] {
  const named = finding.policies.flatMap((ref) => {
    const object = mesh.object(ref);
    const decoded = object === null ? null : readPolicy(object);
    return object !== null && decoded?.ok && decoded.value.action === 'DENY' ? [{ object, policy: decoded.value }] : [];
  });
  const destination = destinationOf(finding, mesh);
  const applied = destination === null ? [] : policiesFor(finding, mesh, destination, 'DENY');
  const others = applied.filter(({ object }) => !named.some((denial) => denial.object === object));
  return [...named, ...others];
}

/** The rules of a DENY policy that matched. What the log named did match; of the others only what surely matches counts. */
export function denyingRules({ policy }: Denial, finding: Finding, mesh: MeshView): readonly DenyingRule[] {
  const call = callOf(finding, portOf(finding, mesh), policy.ref.namespace);
  const isNamed = finding.policies.some((ref) => sameRef(ref, policy.ref));
  return policy.rules.flatMap((rule, index) => {
    const fits = allOf([restFits(rule, call, 'DENY'), fromFits(rule, call, 'DENY')]);
    if (fits !== true && !(isNamed && fits === null)) return [];
    return [{ rule, index, call, fits, reduced: seesNoHttp(finding) && asksOfHttp(rule).length > 0 }];
  });
}

/** ztunnel never does, and Envoy does not in a connection. */
function seesNoHttp(finding: Finding): boolean {
  return isLayer4(finding) || finding.flows.every(({ record }) => record.kind === 'connection');
}

function portOf(finding: Finding, mesh: MeshView): number | null {
  const destination = destinationOf(finding, mesh);
  return destination === null ? finding.destination.port : destination.port;
}
