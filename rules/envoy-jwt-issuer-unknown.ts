import type { Rule } from '../src/model/finding.ts';
import { matchRefusedToken, repairToken } from '../src/remedy/edits/refused-token.ts';

/** The issuer of the token is not one that is accepted. */
export const rule: Rule = {
  meta: {
    id: 'envoy-jwt-issuer-unknown',
    category: 'authentication',
    level: 'warning',
    title: 'The issuer of the token is not one that is accepted',
    page: {
      meaning:
        'The request carries a token whose iss is the issuer of none of the jwtRules that apply at this proxy. Issuers are compared letter by letter: a trailing slash, http for https, or the name of the realm makes the difference. A token of the cluster (kubectl create token) has the issuer of the API server.',
      printedBy:
        'The proxy that verifies: mostly a gateway, else the sidecar or waypoint of the destination, as jwt_authn_access_denied{Jwt_issuer_is_not_configured}. The body of the answer is the same text.',
      confirm: [
        'kubectl get requestauthentications -A -o yaml | grep -e issuer: -e jwksUri: -e audiences: -A1 # confirmed if none is, letter by letter, the iss of the token',
        'printf %s TOKEN | cut -d. -f2 | tr _- /+ | base64 -d',
        'kubectl get --raw /.well-known/openid-configuration',
      ],
      change:
        'Decode iss and compare it with jwtRules.issuer. If they mean the same issuer, correct the RequestAuthentication or the setting of the issuer. If it is another issuer that you trust, add a jwtRule with it.',
      never:
        'Do not add an issuer because a refused token names it: whoever that issuer gives tokens to is let in. Do not delete the RequestAuthentication: then any string in the Authorization header passes.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/jwt_authn/filter.cc',
      'google/jwt_verify_lib src/status.cc',
      'istio 86c9f01f pilot/pkg/security/authn/policy_applier.go',
    ],
  },
  on: ['envoy/request'],
  match({ record }, mesh) {
    return matchRefusedToken(record, mesh, ['issuer']);
  },
  propose: repairToken,
};
