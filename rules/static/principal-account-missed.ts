import type { KubeObject, MeshView } from '../../src/model/mesh.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { entriesNaming, type NamedCaller } from '../../src/policy/survey/callers.ts';
import { authorizationPolicies } from '../../src/policy/survey/policies.ts';
import { isGatewayApi } from '../../src/policy/way/role.ts';
import { step } from '../../src/remedy/edits/index.ts';
import { principalParts } from '../../src/remedy/edits/names.ts';
import { nearNames } from '../../src/text/near.ts';
import { nameOf } from '../../src/text/object-ref.ts';
import { remembered } from '../../src/text/remembered.ts';
import { shellWord } from '../../src/text/shell.ts';
import { textOf, valueAt } from '../../src/text/untyped.ts';

/** A policy names a service account that does not exist: renamed, removed or mistyped. */
export const rule: StaticRule = {
  meta: {
    id: 'principal-account-missed',
    category: 'authorization',
    level: 'warning',
    title: 'A policy names a service account that does not exist',
    page: {
      meaning:
        'The identity of a caller is made of its service account. One that no pod runs under and that does not exist matches nobody: callers that were meant are refused, or are not excepted from a DENY. It is usual after a chart renamed its accounts, and whoever creates an account of that name gets what the policy gives.',
      printedBy: 'Nobody at this place. The denial that follows shows the identity that the caller has now.',
      confirm: [
        'kubectl -n NAMESPACE get serviceaccounts',
        'kubectl get pods -A -o custom-columns=NS:.metadata.namespace,SA:.spec.serviceAccountName',
      ],
      change: 'Name the account that the caller runs under; remove those that are gone.',
      never: 'Do not create an account only so that the policy fits, and do not widen the name with a star.',
    },
    cites: ['istio 86c9f01f pkg/spiffe/spiffe.go', 'kubeflow/kubeflow#7374'],
  },
  check: (mesh) =>
    authorizationPolicies(mesh).flatMap(({ object, policy }) => {
      const named = [
        ...entriesNaming(policy, 'principal').map((entry) => ({ entry, account: accountOf(entry, mesh) })),
        ...entriesNaming(policy, 'serviceAccount').map((entry) => ({
          entry,
          account: ownAccount(entry.value, policy.ref.namespace),
        })),
      ];
      return named.flatMap(({ entry, account }): readonly StaticMatch[] => {
        if (account === null || isThere(account, mesh)) return [];
        return [{ object, at: entry.at, ...told(entry, account, nameOf(policy.ref), mesh) }];
      });
    }),
};

interface Account {
  readonly namespace: string;
  readonly name: string;
}

/** Accounts of each namespace of which some are known. */
const accountsOf = remembered((mesh: MeshView): ReadonlyMap<string, readonly string[]> => {
  const index = new Map<string, string[]>();
  for (const account of mesh.serviceAccounts) {
    const slash = account.indexOf('/');
    const [namespace, name] = [account.slice(0, slash), account.slice(slash + 1)];
    const names = index.get(namespace);
    if (names === undefined) index.set(namespace, [name]);
    else names.push(name);
  }
  return index;
});

/** Namespaces of which the accounts themselves were given: of others only those that pods run under are known. */
const accountsAreListed = remembered(
  (mesh: MeshView): ReadonlySet<string> =>
    new Set(mesh.objectsOf('ServiceAccount').map(({ metadata }) => metadata.namespace)),
);

/** Null for patterns, other forms, and identities of another mesh. */
function accountOf({ value }: NamedCaller, mesh: MeshView): Account | null {
  const parts = value.includes('*') ? null : principalParts(value);
  const own = [mesh.trustDomain, ...mesh.trustDomainAliases, 'cluster.local'];
  if (parts === null || !own.includes(parts.trustDomain)) return null;
  return { namespace: parts.namespace, name: parts.serviceAccount };
}

function ownAccount(value: string, namespace: string): Account | null {
  if (value.includes('*')) return null;
  const slash = value.indexOf('/');
  return slash < 0 ? { namespace, name: value } : { namespace: value.slice(0, slash), name: value.slice(slash + 1) };
}

/** True, too, where no account of its namespace is known. `default` is in every namespace. */
function isThere({ namespace, name }: Account, mesh: MeshView): boolean {
  const names = accountsOf(mesh).get(namespace);
  if (names === undefined || name === 'default' || names.includes(name)) return true;
  return mesh
    .objectsOf('Gateway', namespace)
    .some((gateway) => isGatewayApi(gateway.apiVersion) && accountsMadeFor(gateway).includes(name));
}

/**
 * The account that istiod makes for a waypoint, or for another gateway that it deploys: whichever of the two classes this is
 * (istio 86c9f01f pilot/pkg/config/kube/gateway/deploymentcontroller.go).
 */
function accountsMadeFor({ raw, metadata: { name } }: KubeObject): readonly string[] {
  const own = textOf(valueAt(raw, 'metadata', 'annotations', 'gateway.istio.io/service-account'));
  return own === null ? [name, `${name}-${textOf(valueAt(raw, 'spec', 'gatewayClassName')) ?? ''}`] : [own];
}

function told(
  { negated }: NamedCaller,
  { namespace, name }: Account,
  policy: string,
  mesh: MeshView,
): Omit<StaticMatch, 'object' | 'at'> {
  const near = nearNames(name, (accountsOf(mesh).get(namespace) ?? []).toSorted());
  const isListed = accountsAreListed(mesh).has(namespace);
  const hint = near.length === 0 ? '' : ` ${near.join(', ')} does.`;
  return {
    certainty: isListed ? 'likely' : 'possible',
    level: isListed || near.length > 0 ? 'warning' : 'note',
    cause: `${policy} ${negated ? 'excepts' : 'names'} service account ${name} of ${namespace}, which does not exist among the objects given.${hint}`,
    unchecked: isListed
      ? []
      : [
          `Whether it exists though no pod runs under it: kubectl -n ${shellWord(namespace)} get serviceaccounts -o yaml.`,
        ],
    drafts: [
      step('investigate', `Find out under which account of ${namespace} the caller runs, and name that one.${hint}`, {
        confirm: [`kubectl -n ${shellWord(namespace)} get serviceaccounts`],
      }),
    ],
  };
}
