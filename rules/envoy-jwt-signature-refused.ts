import type { Rule } from '../src/model/finding.ts';
import { matchRefusedToken, repairToken } from '../src/remedy/edits/refused-token.ts';

/** The signature of the token did not verify. */
export const rule: Rule = {
  meta: {
    id: 'envoy-jwt-signature-refused',
    category: 'authentication',
    level: 'warning',
    title: 'The signature of the token did not verify',
    page: {
      meaning:
        'The issuer of the token is one that is accepted, but none of the keys this proxy has verifies its signature. Either the token was signed by something else under the same issuer name, or the proxy has no real keys: while istiod cannot fetch jwksUri it hands out a substitute key that fits no token, so that every token is refused.',
      printedBy:
        'The proxy that verifies: mostly a gateway, else the sidecar or waypoint of the destination, as jwt_authn_access_denied{Jwt_verification_fails}. The body of the answer is the same text.',
      confirm: [
        'kubectl -n istio-system logs deploy/istiod | grep -i -e jwks -e "public key" # confirmed if a fetch failed; else another key signed the token',
        'kubectl get requestauthentications -A -o yaml | grep -e issuer: -e jwksUri: -e audiences: -A1',
      ],
      change:
        'If all tokens of the issuer are refused, repair the way from istiod to jwksUri (name, TLS, NetworkPolicies, an issuer that is down), then wait for its next try. If only some are, look which issuer signed them and whether keys were rotated.',
      never:
        'Do not switch verification off to get going. While the keys are not fetched, releases around 1.21 to 1.29 used a substitute whose private half is public: do not leave that state standing.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/jwt_authn/filter.cc',
      'google/jwt_verify_lib src/status.cc',
      'istio 86c9f01f pilot/pkg/model/jwks_resolver.go',
      'envoyproxy/envoy#24785',
    ],
  },
  on: ['envoy/request'],
  match({ record }, mesh) {
    return matchRefusedToken(record, mesh, ['signature']);
  },
  propose: repairToken,
};
