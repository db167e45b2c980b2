import type { KubeObject } from '../../src/model/mesh.ts';
import type { AuthorizationPolicy, PolicySource } from '../../src/model/policy.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { authorizationPolicies } from '../../src/policy/survey/policies.ts';
import { fieldsOf } from '../../src/policy/survey/rule-shape.ts';
import { targetsOf, wantedLabels } from '../../src/policy/survey/selection.ts';
import { showPolicy, step } from '../../src/remedy/edits/index.ts';
import { grouped } from '../../src/text/grouped.ts';
import { distinctRefs, nameOf } from '../../src/text/object-ref.ts';

const LISTS: readonly (keyof PolicySource)[] = ['notPrincipals', 'notNamespaces', 'notServiceAccounts'];

/** DENY lists of exceptions that have nobody in common: each denies whom the other excepts, so nobody passes. */
export const rule: StaticRule = {
  meta: {
    id: 'deny-exceptions-split',
    category: 'authorization',
    level: 'error',
    title: 'DENY lists of exceptions have nobody in common',
    page: {
      meaning:
        'A DENY with notPrincipals denies everybody who is not in its list. Items of a list, rules and policies are alternatives, so with two such lists only who stands in both passes. Here nobody does: every caller is denied.',
      printedBy: 'The proxy of the destination, for every caller: explicitly denied by the one policy or the other.',
      confirm: ['kubectl -n NAMESPACE get authorizationpolicies -o yaml'],
      change: 'Put all callers into one list, of one item of one rule of one policy.',
      never: 'Do not add a second policy for a second caller, and no ALLOW: DENY is asked first.',
    },
    cites: ['istio/ztunnel 62d82653 src/state.rs', 'istio 86c9f01f pilot/pkg/security/authz/model/model.go'],
  },
  check: (mesh) => {
    const denials = authorizationPolicies(mesh).filter(({ policy }) => policy.action === 'DENY');
    const lists = denials.flatMap(({ object, policy }) => exceptionsIn(object, policy));
    return [...grouped(lists, ({ key }) => key).values()].flatMap(clashIn);
  },
};

/** A list of those whom a DENY lets pass, and what tells which other lists are for the same calls. */
interface Exceptions {
  readonly object: KubeObject;
  readonly policy: AuthorizationPolicy;
  readonly at: readonly (string | number)[];
  readonly names: readonly string[];
  readonly key: string;
}

function exceptionsIn(object: KubeObject, policy: AuthorizationPolicy): readonly Exceptions[] {
  return policy.rules.flatMap(({ from, to, when }, index) =>
    from.flatMap((source, entry) => {
      const [field, ...others] = fieldsOf(source);
      const list = LISTS.find((name) => name === field);
      const names = list === undefined || source === null ? [] : source[list];
      if (list === undefined || others.length > 0 || when.length > 0 || names.some((name) => name.includes('*')))
        return [];
      const labels = JSON.stringify(Object.entries(wantedLabels(policy)).sort());
      const key = [policy.ref.namespace, labels, targetsOf(policy), JSON.stringify(to), list].join('\n');
      return [{ object, policy, at: ['spec', 'rules', index, 'from', entry, 'source', list], names, key }];
    }),
  );
}

/** Told once for a group, at the list that shuts out the last who would have passed. */
function clashIn(group: readonly Exceptions[]): readonly StaticMatch[] {
  let common: readonly string[] | null = null;
  for (const list of group) {
    const left: readonly string[] = common === null ? list.names : common.filter((name) => list.names.includes(name));
    common = left;
    if (left.length > 0) continue;
    const refs = distinctRefs(group.map(({ policy }) => policy.ref));
    return [
      {
        object: list.object,
        at: list.at,
        certainty: 'certain',
        cause: `${group.length} lists of exceptions in ${refs.map(nameOf).join(' and ')} have nobody in common: each denies whom another excepts, so every caller is denied.`,
        others: refs,
        drafts: [
          step('policy-change', `Put the callers of ${refs.map(nameOf).join(' and ')} into one list.`, {
            confirm: refs.map(showPolicy),
          }),
        ],
      },
    ];
  }
  return [];
}
