import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { authorizationPolicies } from '../../src/policy/survey/policies.ts';
import { nameOf } from '../../src/text/object-ref.ts';

/** An ALLOW without rules: what no other ALLOW admits is denied. */
export const rule: StaticRule = {
  meta: {
    id: 'allow-nothing',
    category: 'authorization',
    level: 'note',
    title: 'An ALLOW policy without rules denies by default',
    page: {
      meaning:
        'A policy without rules never matches, and as soon as one ALLOW applies everything that none admits is denied. This is how deny by default is written; each workload then needs an ALLOW of its own.',
      printedBy:
        'The proxy of the destination, once somebody is denied: "allow policies exist, but none allowed", or matched policy none.',
      confirm: ['kubectl get authorizationpolicies -A'],
      change: 'Nothing, if it is meant. An ALLOW for each workload says who may call it.',
      never: 'Do not turn it into a DENY with an empty rule: no ALLOW helps against that.',
    },
    cites: ['istio 86c9f01f pilot/pkg/security/authz/builder/builder.go', 'istio/ztunnel 62d82653 src/state.rs'],
  },
  check: (mesh) =>
    authorizationPolicies(mesh)
      .filter(({ policy }) => policy.action === 'ALLOW' && policy.rules.length === 0)
      .map(({ object, policy }): StaticMatch => {
        const { ref, selector, targetRefs } = policy;
        const place = ref.namespace === mesh.rootNamespace ? 'the whole mesh' : `namespace ${ref.namespace}`;
        const where = selector !== null || targetRefs.length > 0 ? 'for what it selects' : `for ${place}`;
        return {
          object,
          at: ['spec'],
          certainty: 'certain',
          cause: `${nameOf(ref)} has no rules: ${where} everything is denied that no other ALLOW admits.`,
        };
      }),
};
