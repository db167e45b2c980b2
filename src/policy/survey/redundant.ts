import type { MeshView } from '../../model/mesh.ts';
import type { AuthorizationPolicy, PolicyRule } from '../../model/policy.ts';
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
  const groups = new Map<string, WrittenRule[]>();
  for (const { object, policy } of authorizationPolicies(mesh)) {
    if (policy.action !== 'ALLOW' && policy.action !== 'DENY') continue;
    const key = groupOf(policy, scopeOf(policy));
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push(...policy.rules.map((rule, index) => ({ object, policy, index, rule })));
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    const wide =
      first === undefined || scopeOf(first.policy) === ALL ? [] : (groups.get(groupOf(first.policy, ALL)) ?? []);
    return redundantIn(group.slice(0, MAX_COMPARED), wide.slice(0, MAX_COMPARED));
  });
});

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
