import { envoyFailure } from '../../causes/envoy-failure.ts';
import { enforcerOf, requestName, unknownGateway } from '../../causes/envoy-record.ts';
import { type JwtReason, jwtReason } from '../../causes/jwt-refusal.ts';
import type { Finding, Match } from '../../model/finding.ts';
import type { MeshView } from '../../model/mesh.ts';
import type { LogRecord } from '../../model/record.ts';
import type { Draft } from '../../model/remedy.ts';
import { observedProxy, requestAuthenticationsAt } from '../../policy/envoy/observed.ts';
import { nameOf } from '../../text/object-ref.ts';
import { enforcerNamespace } from '../commands/enforcer.ts';
import { inRoot } from '../commands/kubectl.ts';
import { showPolicy, step } from './index.ts';
import { CLUSTER_ISSUER, issuerNames, type KnownIssuer, knownIssuers } from './tokens.ts';

interface Refusal {
  /** End of a sentence: why the token was refused. */
  readonly why: string;
  /** What to do: mostly nothing that a policy could repair. */
  readonly repair: string;
  /** What of the mesh helps: whose tokens are taken, or where their keys come from. */
  readonly about: 'issuer' | 'keys' | null;
}

const REFUSALS: Readonly<Record<JwtReason, Refusal>> = {
  missing: {
    why: 'it carries no token and one is required',
    repair: 'Let the caller send its token in the place where the RequestAuthentication looks for it.',
    about: null,
  },
  expired: {
    why: 'its token has expired',
    repair: 'Let the caller renew its token before it expires; no policy needs a change.',
    about: null,
  },
  'not-yet-valid': {
    why: 'its token is not valid yet, or a clock is wrong',
    repair: 'Check the clocks of the issuer and of the node; no policy needs a change.',
    about: null,
  },
  issuer: {
    why: 'no jwtRule has the issuer of its token',
    repair:
      'Decode iss of the token and compare it with jwtRules.issuer, letter by letter and with the trailing slash. If the issuer is trusted, add a jwtRule with it and its jwksUri to a RequestAuthentication, and leave the others; else let the caller use a token of an issuer that is taken.',
    about: 'issuer',
  },
  audience: {
    why: 'its token is for another audience',
    repair:
      'Let the caller ask for a token with an audience that is taken (kubectl create token --audience), or add the audience of its token to jwtRules.audiences if it is meant for this mesh.',
    about: 'issuer',
  },
  signature: {
    why: 'the signature of its token fits none of the known keys, or istiod could not fetch the keys and pushed a substitute',
    repair:
      'Check that istiod can fetch the keys from jwksUri (until it can, it hands out a substitute that fits no token), and that the token is signed by that issuer.',
    about: 'keys',
  },
  key: {
    why: 'no key of the issuer has the kid and alg of its token: after a key rotation, or because of a wrong jwksUri',
    repair:
      'After a key rotation or a restart of the issuer: make jwksUri reachable for istiod and wait for its next refresh (20 minutes, PILOT_JWT_PUB_KEY_REFRESH_INTERVAL), then log in again, so that the token is signed with a current key. Else check jwksUri.',
    about: 'keys',
  },
  'key-set': {
    why: 'what the proxy has as keys of the issuer is no usable key set',
    repair:
      'Look at what jwksUri answers, or at the inline jwks: it must be a JSON object whose keys have kty and the fields of their kind. A login page or an error page is none.',
    about: 'keys',
  },
  fetch: {
    why: 'the keys of the issuer could not be fetched',
    repair: 'Give the proxy a way to jwksUri: a ServiceEntry, and network policies that let it out.',
    about: 'keys',
  },
  malformed: {
    why: 'its token is no valid JWT',
    repair: 'Let the caller send a JWT; an opaque token does not belong where the RequestAuthentication looks.',
    about: null,
  },
  several: {
    why: 'it carries several tokens',
    repair: 'Let the caller send one token, in one place.',
    about: null,
  },
};

/** A 401 of the proxy whose format does not tell why. */
const UNTOLD: Refusal = {
  why: 'this proxy answered 401 itself, as it does for a token that does not verify',
  repair: 'Find the reason: the body of the answer says it.',
  about: 'issuer',
};

/** What the record says about a refused token if it was refused for one of `reasons`; null among them: for one it does not tell. */
export function matchRefusedToken(
  record: LogRecord,
  mesh: MeshView,
  reasons: readonly (JwtReason | null)[],
): Match | null {
  const failure = envoyFailure(record);
  if (failure?.kind !== 'jwt-refused' || record.kind === 'diagnostic') return null;
  const reason = reasonOf(failure.text);
  if (!reasons.includes(reason)) return null;
  const said = failure.text === '' ? '' : ` (${failure.text})`;
  return {
    certainty: failure.certainty,
    cause: `${requestName(record)} was refused: ${refusalOf(reason).why}${said}.`,
    enforcedBy: observedProxy(record, mesh)?.type ?? enforcerOf(record),
    policies: requestAuthenticationsAt(record, mesh),
    intended: reason === 'expired' || reason === 'malformed' ? 'likely' : 'unknown',
    unchecked: [
      ...(failure.certainty === 'certain'
        ? []
        : ['The reason: this log format has no %RESPONSE_CODE_DETAILS%. Add it to meshConfig.accessLogFormat.']),
      ...unknownGateway(record, mesh),
    ],
    subject: [reason ?? ''],
  };
}

/** The step that repairs a refused token, with what the mesh knows of issuers and keys. */
export function repairToken(finding: Finding, mesh: MeshView): readonly Draft[] {
  const [flow] = finding.flows;
  const reason = reasonOf(flow === undefined ? '' : (envoyFailure(flow.record)?.text ?? ''));
  const refusal = refusalOf(reason);
  const issuers = flow === undefined ? [] : knownIssuers(flow.record, mesh);
  return [
    step(
      reason === 'issuer' || reason === 'audience' ? 'configuration' : 'investigate',
      `${refusal.repair}${known(reason, issuers)}`,
      {
        risk:
          reason === 'issuer'
            ? 'Whoever the added issuer gives tokens to is let in: add one only that you trust. Never add an issuer because a refused token named it.'
            : null,
        confirm: [
          ...(finding.policies.length > 0 ? finding.policies.map(showPolicy) : listPolicies(finding)),
          ...(reason === 'issuer' ? [CLUSTER_ISSUER] : []),
          ...(refusal.about === 'keys' ? [inRoot(mesh, 'logs deploy/istiod | grep -i -e jwks -e "public key"')] : []),
        ],
      },
    ),
  ];
}

function reasonOf(message: string): JwtReason | null {
  return message === '' ? null : jwtReason(message);
}

function refusalOf(reason: JwtReason | null): Refusal {
  return reason === null ? UNTOLD : REFUSALS[reason];
}

/** What the mesh takes, as sentences with a blank in front; empty where that is not known or does not help. */
function known(reason: JwtReason | null, issuers: readonly KnownIssuer[]): string {
  const { about } = refusalOf(reason);
  if (issuers.length === 0 || about === null) return '';
  if (about === 'keys') {
    const places = issuers
      .slice(0, 4)
      .map(
        ({ ref, issuer, jwksUri }) =>
          `${jwksUri ?? `found by way of ${issuer}`} (RequestAuthentication ${nameOf(ref)})`,
      );
    return ` The keys come from ${places.join(', ')}.`;
  }
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
