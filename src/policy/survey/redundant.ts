import type { MeshView } from '../../model/mesh.ts';
import type { AuthorizationPolicy, PolicyRule } from '../../model/policy.ts';
import { grouped } from '../../text/grouped.ts';
import { remembered } from '../../text/remembered.ts';
import { covers } from './cover.ts';
import { authorizationPolicies, type Written } from './policies.ts';
import { targetsOf, wantedLabels } from './selection.ts';

/** One rule of a policy. */
export interface WrittenRule extends Written<AuthorizationPolicy> {
  readonly index: number;
  readonly rule: PolicyRule;
}

/** A rule, and another one for the same workloads which matches everything that it matches. */
export interface Redundancy {
  readonly narrow: WrittenRule;
  readonly wide: WrittenRule;
}

/** Rules of one scope that are compared with each other: more are written by generators. */
const MAX_COMPARED = 200;

/**
 * All ALLOW and DENY rules that another one makes needless, each told once. Compared are rules of one action, namespace and
 * scope, and rules for some pods of a namespace with those for all of it. Of two equal ones the first stays.
 */
export const rulesThatAddNothing: (mesh: MeshView) => readonly Redundancy[] = remembered((mesh) => {
  const written = authorizationPolicies(mesh)
    .filter(({ policy }) => policy.action === 'ALLOW' || policy.action === 'DENY')
    .flatMap(({ object, policy }) => {
      const scope = scopeOf(policy);
      return policy.rules.map((rule, index) => ({ object, policy, index, rule, scope }));
    });
  const groups = grouped(written, ({ policy, scope }) => groupOf(policy, scope));
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    const wide = first === undefined || first.scope === ALL ? [] : (groups.get(groupOf(first.policy, ALL)) ?? []);
    return redundantIn(group.slice(0, MAX_COMPARED), wide.slice(0, MAX_COMPARED));
  });
});

const byWide = remembered((mesh: MeshView) => grouped(rulesThatAddNothing(mesh), ({ wide }) => wide.rule));

/** The rules that this one makes needless. */
export function needlessBeside(rule: PolicyRule, mesh: MeshView): readonly WrittenRule[] {
  return (byWide(mesh).get(rule) ?? []).map(({ narrow }) => narrow);
}

function redundantIn(group: readonly WrittenRule[], outer: readonly WrittenRule[]): readonly Redundancy[] {
  return group.flatMap((narrow, position) => {
    const wide =
      group.find(
        (other, at) =>
          other !== narrow && covers(other.rule, narrow.rule) && (at < position || !covers(narrow.rule, other.rule)),
      ) ?? outer.find((other) => covers(other.rule, narrow.rule));
    return wide === undefined ? [] : [{ narrow, wide }];
  });
}

const ALL = '{}';

function groupOf({ ref, action }: AuthorizationPolicy, scope: string): string {
  return [ref.namespace, action, scope].join('\n');
}

/** Selector and targets as a text. */
function scopeOf(policy: AuthorizationPolicy): string {
  const labels = Object.fromEntries(Object.entries(wantedLabels(policy)).sort());
  return `${JSON.stringify(labels)}${targetsOf(policy)}`;
}
