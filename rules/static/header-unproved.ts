import type { Condition } from '../../src/model/policy.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { authorizationPolicies } from '../../src/policy/survey/policies.ts';
import { asksForNobody } from '../../src/policy/survey/rule-shape.ts';
import { step } from '../../src/remedy/edits/index.ts';
import { nameOf } from '../../src/text/object-ref.ts';

const HEADER = /^request\.headers\[(.+)\]$/;
/** Headers that say who somebody is, as gateways set them for those behind. */
const TELLS_WHO = /user|email|auth|token|group|role|subject|identity|account|forwarded|api-?key|client-cert|tenant/i;

/** An ALLOW that believes a header, whoever sends it. */
export const rule: StaticRule = {
  meta: {
    id: 'header-unproved',
    category: 'authorization',
    level: 'warning',
    title: 'An ALLOW rule believes a header from any caller',
    page: {
      meaning:
        'The rule admits whoever sends a header with the right value, and does not ask who sends it. A header such as kubeflow-userid is set by a gateway that has checked the user, but any pod that reaches the workload can set it too.',
      printedBy: 'Nobody: what it admits looks like any other request.',
      confirm: ['kubectl -n NAMESPACE get authorizationpolicy NAME -o yaml'],
      change: 'Put from.source.principals of the gateway that sets the header beside the condition, in the same item.',
      never: 'Do not take a longer or secret header value for a proof of identity.',
    },
    cites: [
      'istio 86c9f01f pilot/pkg/security/authz/matcher/header.go',
      'kubeflow/kubeflow components/profile-controller/controllers/profile_controller.go',
    ],
  },
  check: (mesh) =>
    authorizationPolicies(mesh)
      .filter(({ policy }) => policy.action === 'ALLOW')
      .flatMap(({ object, policy }) =>
        policy.rules.flatMap((one, index): readonly StaticMatch[] => {
          const headers = one.when.map(headerOf).filter((header) => header !== null);
          if (headers.length === 0 || !asksForNobody(one)) return [];
          const tells = headers.some(({ name, values }) => TELLS_WHO.test(name) && !values.includes('*'));
          const names = headers.map(({ name }) => name).join(', ');
          return [
            {
              object,
              at: ['spec', 'rules', index, 'when'],
              certainty: tells ? 'likely' : 'possible',
              level: tells ? 'warning' : 'note',
              cause: `Rule ${index} of ${nameOf(policy.ref)} admits whoever sends ${names} as it wants it: everybody can.`,
              drafts: [
                step(
                  'policy-change',
                  `Name the gateway that sets ${names} in from of rule ${index} of ${nameOf(policy.ref)}.`,
                ),
              ],
            },
          ];
        }),
      ),
};

/** The header that a condition wants to have a value. A star asks for any, so the application looks at it. */
function headerOf({ key, values }: Condition): { readonly name: string; readonly values: readonly string[] } | null {
  const name = values.length === 0 ? undefined : HEADER.exec(key)?.[1];
  return name === undefined ? null : { name, values };
}
