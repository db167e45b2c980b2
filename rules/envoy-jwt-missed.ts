import type { Rule } from '../src/model/finding.ts';
import { matchRefusedToken, repairToken } from '../src/remedy/edits/refused-token.ts';

/** The request carried no token where one is required. */
export const rule: Rule = {
  meta: {
    id: 'envoy-jwt-missed',
    category: 'authentication',
    level: 'warning',
    title: 'The request carried no token where one is required',
    page: {
      meaning:
        "A JWT rule applies that does not let requests without token pass, and the request carried none. RequestAuthentication of Istio always lets them pass, so this comes from a rule of another make (an EnvoyFilter, a gateway's own settings). With Istio's own policies a missing token shows as 403 rbac_access_denied_matched_policy[none]: an ALLOW policy asks for a token.",
      printedBy:
        'The proxy that verifies: mostly a gateway, else the sidecar or waypoint of the destination, as jwt_authn_access_denied{Jwt_is_missing}. The body of the answer is the same text.',
      confirm: [
        'kubectl get envoyfilters -A -o yaml | grep -B5 -A30 jwt_authn',
        'kubectl get requestauthentications -A -o yaml',
      ],
      change:
        'Let the caller send its token in the place where the rule looks for it: Authorization: Bearer TOKEN, unless fromHeaders or fromParams name another. The scheme must be written Bearer; with Basic, bearer or nothing behind it the request counts as one without token.',
      never: 'Do not make the token optional for all paths to let one caller in.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/jwt_authn/filter.cc',
      'google/jwt_verify_lib src/status.cc',
      'istio 86c9f01f pilot/pkg/security/authn/policy_applier.go',
    ],
  },
  on: ['envoy/request'],
  match({ record }, mesh) {
    return matchRefusedToken(record, mesh, ['missing']);
  },
  propose: repairToken,
};
