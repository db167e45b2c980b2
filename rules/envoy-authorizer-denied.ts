import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { enforcerOf, requestName } from '../src/causes/envoy-record.ts';
import type { Finding, Rule } from '../src/model/finding.ts';
import type { MeshView, ObjectRef } from '../src/model/mesh.ts';
import type { AuthorizationPolicy, PolicyRule } from '../src/model/policy.ts';
import type { LogRecord } from '../src/model/record.ts';
import type { Draft } from '../src/model/remedy.ts';
import { decodeAuthorizationPolicy } from '../src/policy/decode.ts';
import { decideObserved, observedProxy } from '../src/policy/envoy/observed.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { showPolicy, step } from '../src/remedy/edits/index.ts';
import {
  CLUSTER_ISSUER,
  issuerNames,
  knownIssuers,
  kubernetesIssuer,
  tokenCommands,
} from '../src/remedy/edits/tokens.ts';
import { nameOf } from '../src/text/object-ref.ts';

/** The ext_authz service said no. */
export const rule: Rule = {
  meta: {
    id: 'envoy-authorizer-denied',
    category: 'external-authorization',
    level: 'warning',
    title: 'The external authorizer denied the request',
    page: {
      meaning:
        "A CUSTOM AuthorizationPolicy sent the request to an external authorizer, and that answered no. Status and body are the authorizer's: 403 mostly, 401 or a redirect (302) to a login page where a session is missing.",
      printedBy:
        'The proxy that asks: mostly a gateway, else the sidecar or waypoint of the destination, with the flag UAEX.',
      confirm: [
        'kubectl -n AUTHORIZER_NAMESPACE logs deploy/AUTHORIZER --since=10m # it says whom it refused and why',
        'kubectl get authorizationpolicies -A -o yaml',
        'kubectl -n istio-system get configmap istio -o yaml',
      ],
      change:
        'The reason stands in the log of the authorizer. If it should not have been asked for this path at all, narrow the operations of the CUSTOM policy; if the caller should be admitted, change the rules of the authorizer or let the caller authenticate.',
      never:
        'Do not delete the CUSTOM policy and do not exempt whole prefixes such as /v1*: everything behind would be open without login.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/ext_authz/ext_authz.cc',
      'istio 86c9f01f pilot/pkg/security/authz/builder/extauthz.go',
    ],
  },
  on: ['envoy/request', 'envoy/connection'],
  match(flow, mesh) {
    const { record } = flow;
    const failure = envoyFailure(record);
    if (failure?.kind !== 'authorizer-denied') return null;
    const asking = customPolicies(record, mesh);
    const status = record.kind === 'request' && (record.status ?? 0) > 0 ? ` with status ${record.status}` : '';
    const by =
      asking.length === 0
        ? ''
        : ` AuthorizationPolicy ${asking.map(({ ref }) => nameOf(ref)).join(', ')} (CUSTOM) sent it there${providers(asking)}.`;
    return {
      certainty: failure.certainty,
      cause: `${requestName(record)} was denied by the external authorizer${status}.${loginRemark(record, asking)}${by}`,
      enforcedBy:
        enforcerOf(record) ?? (record.kind === 'diagnostic' ? null : (observedProxy(record, mesh)?.type ?? null)),
      policies: asking.map(({ ref }) => ref),
      intended: 'likely',
      unchecked: ['Why: only the log of the authorizer says it.'],
    };
  },
  propose(finding, mesh) {
    const [flow] = finding.flows;
    const isLogin = flow !== undefined && loginRemark(flow.record, customPolicies(flow.record, mesh)) !== '';
    return [...(isLogin ? [logIn(flow.record, mesh)] : []), readLog(finding, mesh)];
  },
};

/** An answer to a person: sign-in pages of oauth2-proxy have some 8 kB, a refusal that is meant for programs has a sentence. */
const PAGE_BYTES = 2000;

/** Redirects and 401 mean that credentials are missing, and so does a 403 with a whole page. */
function wantsLogin(record: LogRecord): boolean {
  if (record.kind !== 'request' || record.status === null) return false;
  return (
    [301, 302, 303, 307, 401].includes(record.status) || (record.status === 403 && (record.bytesSent ?? 0) > PAGE_BYTES)
  );
}

/** What the answer says of the caller, with a blank before; empty: nothing. */
function loginRemark(record: LogRecord, asking: readonly Asking[]): string {
  if (wantsLogin(record))
    return ' The caller is not logged in: no policy is broken, and nothing behind this proxy saw the request.';
  const isSignIn = record.kind === 'request' && record.status === 403 && asking.some(isSignInProxy);
  return isSignIn
    ? ' Most likely the caller is not logged in: oauth2-proxy answers so with its sign-in page. Then no policy is broken.'
    : '';
}

/** oauth2-proxy has no other 403 for who has no session, where it shows its own page instead of a redirect. */
function isSignInProxy({ policy: { provider } }: Asking): boolean {
  return /oauth2?-proxy/.test(provider ?? '');
}

/** A CUSTOM policy and its provider. */
interface Asking {
  readonly ref: ObjectRef;
  readonly policy: AuthorizationPolicy;
}

/** The CUSTOM policies in force at the proxy; empty where the mesh does not tell which proxy that was. */
function customPolicies(record: LogRecord, mesh: MeshView): readonly Asking[] {
  const decision = record.kind === 'diagnostic' ? null : decideObserved(record, mesh);
  return (decision?.determining ?? []).flatMap((ref) => {
    const object = ref.kind === 'AuthorizationPolicy' ? mesh.object(ref) : null;
    const decoded = object === null ? null : decodeAuthorizationPolicy(object);
    return decoded?.ok === true && decoded.value.action === 'CUSTOM' ? [{ ref, policy: decoded.value }] : [];
  });
}

function providers(asking: readonly Asking[]): string {
  const names = new Set(asking.flatMap(({ policy }) => policy.provider ?? []));
  return names.size === 0 ? '' : `, to provider ${[...names].join(', ')}`;
}

/** Nothing is to be changed in the mesh: the client has to say who it is. */
function logIn(record: LogRecord, mesh: MeshView): Draft {
  const issuers = knownIssuers(record, mesh);
  const bypass = customPolicies(record, mesh).filter(({ policy }) => policy.rules.some(sparesTokens));
  const issuer = kubernetesIssuer(issuers);
  const sends =
    bypass.length === 0
      ? ''
      : ` Requests with an Authorization header are not sent to the authorizer (AuthorizationPolicy ${bypass.map(({ ref }) => nameOf(ref)).join(', ')}).`;
  const taken = issuers.length === 0 ? '' : ` Tokens of these issuers are taken: ${issuerNames(issuers)}.`;
  return step(
    'none',
    `Let the client log in, or send a token in the header Authorization: Bearer.${sends}${taken}${issuer === null ? '' : ' A service account token is one.'} No policy needs a change.`,
    {
      risk: 'Do not exempt the path from the policies of the gateway: it would be open to everybody.',
      confirm: [CLUSTER_ISSUER],
      verify: tokenCommands(record, issuer, mesh),
    },
  );
}

/** Only requests without that header are meant: `request.headers[authorization]` with notValues `*`. */
function sparesTokens({ when }: PolicyRule): boolean {
  return when.some(({ key, notValues }) => /^request\.headers\[authorization\]$/i.test(key) && notValues.includes('*'));
}

function readLog({ policies }: Finding, mesh: MeshView): Draft {
  return step(
    'investigate',
    'Read the log of the external authorizer for this request; the provider of the CUSTOM policy says which it is.',
    {
      confirm: [
        ...(policies.length > 0
          ? policies.map(showPolicy)
          : [
              'kubectl get authorizationpolicies -A -o jsonpath=\'{range .items[?(@.spec.action=="CUSTOM")]}{.metadata.namespace}/{.metadata.name} {.spec.provider.name}{"\\n"}{end}\'',
            ]),
        inRoot(mesh, 'get configmap istio -o yaml'),
        'kubectl -n AUTHORIZER_NAMESPACE logs deploy/AUTHORIZER --since=10m',
      ],
    },
  );
}
