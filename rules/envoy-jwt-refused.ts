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
import { CLUSTER_ISSUER, issuerNames, type KnownIssuer, knownIssuers } from '../src/remedy/edits/tokens.ts';
import { nameOf } from '../src/text/object-ref.ts';

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
    const [flow] = finding.flows;
    const message = flow === undefined ? '' : (envoyFailure(flow.record)?.text ?? '');
    const issuers = flow === undefined ? [] : knownIssuers(flow.record, mesh);
    const reason = message === '' ? null : jwtReason(message);
    return [repairToken(finding, mesh, reason, issuers)];
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
    'Decode iss of the token and compare it with jwtRules.issuer, letter by letter and with the trailing slash. If the issuer is trusted, add a jwtRule with it and its jwksUri to a RequestAuthentication, and leave the others; else let the caller use a token of an issuer that is taken.',
  audience:
    'Let the caller ask for a token with an audience that is taken (kubectl create token --audience), or add the audience of its token to jwtRules.audiences if it is meant for this mesh.',
  signature:
    'Check that istiod can fetch the keys from jwksUri (until it can, it hands out a substitute that fits no token), and that the token is signed by that issuer.',
  key: 'After a key rotation or a restart of the issuer: make jwksUri reachable for istiod and wait for its next refresh (20 minutes, PILOT_JWT_PUB_KEY_REFRESH_INTERVAL), then log in again, so that the token is signed with a current key. Else check jwksUri.',
  fetch: 'Give the proxy a way to jwksUri: a ServiceEntry, and network policies that let it out.',
  malformed: 'Let the caller send a JWT; an opaque token does not belong where the RequestAuthentication looks.',
  several: 'Let the caller send one token, in one place.',
};

/** Reasons for which it helps to know whose tokens are taken, and where the keys come from. */
const ABOUT_ISSUER: ReadonlySet<JwtReason | null> = new Set(['issuer', 'audience', null]);
const ABOUT_KEYS: ReadonlySet<JwtReason | null> = new Set(['signature', 'key', 'fetch']);

function repairToken(
  finding: Finding,
  mesh: MeshView,
  reason: JwtReason | null,
  issuers: readonly KnownIssuer[],
): Draft {
  const what = reason === null ? 'Find the reason: the body of the answer says it.' : REPAIRS[reason];
  return step(
    reason === 'issuer' || reason === 'audience' ? 'configuration' : 'investigate',
    `${what}${known(reason, issuers)}`,
    {
      risk:
        reason === 'issuer'
          ? 'Whoever the added issuer gives tokens to is let in: add one only that you trust. Never add an issuer because a refused token named it.'
          : null,
      confirm: [
        ...(finding.policies.length > 0 ? finding.policies.map(showPolicy) : listPolicies(finding)),
        ...(reason === 'issuer' ? [CLUSTER_ISSUER] : []),
        ...(ABOUT_KEYS.has(reason) ? [inRoot(mesh, 'logs deploy/istiod | grep -i -e jwks -e "public key"')] : []),
      ],
    },
  );
}

/** What the mesh takes, as sentences with a blank in front; empty where that is not known or does not help. */
function known(reason: JwtReason | null, issuers: readonly KnownIssuer[]): string {
  if (issuers.length === 0) return '';
  if (ABOUT_KEYS.has(reason)) {
    const places = issuers
      .slice(0, 4)
      .map(
        ({ ref, issuer, jwksUri }) =>
          `${jwksUri ?? `found by way of ${issuer}`} (RequestAuthentication ${nameOf(ref)})`,
      );
    return ` The keys come from ${places.join(', ')}.`;
  }
  if (!ABOUT_ISSUER.has(reason)) return '';
  const audiences = reason === 'audience' ? [...new Set(issuers.flatMap((entry) => entry.audiences))] : [];
  const forWhom = audiences.length === 0 ? '' : ` Audiences that are taken: ${audiences.slice(0, 5).join(', ')}.`;
  return ` Issuers that are taken: ${issuerNames(issuers)}.${forWhom}`;
}

function listPolicies(finding: Finding): readonly string[] {
  return [
    `kubectl -n ${enforcerNamespace(finding)} get requestauthentications -o yaml`,
    'kubectl get requestauthentications -A',
  ];
}
