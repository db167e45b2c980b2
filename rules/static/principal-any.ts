import type { StaticRule } from '../../src/model/static.ts';
import { entriesNaming } from '../../src/policy/survey/callers.ts';
import { authorizationPolicies } from '../../src/policy/survey/policies.ts';
import { nameOf } from '../../src/text/object-ref.ts';

/** `*` as principal: everybody who proves an identity, whoever it is. */
export const rule: StaticRule = {
  meta: {
    id: 'principal-any',
    category: 'authorization',
    level: 'note',
    title: 'A policy names everybody with an identity',
    page: {
      meaning:
        'The principal * stands for every caller with a certificate of the mesh, from any namespace (and from every trust domain that is trusted). In notPrincipals it stands for all who have none: plain text.',
      printedBy: 'Nobody: it is worth knowing, and may be meant.',
      confirm: ['kubectl -n NAMESPACE get authorizationpolicy NAME -o yaml'],
      change: 'If single callers were meant, name them.',
      never: 'Do not use it to end a denial: it admits the whole mesh.',
    },
    cites: ['istio 86c9f01f pilot/pkg/security/authz/matcher/string.go', 'istio/ztunnel 62d82653 src/rbac.rs'],
  },
  check: (mesh) =>
    authorizationPolicies(mesh).flatMap(({ object, policy }) =>
      entriesNaming(policy, 'principal')
        .filter(({ value }) => value === '*')
        .map(
          ({ at, negated }) =>
            ({
              object,
              at,
              certainty: 'certain',
              cause: `${nameOf(policy.ref)} (${policy.action}) means ${negated ? 'everybody without an identity: plain text' : 'everybody with an identity of the mesh'}.`,
            }) as const,
        ),
    ),
};
