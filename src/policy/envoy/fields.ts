import type { PolicyOperation, PolicySource } from '../../model/policy.ts';
import {
  type Attribute,
  claimAttribute,
  DESTINATION_ADDRESS,
  DESTINATION_PORT,
  HOST,
  headerAttribute,
  METHOD,
  malformedAttribute,
  metadataAttribute,
  NAMESPACE,
  PATH,
  PEER_ADDRESS,
  PRINCIPAL,
  REMOTE_ADDRESS,
  REQUEST_PRINCIPAL,
  SERVER_NAME,
  SERVICE_ACCOUNT,
  TRUST_DOMAIN,
} from './attributes.ts';

/** Accepting field, refusing field, and what they ask about. */
type FieldPair<Message> = readonly [keyof Message & string, keyof Message & string, Attribute];

/** `from[].source`. */
export const SOURCE_FIELDS: readonly FieldPair<PolicySource>[] = [
  ['principals', 'notPrincipals', PRINCIPAL],
  ['requestPrincipals', 'notRequestPrincipals', REQUEST_PRINCIPAL],
  ['namespaces', 'notNamespaces', NAMESPACE],
  ['serviceAccounts', 'notServiceAccounts', SERVICE_ACCOUNT],
  ['trustDomains', 'notTrustDomains', TRUST_DOMAIN],
  ['ipBlocks', 'notIpBlocks', PEER_ADDRESS],
  ['remoteIpBlocks', 'notRemoteIpBlocks', REMOTE_ADDRESS],
];

/** `to[].operation`. */
export const OPERATION_FIELDS: readonly FieldPair<PolicyOperation>[] = [
  ['hosts', 'notHosts', HOST],
  ['methods', 'notMethods', METHOD],
  ['paths', 'notPaths', PATH],
  ['ports', 'notPorts', DESTINATION_PORT],
];

const KEYS: ReadonlyMap<string, Attribute> = new Map([
  ['destination.ip', DESTINATION_ADDRESS],
  ['destination.port', DESTINATION_PORT],
  ['connection.sni', SERVER_NAME],
  ['source.ip', PEER_ADDRESS],
  ['remote.ip', REMOTE_ADDRESS],
  ['source.namespace', NAMESPACE],
  ['source.serviceAccount', SERVICE_ACCOUNT],
  ['source.trustDomain', TRUST_DOMAIN],
  ['source.principal', PRINCIPAL],
  ['request.auth.principal', REQUEST_PRINCIPAL],
  ['request.auth.audiences', claimAttribute(['aud'])],
  ['request.auth.presenter', claimAttribute(['azp'])],
]);

/** Keys with a name in brackets, by their start. */
const PREFIXES: readonly (readonly [string, (rest: string) => Attribute])[] = [
  ['experimental.envoy.filters.', metadataOf],
  ['request.headers', headerOf],
  ['request.auth.claims', claimsOf],
];

/** What `when[].key` asks about; null: Istio does not know the key and skips the rule. */
export function attributeOf(key: string): Attribute | null {
  const exact = KEYS.get(key);
  if (exact !== undefined) return exact;
  const found = PREFIXES.find(([prefix]) => key.startsWith(prefix));
  return found === undefined ? null : found[1](key.slice(found[0].length));
}

function headerOf(rest: string): Attribute {
  const name = bracketed(rest);
  return name === null ? malformedAttribute(true) : headerAttribute(name);
}

/** `[a][b]` is a path, `[a[b]]` one name; nothing at all is the payload itself, which no text matches. */
function claimsOf(rest: string): Attribute {
  if (/^(\[[^[\]]*\])*$/.test(rest)) {
    return claimAttribute([...rest.matchAll(/\[([^[\]]*)\]/g)].map((match) => match[1] ?? ''));
  }
  const name = bracketed(rest);
  return name === null ? malformedAttribute(true) : claimAttribute([name]);
}

function metadataOf(rest: string): Attribute {
  const open = rest.indexOf('[');
  if (open < 0) return malformedAttribute(false);
  return metadataAttribute(`envoy.filters.${rest.slice(0, open)}`, rest.slice(open + 1).replace(/\]$/, ''));
}

function bracketed(text: string): string | null {
  return text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : null;
}
