/**
 * Why a gateway got no certificate. `absent`: there is no such Secret. `keys`: it lacks the entries that are needed, or they
 * are empty. `forbidden`: the gateway may not have it.
 */
export type SecretFailureKind = 'absent' | 'keys' | 'forbidden';

/** A Secret that a gateway asked for in vain. Untrusted text. */
export interface SecretFailure {
  readonly kind: SecretFailureKind;
  /** Where it was looked for, or should be: the namespace of the gateway's pods; null: the line does not tell. */
  readonly namespace: string | null;
  readonly name: string;
  /** True: the certificates for checking clients were asked for, not the gateway's own. */
  readonly forClients: boolean;
}

const FETCH =
  /^failed to fetch (key and certificate|ca certificate) for kubernetes(?:-gateway)?:\/\/([^\s:]{1,300}): ([\s\S]*)$/i;
const ABSENT = /^secret ([^\s/]{1,63})\/(\S{1,253}) not found/;
/** The proxy is named as `pod.namespace`. */
const FORBIDDEN = /^proxy \S{1,253}\.([a-z0-9-]{1,63}) attempted to access unauthorized certificates ([^\s,:]{1,253})/;
/** Envoy's side knows the name of the resource only. */
const RESOURCE = /\bkubernetes(?:-gateway)?:\/\/([a-z0-9./-]{1,300})/;
const NOT_FOUND = /not found|failed to fetch/i;

/**
 * Reads a line of istiod (istio 86c9f01f pilot/pkg/xds/sds.go, pilot/pkg/credentials/kube/secrets.go) or of the gateway's
 * Envoy about a Secret with a certificate; null: it is about something else. Linear.
 */
export function readSecretFailure(message: string): SecretFailure | null {
  const fetch = FETCH.exec(message);
  if (fetch !== null) return fetchFailure(fetch[1] ?? '', fetch[2] ?? '', fetch[3] ?? '');
  const [, asker, forbidden] = FORBIDDEN.exec(message) ?? [];
  if (asker !== undefined && forbidden !== undefined) return secret('forbidden', forbidden, asker);
  const resource = RESOURCE.exec(message)?.[1];
  return resource === undefined || !NOT_FOUND.test(message) ? null : secret('absent', resource, null);
}

function fetchFailure(what: string, resource: string, reason: string): SecretFailure {
  const [, namespace, name] = ABSENT.exec(reason) ?? [];
  const kind = name === undefined ? 'keys' : 'absent';
  const failure = secret(kind, name ?? resource, namespace ?? null);
  return { ...failure, forClients: failure.forClients || what.toLowerCase().startsWith('ca ') };
}

/** Ends the name of the resource by which the certificates for checking clients are asked for. */
const FOR_CLIENTS = '-cacert';

/** `resource` may carry its namespace: `shop/web-tls`. */
function secret(kind: SecretFailureKind, resource: string, namespace: string | null): SecretFailure {
  const parts = resource.replace(/[./]+$/, '').split('/');
  const name = parts.at(-1) ?? '';
  const forClients = name.endsWith(FOR_CLIENTS);
  return {
    kind,
    namespace: namespace ?? (parts.length > 1 ? (parts[0] ?? null) : null),
    name: forClients ? name.slice(0, -FOR_CLIENTS.length) : name,
    forClients,
  };
}
