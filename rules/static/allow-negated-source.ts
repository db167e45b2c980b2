import type { PolicyRule, PolicySource } from '../../src/model/policy.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { plaintextAt } from '../../src/policy/survey/modes.ts';
import { authorizationPolicies } from '../../src/policy/survey/policies.ts';
import { fieldsOf } from '../../src/policy/survey/rule-shape.ts';
import { step } from '../../src/remedy/edits/index.ts';
import { nameOf } from '../../src/text/object-ref.ts';

const NEGATED: readonly (keyof PolicySource)[] = [
  'notPrincipals',
  'notNamespaces',
  'notServiceAccounts',
  'notTrustDomains',
];

/** An ALLOW that only says who may not call: everybody else may, plain text too. */
export const rule: StaticRule = {
  meta: {
    id: 'allow-negated-source',
    category: 'authorization',
    level: 'warning',
    title: 'An ALLOW rule only says who may not call',
    page: {
      meaning:
        'A negative field holds for every caller that is not in its list, and for everybody without an identity: a caller that speaks plain text is in no namespace and has no principal. Such an ALLOW admits them all, even the caller it leaves out, if that speaks plain text. Where mutual TLS is STRICT only the rest of the mesh is admitted.',
      printedBy:
        'Nobody: what it admits looks like any other connection; ztunnel prints no src.identity for plain text.',
      confirm: ['kubectl -n NAMESPACE get authorizationpolicies,peerauthentications -o yaml'],
      change: 'Name the callers that may come in. To keep single ones out write a DENY that names them.',
      never: 'Do not add more negative names: the list never ends.',
    },
    cites: [
      'istio/ztunnel 62d82653 src/rbac.rs',
      'envoy 1.37 source/extensions/filters/common/rbac/matchers.cc',
      'ISTIO-SECURITY-2021-003',
    ],
  },
  check: (mesh) =>
    authorizationPolicies(mesh)
      .filter(({ policy }) => policy.action === 'ALLOW')
      .flatMap(({ object, policy }) =>
        policy.rules.flatMap((one, rule): readonly StaticMatch[] => {
          const index = negatedSource(one);
          const plaintext = index < 0 ? 'refused' : plaintextAt(policy, mesh);
          if (plaintext === 'refused') return [];
          const name = nameOf(policy.ref);
          const isOpen = plaintext === 'accepted';
          return [
            {
              object,
              at: ['spec', 'rules', rule, 'from', index],
              ...(isOpen ? OPEN : NOT_KNOWN),
              cause: `Rule ${rule} of ${name} admits everybody but ${fieldsOf(one.from[index] ?? null).join(' and ')}, and that includes callers in plain text${isOpen ? ', which the PeerAuthentications there let in' : ''}.`,
              drafts: [step('policy-change', `Name in rule ${rule} of ${name} who may call.`)],
            },
          ];
        }),
      ),
};

const OPEN = { certainty: 'certain', level: 'warning' } as const;
const NOT_KNOWN = { certainty: 'possible', level: 'note' } as const;

/** Index of a source that is all there is to pass the rule, and only says who may not; -1: there is none. */
function negatedSource({ from, when }: PolicyRule): number {
  return when.length > 0 ? -1 : from.findIndex((source) => source !== null && isOnlyNegative(source));
}

function isOnlyNegative(source: PolicySource): boolean {
  const fields = fieldsOf(source);
  return fields.length > 0 && fields.every((field) => NEGATED.some((negated) => negated === field));
}
