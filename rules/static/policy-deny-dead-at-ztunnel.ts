import type { StaticRule } from '../../src/model/static.ts';
import { canMatch } from '../../src/policy/ambient/convert.ts';
import { lostAtZtunnel } from '../../src/remedy/edits/lost-at-ztunnel.ts';

/** A DENY rule of which ztunnel gets a part that can never hold: it denies nobody. */
export const rule: StaticRule = {
  meta: {
    id: 'policy-deny-dead-at-ztunnel',
    category: 'authorization',
    level: 'error',
    title: 'A DENY rule denies nothing at ztunnel',
    page: {
      meaning:
        'ztunnel sees connections, not requests. istiod takes the HTTP fields out of a DENY rule; a list of from, to or when of which nothing is left can never hold, and with it the whole rule. What the rule should keep out comes in. Where sidecars enforce the policy the rule works.',
      printedBy:
        'Nobody: what comes in looks like any other connection. istiod writes condition ZtunnelAccepted on the policy; up to 1.31 its text says the opposite ("more restrictive than requested").',
      confirm: ['kubectl -n NAMESPACE get authorizationpolicy NAME -o jsonpath={.status.conditions}'],
      change:
        'Bind the rule to a waypoint with targetRefs, where HTTP is seen. To deny whole connections, write only ports, identities and addresses.',
      never:
        'Do not take it for protection meanwhile, and do not put an ALLOW in its place that admits everybody else.',
    },
    cites: [
      'istio 86c9f01f pilot/pkg/serviceregistry/ambient/authorization.go',
      'istio/ztunnel 62d82653 src/rbac.rs',
      'istio/istio#54275',
    ],
  },
  check: (mesh) =>
    lostAtZtunnel(mesh, {
      pick: ({ action, rules }) => (action === 'DENY' ? rules.filter((part) => !canMatch(part)) : []),
      tell: (asks) => `denies nothing: without ${asks} a part of it can never hold.`,
    }),
};
