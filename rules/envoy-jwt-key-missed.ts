import type { Rule } from '../src/model/finding.ts';
import { matchRefusedToken, repairToken } from '../src/remedy/edits/refused-token.ts';

/** The key that signed the token is not among the keys known. */
export const rule: Rule = {
  meta: {
    id: 'envoy-jwt-key-missed',
    category: 'authentication',
    level: 'warning',
    title: 'The key that signed the token is not among the keys known',
    page: {
      meaning:
        "The token names a key (kid) or algorithm that is not in the key set of its issuer as this proxy has it. The issuer rotated its keys or was restarted with new ones and istiod has not fetched them yet (it does every 20 minutes); or jwksUri is another issuer's or realm's. Up to about Istio 1.20 a failed fetch looked like this too, because the substitute key had a kid of its own.",
      printedBy:
        "The proxy that verifies: mostly a gateway, else the sidecar or waypoint of the destination, as jwt_authn_access_denied{Jwks_doesn't_have_key_to_match_kid_or_alg_from_Jwt}. The body of the answer is the same text.",
      confirm: [
        'kubectl -n istio-system logs deploy/istiod | grep -i -e jwks -e "public key" # confirmed if a fetch failed, or none followed the rotation',
        'printf %s TOKEN | cut -d. -f1 | tr _- /+ | base64 -d',
        'kubectl get requestauthentications -A -o yaml | grep -e issuer: -e jwksUri: -e audiences: -A1',
      ],
      change:
        "Compare kid of the token's header with what jwksUri answers. If it is there, wait for the refresh (PILOT_JWT_PUB_KEY_REFRESH_INTERVAL) or restart istiod. If it is not, the token is of another issuer or of before the rotation: log in again.",
      never:
        'Do not paste the key as inline jwks to get going: the next rotation breaks it, and no refresh will help. Do not delete the RequestAuthentication: then any string in the Authorization header passes.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/jwt_authn/filter.cc',
      'google/jwt_verify_lib src/status.cc',
      'istio 86c9f01f pilot/pkg/model/jwks_resolver.go',
    ],
  },
  on: ['envoy/request'],
  match({ record }, mesh) {
    return matchRefusedToken(record, mesh, ['key']);
  },
  propose: repairToken,
};
