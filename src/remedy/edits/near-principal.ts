import type { MeshView, ObjectRef } from '../../model/mesh.ts';
import type { AuthorizationPolicy } from '../../model/policy.ts';
import { nearNames } from '../../text/near.ts';
import { nameOf } from '../../text/object-ref.ts';
import { remembered } from '../../text/remembered.ts';
import { principalParts } from './names.ts';
import { readPolicy } from './policies.ts';

/**
 * What policies say that comes near a caller whom they refused, as sentences with a blank before: another spelling of its
 * name, an account of its namespace that nobody runs under (it was renamed?), or a list that has it beside one that has not.
 * Empty: nothing. Principals are untrusted text.
 */
export function nearPrincipals(refs: readonly ObjectRef[], principal: string, mesh: MeshView): string {
  const remarks = refs.flatMap((ref) => {
    const object = mesh.object(ref);
    const decoded = object === null ? null : readPolicy(object);
    return decoded?.ok === true ? remarksOn(decoded.value, principal, mesh) : [];
  });
  return [...new Set(remarks)]
    .slice(0, MAX_REMARKS)
    .map((remark) => ` ${remark}`)
    .join('');
}

const MAX_REMARKS = 3;

function remarksOn(policy: AuthorizationPolicy, principal: string, mesh: MeshView): readonly string[] {
  const name = nameOf(policy.ref);
  const sources = policy.rules.flatMap(({ from }) => from).filter((source) => source !== null);
  const excepted = sources.some(({ notPrincipals }) => notPrincipals.includes(principal));
  const split =
    policy.action === 'DENY' && excepted && sources.length > 1
      ? [
          `A list of notPrincipals in ${name} has the caller, but entries of from and rules are OR-ed: another one denies it.`,
        ]
      : [];
  // Whom an ALLOW admits, and whom a DENY does not refuse.
  const lists = sources.map((source) => (policy.action === 'DENY' ? source.notPrincipals : source.principals));
  const written = [...new Set(lists.flat())];
  return [...split, ...written.flatMap((entry) => remarkOn(entry, principal, name, mesh) ?? [])];
}

function remarkOn(entry: string, principal: string, policy: string, mesh: MeshView): string | null {
  if (entry === `spiffe://${principal}`) return `${policy} names the caller with spiffe://, and that never matches.`;
  const [written, own] = [principalParts(entry), principalParts(principal)];
  if (written === null || own === null || written.namespace !== own.namespace) return null;
  const isSameAccount = written.serviceAccount === own.serviceAccount;
  if (isSameAccount && written.trustDomain !== own.trustDomain) {
    return `${policy} names it in trust domain ${written.trustDomain}, and its own is ${own.trustDomain}.`;
  }
  return !isSameAccount && isUnused(written.namespace, written.serviceAccount, mesh)
    ? `${policy} names ${entry}, under which no pod runs: perhaps that account was renamed.`
    : null;
}

/**
 * True for an entry of a list of callers that is most likely a mistake for another name: of the same namespace, almost the
 * same account (or the same, in a trust domain that is not the mesh's), and nobody runs under it.
 */
export function isMistyped(entry: string, name: string, mesh: MeshView): boolean {
  const [written, own] = [principalParts(entry), principalParts(name)];
  if (written === null || own === null || written.namespace !== own.namespace || entry.includes('*')) return false;
  const { namespace, serviceAccount, trustDomain } = written;
  if (serviceAccount === own.serviceAccount) return !isOurs(trustDomain, mesh) && trustDomain !== own.trustDomain;
  const isNear = nearNames(serviceAccount, [own.serviceAccount]).length > 0;
  return trustDomain === own.trustDomain && isNear && isUnused(namespace, serviceAccount, mesh);
}

function isOurs(trustDomain: string, mesh: MeshView): boolean {
  return [mesh.trustDomain, ...mesh.trustDomainAliases, 'cluster.local'].includes(trustDomain);
}

/** Only where pods of the namespace are known. */
function isUnused(namespace: string, account: string, mesh: MeshView): boolean {
  const accounts = accountsRun(mesh).get(namespace);
  return accounts !== undefined && !accounts.has(account) && !mesh.serviceAccounts.has(`${namespace}/${account}`);
}

/** The accounts under which the pods of each namespace run. */
const accountsRun = remembered((mesh: MeshView): ReadonlyMap<string, ReadonlySet<string>> => {
  const accounts = new Map<string, Set<string>>();
  for (const { namespace, serviceAccount } of mesh.pods) {
    const known = accounts.get(namespace);
    if (known === undefined) accounts.set(namespace, new Set([serviceAccount]));
    else known.add(serviceAccount);
  }
  return accounts;
});
