import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { authorizationPolicies } from '../../src/policy/survey/policies.ts';
import { needlessBeside } from '../../src/policy/survey/redundant.ts';
import {
  areProbePaths,
  asksForNobody,
  matchesAll,
  namesCaller,
  onlyPaths,
} from '../../src/policy/survey/rule-shape.ts';
import { step } from '../../src/remedy/edits/index.ts';
import { nameOf } from '../../src/text/object-ref.ts';

/** An ALLOW rule that does not say who may call. */
export const rule: StaticRule = {
  meta: {
    id: 'allow-source-missing',
    category: 'authorization',
    level: 'note',
    title: 'An ALLOW rule admits every caller to what it names',
    page: {
      meaning:
        'A rule without from (and without a condition on the source or its token) admits everybody, callers without identity included. That is right for what is public. It is a warning where another rule for the same workloads names callers for the same thing: that one then keeps nobody out.',
      printedBy: 'Nobody: what it admits looks like any other connection.',
      confirm: ['kubectl -n NAMESPACE get authorizationpolicies -o yaml'],
      change: 'Name the callers in from of this rule, or take it away where another rule names them.',
      never: 'Do not rely on a header instead: everybody can send one.',
    },
    cites: ['istio 86c9f01f pilot/pkg/security/authz/model/model.go'],
  },
  check: (mesh) =>
    authorizationPolicies(mesh).flatMap(({ object, policy }) =>
      policy.rules.flatMap((one, index): readonly StaticMatch[] => {
        const isPublic = matchesAll(one) || areProbePaths(onlyPaths(one) ?? []);
        if (policy.action !== 'ALLOW' || isPublic || !asksForNobody(one)) return [];
        const victims = needlessBeside(one, mesh).filter((other) => namesCaller(other.rule));
        const pointless = victims.map((other) => `rule ${other.index} of ${nameOf(other.policy.ref)}`).join(', ');
        return [
          {
            object,
            at: ['spec', 'rules', index],
            certainty: 'certain',
            level: victims.length > 0 ? 'warning' : 'note',
            others: victims.map((other) => other.policy.ref),
            cause: `Rule ${index} of ${nameOf(policy.ref)} does not say who may call, so everybody may.${victims.length > 0 ? ` It makes ${pointless} pointless, which names callers for the same.` : ''}`,
            drafts: [
              step(
                'policy-change',
                `Name the callers in rule ${index} of ${nameOf(policy.ref)}, unless it is meant for everybody.`,
              ),
            ],
          },
        ];
      }),
    ),
};
