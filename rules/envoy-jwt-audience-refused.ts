import type { Rule } from '../src/model/finding.ts';
import { matchRefusedToken, repairToken } from '../src/remedy/edits/refused-token.ts';

/** The token is for another audience. */
export const rule: Rule = {
  meta: {
    id: 'envoy-jwt-audience-refused',
    category: 'authentication',
    level: 'warning',
    title: 'The token is for another audience',
    page: {
      meaning:
        'The token verified, but its aud is none of jwtRules.audiences. This is the one refusal of a token that is answered with 403, so it is easily taken for a denial by policy. A token without aud is refused too. http://, https:// and one slash at the end do not count in the comparison; upper and lower case do.',
      printedBy:
        'The proxy that verifies: mostly a gateway, else the sidecar or waypoint of the destination, as jwt_authn_access_denied{Audiences_in_Jwt_are_not_allowed}. The body of the answer is the same text.',
      confirm: [
        'kubectl get requestauthentications -A -o yaml | grep -A5 audiences: # confirmed if none is the aud of the token',
        'printf %s TOKEN | cut -d. -f2 | tr _- /+ | base64 -d',
      ],
      change:
        'Let the caller ask its issuer for a token with an audience that is taken (kubectl create token SERVICE_ACCOUNT --audience AUDIENCE), or add the audience to jwtRules.audiences if tokens for it are meant for this mesh.',
      never:
        'Do not drop audiences from the rule: then a token made for any other service of the same issuer is taken here. Do not look for an AuthorizationPolicy: none was asked yet.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/jwt_authn/filter.cc',
      'google/jwt_verify_lib src/status.cc',
      'envoy 1.37 source/extensions/filters/http/jwt_authn/authenticator.cc',
    ],
  },
  on: ['envoy/request'],
  match({ record }, mesh) {
    return matchRefusedToken(record, mesh, ['audience']);
  },
  propose: repairToken,
};
