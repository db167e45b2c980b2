import type { StaticRule } from '../../src/model/static.ts';
import { entriesNaming } from '../../src/policy/survey/callers.ts';
import { authorizationPolicies } from '../../src/policy/survey/policies.ts';
import { draftOf, patchObject } from '../../src/remedy/edits/change.ts';
import { showPolicy } from '../../src/remedy/edits/index.ts';
import { nameOf, refText } from '../../src/text/object-ref.ts';

const SCHEME = 'spiffe://';

/** A principal with the scheme that logs and certificates show: no caller ever matches it. */
export const rule: StaticRule = {
  meta: {
    id: 'principal-scheme-written',
    category: 'authorization',
    level: 'error',
    title: 'A principal is written with spiffe://',
    page: {
      meaning:
        'Policies name a principal without its scheme: cluster.local/ns/shop/sa/web. Logs and certificates show it with spiffe://, and so written in a policy it matches nobody: an ALLOW does not admit the caller, a DENY does not keep it out, and an exception (notPrincipals) excepts nobody.',
      printedBy:
        'Nobody at this place. The denial that follows looks right: the line shows the very identity that the policy has.',
      confirm: ['kubectl get authorizationpolicies -A -o yaml | grep -n spiffe://'],
      change: 'Take spiffe:// away and keep the rest, trust domain included.',
      never: 'Do not put a star in its place: that admits every identity.',
    },
    cites: [
      'istio 86c9f01f pilot/pkg/security/authz/matcher/string.go',
      'istio/ztunnel 62d82653 src/rbac.rs',
      'istio/ztunnel#1901',
    ],
  },
  check: (mesh) =>
    authorizationPolicies(mesh).flatMap(({ object, policy }) =>
      entriesNaming(policy, 'principal')
        .filter(({ value }) => value.startsWith(SCHEME))
        .map(({ at, value, negated }) => {
          const meant = value.slice(SCHEME.length);
          const planned = patchObject(object, [{ op: 'set', at, value: meant }]);
          return {
            object,
            at,
            certainty: 'certain',
            cause: `${nameOf(policy.ref)} names ${value}. A principal has no scheme there, so this one ${negated ? 'excepts' : 'matches'} nobody.`,
            drafts:
              planned === null
                ? []
                : [
                    draftOf([planned], {
                      kind: 'policy-change',
                      summary: `Write the principal in ${refText(policy.ref)} as ${meant}.`,
                      risk: 'The rule begins to match this caller.',
                      verify: [showPolicy(policy.ref)],
                    }),
                  ],
          } as const;
        }),
    ),
};
