import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { enforcerOf, requestName, unknownGateway } from '../src/causes/envoy-record.ts';
import { type JwtReason, jwtReason } from '../src/causes/jwt-refusal.ts';
import type { Finding, Rule } from '../src/model/finding.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { Draft } from '../src/model/remedy.ts';
import { observedProxy, requestAuthenticationsAt } from '../src/policy/envoy/observed.ts';
import { enforcerNamespace } from '../src/remedy/commands/enforcer.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { showPolicy, step } from '../src/remedy/edits/index.ts';

/** RequestAuthentication refused the token, with the reason in the details. */
export const rule: Rule = {
  meta: {
    id: 'envoy-jwt-refused',
    category: 'authentication',
    level: 'warning',
    title: 'The token of the request was refused',
    page: {
      meaning:
        'A RequestAuthentication applies and the token that came with the request did not verify: it is expired, from an issuer or for an audience that is not listed, signed with another key, or no token at all. The answer is 401; only a wrong audience gives 403. gRPC clients see status 16. A request without token passes here and may be denied later by an AuthorizationPolicy.',
      printedBy:
        'The proxy that verifies: mostly a gateway, else the sidecar or waypoint of the destination. The body of the answer is the same text.',
      confirm: [
        'kubectl get requestauthentications -A -o yaml',
        'istioctl proxy-config log POD.NAMESPACE --level jwt:debug',
        'kubectl -n istio-system logs deploy/istiod | grep -i jwks',
      ],
      change:
        'Expired or not yet valid: renew the token, check clocks. Issuer: compare iss with jwtRules.issuer letter by letter, also a trailing slash. Audience: add the audience or let the issuer set it. Key: check jwksUri and that istiod reaches it; after a key rotation it takes up to 20 minutes.',
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
    const failure = envoyFailure(record);
    if (failure?.kind !== 'jwt-refused' || record.kind === 'diagnostic') return null;
    const policies = requestAuthenticationsAt(record, mesh);
    const reason = failure.text === '' ? null : jwtReason(failure.text);
    const why =
      reason === null ? 'this proxy answered 401 itself, as it does for a token that does not verify' : CAUSES[reason];
    const said = failure.text === '' ? '' : ` (${failure.text})`;
    return {
      certainty: failure.certainty,
      cause: `${requestName(record)} was refused: ${why}${said}.`,
      enforcedBy: observedProxy(record, mesh)?.type ?? enforcerOf(record),
      policies,
      intended: reason === 'expired' || reason === 'malformed' ? 'likely' : 'unknown',
      unchecked: [
        ...(failure.certainty === 'certain'
          ? []
          : ['The reason: this log format has no %RESPONSE_CODE_DETAILS%. Add it to meshConfig.accessLogFormat.']),
        ...unknownGateway(record, mesh),
      ],
      subject: [failure.text],
    };
  },
  propose(finding, mesh) {
    const message = finding.flows[0] === undefined ? '' : (envoyFailure(finding.flows[0].record)?.text ?? '');
    return [repairToken(finding, mesh, message === '' ? null : jwtReason(message))];
  },
};

const CAUSES: Readonly<Record<JwtReason, string>> = {
  missing: 'it carries no token and one is required',
  expired: 'its token has expired',
  'not-yet-valid': 'its token is not valid yet, or a clock is wrong',
  issuer: 'no jwtRule has the issuer of its token',
  audience: 'its token is for another audience',
  signature:
    'the signature of its token fits none of the known keys, or istiod could not fetch the keys and pushed a substitute',
  key: 'no usable key of the issuer fits its token: after a key rotation, or because of a wrong jwksUri',
  fetch: 'the keys of the issuer could not be fetched',
  malformed: 'its token is no valid JWT',
  several: 'it carries several tokens',
};

/** What to do about each reason: most are not for a policy to repair. */
const REPAIRS: Readonly<Record<JwtReason, string>> = {
  missing: 'Let the caller send its token in the place where the RequestAuthentication looks for it.',
  expired: 'Let the caller renew its token before it expires; no policy needs a change.',
  'not-yet-valid': 'Check the clocks of the issuer and of the node; no policy needs a change.',
  issuer:
    'Compare iss of the token with jwtRules.issuer, letter by letter and with the trailing slash, and correct the one that is wrong.',
  audience:
    'Add the audience of the token to jwtRules.audiences, or let the issuer put the expected one into the token.',
  signature: 'Check that istiod can fetch the keys from jwksUri, and that the token is signed by that issuer.',
  key: 'Check jwksUri; after a key rotation wait until istiod has refreshed the keys (20 minutes).',
  fetch: 'Give the proxy a way to jwksUri: a ServiceEntry, and network policies that let it out.',
  malformed: 'Let the caller send a JWT; an opaque token does not belong where the RequestAuthentication looks.',
  several: 'Let the caller send one token, in one place.',
};

function repairToken(finding: Finding, mesh: MeshView, reason: JwtReason | null): Draft {
  const aboutKeys = reason === 'signature' || reason === 'key' || reason === 'fetch';
  return step(
    reason === 'issuer' || reason === 'audience' ? 'configuration' : 'investigate',
    reason === null ? 'Find the reason: the body of the answer says it.' : REPAIRS[reason],
    {
      confirm: [
        ...(finding.policies.length > 0 ? finding.policies.map(showPolicy) : listPolicies(finding)),
        ...(aboutKeys ? [inRoot(mesh, 'logs deploy/istiod | grep -i jwks')] : []),
      ],
    },
  );
}

function listPolicies(finding: Finding): readonly string[] {
  return [
    `kubectl -n ${enforcerNamespace(finding)} get requestauthentications -o yaml`,
    'kubectl get requestauthentications -A',
  ];
}
