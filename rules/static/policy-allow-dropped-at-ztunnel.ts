import type { StaticRule } from '../../src/model/static.ts';
import { lostAtZtunnel } from '../../src/remedy/edits/lost-at-ztunnel.ts';

/** An ALLOW rule asks about HTTP, and a ztunnel, which sees none, enforces the policy: istiod leaves the rule out. */
export const rule: StaticRule = {
  meta: {
    id: 'policy-allow-dropped-at-ztunnel',
    category: 'authorization',
    level: 'error',
    title: 'An ALLOW rule with HTTP fields does not exist at ztunnel',
    page: {
      meaning:
        'ztunnel sees connections, not requests. Of an ALLOW policy with a selector (or for a namespace) istiod leaves out every rule that asks about methods, paths, hosts, tokens or headers. If no rule is left the policy still counts as an ALLOW, so everything is denied. Where sidecars enforce the policy the rule works.',
      printedBy:
        'Nobody, until a caller is denied: then the ztunnel of the destination prints "allow policies exist, but none allowed". istiod writes status condition ZtunnelAccepted, reason UnsupportedValue, on the policy.',
      confirm: ['kubectl -n NAMESPACE get authorizationpolicy NAME -o jsonpath={.status.conditions}'],
      change:
        'Give the Service a waypoint and bind the rule to it with targetRefs. Keep a second policy with a selector at the pods that admits the waypoint and nobody else.',
      never: 'Do not just take the HTTP fields out: the rule then admits its callers to every request on the port.',
    },
    cites: ['istio 86c9f01f pilot/pkg/serviceregistry/ambient/authorization.go'],
  },
  check: (mesh) =>
    lostAtZtunnel(mesh, {
      pick: ({ dropped }) => dropped,
      tell: (asks, { rules }) =>
        `is left out, as it asks for ${asks}. ${rules.length === 0 ? 'No rule is left, so the policy denies everything.' : 'What only this rule allows is denied.'}`,
    }),
};
