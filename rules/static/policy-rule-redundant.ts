import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { rulesThatAddNothing } from '../../src/policy/survey/redundant.ts';
import { asksForNobody } from '../../src/policy/survey/rule-shape.ts';
import { step } from '../../src/remedy/edits/index.ts';
import { nameOf } from '../../src/text/object-ref.ts';

/** A rule that another rule of the same action has already. */
export const rule: StaticRule = {
  meta: {
    id: 'policy-rule-redundant',
    category: 'authorization',
    level: 'note',
    title: 'A rule adds nothing to another one',
    page: {
      meaning:
        'Rules and policies of one action are alternatives. A rule of which everything matches another rule for the same workloads as well changes no answer. Often it shows that the other one was meant to be narrower.',
      printedBy: 'Nobody.',
      confirm: ['kubectl -n NAMESPACE get authorizationpolicies -o yaml'],
      change: 'Look which of the two says what was meant: take away the narrow rule, or narrow the wide one.',
      never: 'Do not take the narrow rule away in the same step as the wide one: then it is the one that is needed.',
    },
    cites: ['istio 86c9f01f pilot/pkg/security/authz/model/model.go'],
  },
  check: (mesh) =>
    rulesThatAddNothing(mesh)
      .filter(({ wide }) => !asksForNobody(wide.rule))
      .map(
        ({ narrow, wide }): StaticMatch => ({
          object: narrow.object,
          at: ['spec', 'rules', narrow.index],
          certainty: 'certain',
          cause: `Rule ${narrow.index} of ${nameOf(narrow.policy.ref)} adds nothing: rule ${wide.index} of ${nameOf(wide.policy.ref)} matches all that it matches.`,
          others: [wide.policy.ref],
          drafts: [
            step('none', 'Nothing is broken. If the wide rule is wider than meant, narrow it; else the other may go.'),
          ],
        }),
      ),
};
