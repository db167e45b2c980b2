import { waypointSign } from '../causes/waypoint.ts';
import type { MeshView } from '../model/mesh.ts';
import type { AuthorizationPolicy, Condition, PolicyRule, PolicySource } from '../model/policy.ts';
import { roleOf } from '../policy/way/role.ts';
import { identityOf } from '../text/spiffe.ts';

/** Namespaces whose workloads serve all others: what a policy says of them says nothing about applications. */
const PLATFORM_NAMESPACES: ReadonlySet<string> = new Set(['istio-system', 'knative-serving', 'kube-system']);

/** A namespace, or one account of it, that a policy names. */
export interface Named {
  readonly namespace: string;
  /** Null: every account of the namespace. */
  readonly account: string | null;
}

/** Whom a list of policies admits: callers they name, and whether they admit some of whom they say no namespace. */
export interface Admitted {
  readonly named: readonly Named[];
  readonly anybody: boolean;
}

/** Tells accounts of gateways, waypoints and the platform's own namespaces from those of applications. */
export class Platform {
  readonly #mesh: MeshView;
  #gateways: ReadonlySet<string> | null = null;

  constructor(mesh: MeshView) {
    this.#mesh = mesh;
  }

  has({ namespace, account }: Named): boolean {
    if (namespace === this.#mesh.rootNamespace || PLATFORM_NAMESPACES.has(namespace)) return true;
    if (account === null) return false;
    const identity = identityOf(this.#mesh.trustDomain, namespace, account);
    return waypointSign(identity, this.#mesh) !== null || this.#gatewayAccounts().has(`${namespace}/${account}`);
  }

  #gatewayAccounts(): ReadonlySet<string> {
    this.#gateways ??= new Set(
      this.#mesh.pods
        .filter((pod) => roleOf(pod, this.#mesh) !== 'application')
        .map((pod) => `${pod.namespace}/${pod.serviceAccount}`),
    );
    return this.#gateways;
  }
}

/**
 * Whom policies admit: the sources of ALLOW rules, and those whom DENY rules list as not denied. Rules of HTTP count as they
 * are written, also where the proxy leaves them out: they show who was meant. ALLOW policies without rules admit nobody.
 */
export function admittedBy(policies: readonly AuthorizationPolicy[]): Admitted {
  const entries = policies.flatMap(({ action, rules, ref }) =>
    rules.flatMap((rule) => (action === 'DENY' ? excepted(rule, ref.namespace) : admitted(rule, ref.namespace))),
  );
  return {
    named: entries.filter((entry) => entry !== null),
    anybody: entries.includes(null),
  };
}

/** Null: whoever calls, as far as namespaces are concerned. */
type Entry = Named | null;

function admitted({ from, when }: PolicyRule, policyNamespace: string): readonly Entry[] {
  const conditions = when.flatMap((condition) => conditionEntries(condition, condition.values));
  if (from.length === 0) return conditions.length > 0 ? conditions : [null];
  const sources = from.filter((source) => source !== null);
  return sources.flatMap((source) => {
    const { principals, namespaces, serviceAccounts } = source;
    const entries = [...entriesOf({ principals, namespaces, serviceAccounts }, policyNamespace), ...conditions];
    return entries.length > 0 ? entries : [null];
  });
}

function excepted({ from, when }: PolicyRule, policyNamespace: string): readonly Entry[] {
  return [
    ...from.filter((source) => source !== null).flatMap((source) => exceptedBy(source, policyNamespace)),
    ...when.flatMap((condition) => conditionEntries(condition, condition.notValues)),
  ];
}

function exceptedBy(source: PolicySource, policyNamespace: string): readonly Entry[] {
  const { notPrincipals, notNamespaces, notServiceAccounts } = source;
  return entriesOf(
    { principals: notPrincipals, namespaces: notNamespaces, serviceAccounts: notServiceAccounts },
    policyNamespace,
  );
}

function entriesOf(
  lists: Pick<PolicySource, 'principals' | 'namespaces' | 'serviceAccounts'>,
  policyNamespace: string,
): readonly Entry[] {
  return [
    ...lists.principals.map(readPrincipal),
    ...lists.namespaces.map(readNamespace),
    ...lists.serviceAccounts.map((text) => readAccount(text, policyNamespace)),
  ];
}

function conditionEntries({ key }: Condition, values: readonly string[]): readonly Entry[] {
  if (key === 'source.principal') return values.map(readPrincipal);
  return key === 'source.namespace' ? values.map(readNamespace) : [];
}

/** `TRUST_DOMAIN/ns/NAMESPACE/sa/ACCOUNT`, with a star at either end, and with a scheme, which never matches but shows who was meant. */
function readPrincipal(written: string): Entry {
  const match = /^(?:spiffe:\/\/)?[^/]*\/ns\/([^/*]+)\/(?:\*|sa\/([^/]+))$/.exec(written);
  const [, namespace, account = '*'] = match ?? [];
  return namespace === undefined ? null : { namespace, account: account.includes('*') ? null : account };
}

function readNamespace(written: string): Entry {
  return written.includes('*') ? null : { namespace: written, account: null };
}

function readAccount(written: string, policyNamespace: string): Named {
  const [account = '', namespace = policyNamespace] = written.split('/').toReversed();
  return { namespace, account };
}
