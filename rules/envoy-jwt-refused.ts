import type { Rule } from '../src/model/finding.ts';
import { matchRefusedToken, repairToken } from '../src/remedy/edits/refused-token.ts';

/** The token of the request was refused. */
export const rule: Rule = {
  meta: {
    id: 'envoy-jwt-refused',
    category: 'authentication',
    level: 'warning',
    title: 'The token of the request was refused',
    page: {
      meaning:
        'A RequestAuthentication applies and what came with the request is no single valid JWT: it does not have three parts, one of them is no Base64 or JSON, a claim has the wrong type, the algorithm is not known, or there are several tokens. Or the log format does not say why. The answer is 401 (gRPC: status 16). A request without any token passes here and may be denied later by an AuthorizationPolicy.',
      printedBy:
        'The proxy that verifies: mostly a gateway, else the sidecar or waypoint of the destination, as jwt_authn_access_denied{MESSAGE}. The body of the answer is the same text.',
      confirm: [
        'istioctl proxy-config log POD.NAMESPACE --level jwt:debug',
        'kubectl get requestauthentications -A -o yaml',
      ],
      change:
        'Let the caller send one JWT, in one place. An opaque token (a session id, an API key) does not belong where the RequestAuthentication looks: send it in another header. Where the reason is not in the log, add %RESPONSE_CODE_DETAILS% to its format.',
      never:
        'Do not delete the RequestAuthentication: then any string in the Authorization header passes. Do not exempt paths such as /v1* from the policies of the gateway. Debug lines of the proxy hold request headers, tokens and cookies among them: set the level back afterwards, and do not pass those lines on.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/jwt_authn/filter.cc',
      'google/jwt_verify_lib src/status.cc',
      'istio 86c9f01f pilot/pkg/security/authn/policy_applier.go',
    ],
  },
  on: ['envoy/request'],
  match({ record }, mesh) {
    return matchRefusedToken(record, mesh, ['malformed', 'several', null]);
  },
  propose: repairToken,
};
