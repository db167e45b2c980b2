import type { StaticRule } from '../../src/model/static.ts';
import { canMatch, lostFields } from '../../src/policy/ambient/convert.ts';
import { lostAtZtunnel } from '../../src/remedy/edits/lost-at-ztunnel.ts';

/** A DENY rule that loses its HTTP fields at ztunnel and still holds: it denies more than it says. */
export const rule: StaticRule = {
  meta: {
    id: 'policy-deny-widened-at-ztunnel',
    category: 'authorization',
    level: 'error',
    title: 'A DENY rule denies more at ztunnel than it says',
    page: {
      meaning:
        'ztunnel sees connections, not requests. istiod takes the HTTP fields out of a DENY rule and keeps the rest: a rule for one method on a port denies the whole port. Where sidecars enforce the policy the rule works.',
      printedBy:
        'The ztunnel of the destination, once a caller is denied: "explicitly denied by: NAMESPACE/NAME". istiod writes condition ZtunnelAccepted, reason UnsupportedValue, on the policy.',
      confirm: ['kubectl -n NAMESPACE get authorizationpolicy NAME -o jsonpath={.status.conditions}'],
      change: 'Bind the rule to a waypoint with targetRefs, where HTTP is seen.',
      never: 'Do not add an ALLOW against it: DENY is asked first.',
    },
    cites: ['istio 86c9f01f pilot/pkg/serviceregistry/ambient/authorization.go'],
  },
  check: (mesh) =>
    lostAtZtunnel(mesh, {
      pick: ({ action, rules }) =>
        action === 'DENY' ? rules.filter((part) => canMatch(part) && lostFields([part]).length > 0) : [],
      tell: (asks) => `denies whatever fits the rest of it, as ztunnel gets it without ${asks}.`,
    }),
};
