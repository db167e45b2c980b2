import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { authorizationPolicies } from '../../src/policy/survey/policies.ts';
import { needlessBeside } from '../../src/policy/survey/redundant.ts';
import { matchesAll } from '../../src/policy/survey/rule-shape.ts';
import { step } from '../../src/remedy/edits/index.ts';
import { distinctRefs, nameOf } from '../../src/text/object-ref.ts';

/** A rule without from, to and when holds for everything. */
export const rule: StaticRule = {
  meta: {
    id: 'allow-everything',
    category: 'authorization',
    level: 'note',
    title: 'An empty rule matches everything',
    page: {
      meaning:
        'A rule without from, to and when ("- {}") holds for every caller and every request. In an ALLOW it ends all other limits of ALLOW policies for the same workloads; in a DENY nothing passes. It is a warning where an ALLOW has it beside rules that name somebody.',
      printedBy: 'Nobody for an ALLOW. For a DENY every denial names the policy.',
      confirm: ['kubectl -n NAMESPACE get authorizationpolicies -o yaml'],
      change:
        'Take the empty rule away, or say in it who and what is meant. To allow nothing write a policy without rules.',
      never: 'Do not use it to end a denial: it opens the workload to everybody.',
    },
    cites: ['istio 86c9f01f pilot/pkg/security/authz/model/model.go'],
  },
  check: (mesh) =>
    authorizationPolicies(mesh)
      .filter(({ policy }) => policy.action === 'ALLOW' || policy.action === 'DENY')
      .flatMap(({ object, policy }) =>
        policy.rules.flatMap((one, index): readonly StaticMatch[] => {
          if (!matchesAll(one)) return [];
          const victims =
            policy.action === 'ALLOW' ? needlessBeside(one, mesh).filter((other) => !matchesAll(other.rule)) : [];
          const name = nameOf(policy.ref);
          return [
            {
              object,
              at: ['spec', 'rules', index],
              certainty: 'certain',
              level: victims.length > 0 ? 'warning' : 'note',
              others: distinctRefs(victims.map(({ policy: other }) => other.ref)),
              cause: `Rule ${index} of ${name} is empty, so it ${policy.action === 'ALLOW' ? 'allows' : 'denies'} everything.${undoneText(victims.length)}`,
              drafts: [
                step('policy-change', `Say in rule ${index} of ${name} who and what is meant, or take it away.`),
              ],
            },
          ];
        }),
      ),
};

function undoneText(count: number): string {
  if (count === 0) return '';
  return count === 1
    ? ' Another rule for the same workloads keeps nobody out.'
    : ` ${count} other rules for the same workloads keep nobody out.`;
}
