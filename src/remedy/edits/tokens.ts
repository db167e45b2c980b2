import type { MeshView, ObjectRef } from '../../model/mesh.ts';
import type { LogRecord } from '../../model/record.ts';
import { decodeRequestAuthentication } from '../../policy/decode.ts';
import { requestAuthenticationsAt } from '../../policy/envoy/observed.ts';
import { nameOf } from '../../text/object-ref.ts';
import { shellWord } from '../../text/shell.ts';
import { wordOr } from '../commands/kubectl.ts';

/** An issuer whose tokens a RequestAuthentication takes. Untrusted text. */
export interface KnownIssuer {
  readonly ref: ObjectRef;
  readonly issuer: string;
  readonly jwksUri: string | null;
  readonly audiences: readonly string[];
}

/** Issuers told of in one sentence. */
const MAX_ISSUERS = 4;

/**
 * The issuers that the proxy of a record accepts; where the mesh does not tell which proxy that was, those of all
 * RequestAuthentications. Empty: none are known.
 */
export function knownIssuers(record: LogRecord, mesh: MeshView): readonly KnownIssuer[] {
  const inForce = record.kind === 'diagnostic' ? [] : requestAuthenticationsAt(record, mesh);
  const names = new Set(inForce.map(nameOf));
  return mesh.objectsOf('RequestAuthentication').flatMap((object) => {
    const decoded = decodeRequestAuthentication(object);
    if (!decoded.ok || (names.size > 0 && !names.has(nameOf(decoded.value.ref)))) return [];
    const { ref, jwtRules } = decoded.value;
    return jwtRules.map(({ issuer, jwksUri, audiences }) => ({ ref, issuer, jwksUri, audiences }));
  });
}

/** The issuers as a list in a sentence: `http://dex/dex (RequestAuthentication istio-system/dex)`. */
export function issuerNames(issuers: readonly KnownIssuer[]): string {
  const some = issuers
    .slice(0, MAX_ISSUERS)
    .map(({ ref, issuer }) => `${issuer} (RequestAuthentication ${nameOf(ref)})`);
  return `${some.join(', ')}${issuers.length > MAX_ISSUERS ? ', …' : ''}`;
}

/** Issuers of service account tokens: the kube-apiserver under its own name, and those of hosted clusters. */
const KUBERNETES_ISSUER =
  /^https:\/\/(?:kubernetes\.default(?:\.svc|$)|oidc\.eks\.|oidc-eks\.|container\.googleapis\.com\/|[a-z0-9.-]+\.oic\.prod-aks\.azure\.com\/)/;

/** The first issuer of service account tokens; null: none is known. */
export function kubernetesIssuer(issuers: readonly KnownIssuer[]): KnownIssuer | null {
  return issuers.find(({ issuer }) => KUBERNETES_ISSUER.test(issuer)) ?? null;
}

/** The account that Kubeflow makes in each profile for its owner (kubeflow components/profile-controller). */
const PROFILE_ACCOUNT = 'default-editor';

/** Commands that make a token of a service account and send it; the namespace is one that the host of the request names. */
export function tokenCommands(record: LogRecord, issuer: KnownIssuer | null, mesh: MeshView): readonly string[] {
  const namespace = namespaceIn(record, mesh);
  const hasAccount = namespace !== null && mesh.serviceAccounts.has(`${namespace}/${PROFILE_ACCOUNT}`);
  const account = hasAccount ? PROFILE_ACCOUNT : 'SERVICE_ACCOUNT';
  const [audience] = issuer?.audiences ?? [];
  const forAudience = audience === undefined ? '' : ` --audience=${shellWord(audience)}`;
  return [
    `TOKEN=$(kubectl -n ${wordOr(namespace, 'NAMESPACE')} create token ${account}${forAudience} --duration=1h)`,
    'curl -sS -o /dev/null -w "%{http_code}\\n" -H "Authorization: Bearer $TOKEN" URL',
  ];
}

/** A namespace of the mesh that is a part of the host: `model.team-a.example.com`. */
function namespaceIn(record: LogRecord, mesh: MeshView): string | null {
  const host = record.kind === 'request' ? (record.authority ?? '') : '';
  const parts = new Set(host.toLowerCase().replace(/:\d+$/, '').split('.'));
  return mesh.namespaces.find(({ name }) => parts.has(name))?.name ?? null;
}

/** The command that prints issuer and jwks_uri of the cluster's own tokens. */
export const CLUSTER_ISSUER: string = 'kubectl get --raw /.well-known/openid-configuration';
