import type { KubeObject, MeshView, ObjectRef, Pod } from '../../model/mesh.ts';
import type { PolicyRule } from '../../model/policy.ts';
import type { Draft, ObjectChange, Reach } from '../../model/remedy.ts';
import { decodeAuthorizationPolicy } from '../../policy/decode.ts';
import { matchesString, readStringMatch } from '../../policy/match-string.ts';
import { decodeKubeObject } from '../../text/kube-object.ts';
import { nameOf, refText } from '../../text/object-ref.ts';
import { moreText, shortened } from '../../text/shortened.ts';
import { identityOf, principalOf } from '../../text/spiffe.ts';
import { workloadOf } from '../../text/workload.ts';
import { principalParts } from '../edits/names.ts';
import { podsUnder, policiesOver } from './selected-pods.ts';

/** Names told of each sort. Where there are more, the last entry says how many: `… and 12 more`. */
const MAX_NAMES = 50;

/**
 * Whom a draft reaches beside the caller and the destination: who else runs as what it brings into policies, which
 * workloads its policies apply to, and which other policies do too. Sorted and bounded. Null: it changes no object. Members
 * are null where the mesh given does not tell.
 */
export function reachOf({ changes }: Draft, mesh: MeshView): Reach | null {
  if (changes.length === 0) return null;
  const known = mesh.known && mesh.pods.length > 0;
  const callers = newPrincipals(changes, mesh).map((principal) => ({
    principal,
    workloads: known ? workloadsRunningAs(principal, mesh) : null,
  }));
  const told = callers.slice(0, callers.length <= MAX_NAMES ? MAX_NAMES : MAX_NAMES - 1);
  const untold = callers.length - told.length;
  const more = untold === 0 ? [] : [{ principal: moreText(untold), workloads: null }];
  if (!known) return { callers: [...told, ...more], selected: null, others: null };
  const selected = new Set(changes.flatMap((change) => stateOf(change)).flatMap((object) => podsUnder(object, mesh)));
  return {
    callers: [...told, ...more],
    selected: namesOf([...selected]),
    others: otherPolicies([...selected], changes, mesh),
  };
}

/** The object before and after a change, as far as they are known: a change may move a policy from one place to another. */
function stateOf(change: ObjectChange): readonly KubeObject[] {
  return [change.before, change.after].flatMap((raw) => {
    const object = raw === null ? 'not known' : decodeKubeObject(raw, { file: '', document: 0 });
    return typeof object === 'string' ? [] : [object];
  });
}

function newPrincipals(changes: readonly ObjectChange[], mesh: MeshView): readonly string[] {
  const found = changes.flatMap(({ before, after }) => {
    const known = new Set(principalsOf(before, mesh));
    return principalsOf(after, mesh).filter((principal) => !known.has(principal));
  });
  return [...new Set(found)].toSorted();
}

/** Everybody whom a policy names, as principals; a whole namespace as `cluster.local/ns/shop/sa/*`. */
function principalsOf(raw: ObjectChange['after'], mesh: MeshView): readonly string[] {
  const object = raw === null ? 'absent' : decodeKubeObject(raw, { file: '', document: 0 });
  const decoded = typeof object === 'string' ? null : decodeAuthorizationPolicy(object);
  if (!decoded?.ok) return [];
  const { rules, ref } = decoded.value;
  return rules.flatMap((rule) => named(rule, ref.namespace, mesh));
}

function named(rule: PolicyRule, policyNamespace: string, { trustDomain }: MeshView): readonly string[] {
  const account = (text: string): string => {
    const [name = '', namespace = policyNamespace] = text.split('/').toReversed();
    return principalOf(identityOf(trustDomain, namespace, name));
  };
  const namespace = (text: string): string => principalOf(identityOf(trustDomain, text, '*'));
  const unchanged = (text: string): string => text;
  const readers: Readonly<Record<string, (text: string) => string>> = {
    'source.principal': unchanged,
    'source.namespace': namespace,
    'source.serviceAccount': account,
  };
  const sources = rule.from.flatMap((source) =>
    source === null
      ? []
      : [
          ...[...source.principals, ...source.notPrincipals],
          ...[...source.serviceAccounts, ...source.notServiceAccounts].map(account),
          ...[...source.namespaces, ...source.notNamespaces].map(namespace),
        ],
  );
  const conditions = rule.when.flatMap(({ key, values, notValues }) => {
    const read = Object.hasOwn(readers, key) ? readers[key] : undefined;
    return read === undefined ? [] : [...values, ...notValues].map(read);
  });
  return [...sources, ...conditions];
}

/** Null: the principal is of another mesh, of whose pods nothing is known. */
function workloadsRunningAs(principal: string, mesh: MeshView): readonly string[] | null {
  const own = [mesh.trustDomain, ...mesh.trustDomainAliases, 'cluster.local'];
  const parts = principalParts(principal);
  if (parts === null) {
    const isNamed = matching(principal);
    const runs = ({ namespace, serviceAccount }: Pod): boolean =>
      own.some((domain) => isNamed(principalOf(identityOf(domain, namespace, serviceAccount))));
    return namesOf(mesh.pods.filter(runs));
  }
  if (!own.some(matching(parts.trustDomain))) return null;
  const [isThere, isAccount] = [matching(parts.namespace), matching(parts.serviceAccount)];
  return namesOf(mesh.pods.filter(({ namespace, serviceAccount }) => isThere(namespace) && isAccount(serviceAccount)));
}

function matching(written: string): (seen: string) => boolean {
  const match = readStringMatch(written);
  return (seen) => matchesString(match, seen);
}

function namesOf(pods: readonly Pod[]): readonly string[] {
  const names = new Set(pods.map(({ namespace, name }) => nameOf({ namespace, name: workloadOf(name) })));
  return shortened([...names].toSorted(), MAX_NAMES);
}

function otherPolicies(pods: readonly Pod[], changes: readonly ObjectChange[], mesh: MeshView): readonly ObjectRef[] {
  const changed = new Set(changes.map(({ object }) => refText(object)));
  const refs = [...policiesOver(pods, mesh)]
    .map(({ kind, metadata }) => ({ kind, namespace: metadata.namespace, name: metadata.name }))
    .filter((ref) => !changed.has(refText(ref)));
  const sorted = refs
    .map((ref) => ({ ref, text: refText(ref) }))
    .toSorted((one, other) => (one.text < other.text ? -1 : 1))
    .map(({ ref }) => ref);
  if (sorted.length <= MAX_NAMES) return sorted;
  const told = sorted.slice(0, MAX_NAMES - 1);
  return [...told, { kind: '…', namespace: '', name: `and ${sorted.length - told.length} more` }];
}
