/**
 * A second, deliberately simple reading of Kubernetes NetworkPolicies (networking.k8s.io/v1, as its API reference puts
 * it), written without looking at src/policy: loops over what the user wrote, for pods of which everything is known.
 */

type Labels = Readonly<Record<string, string>>;

/** `podSelector` and `namespaceSelector`. */
interface NaiveSelector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

interface NaivePeer {
  readonly podSelector?: NaiveSelector;
  readonly namespaceSelector?: NaiveSelector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}

interface NaiveRule {
  readonly from?: readonly NaivePeer[];
  readonly to?: readonly NaivePeer[];
  readonly ports?: readonly { readonly protocol?: string; readonly port?: number; readonly endPort?: number }[];
}

/** A NetworkPolicy as a user writes it. */
export interface NaiveNetworkPolicy {
  readonly metadata: { readonly namespace: string };
  readonly spec: {
    readonly podSelector?: NaiveSelector;
    readonly policyTypes?: readonly string[];
    readonly ingress?: readonly NaiveRule[];
    readonly egress?: readonly NaiveRule[];
  };
}

/** A pod. */
export interface NaivePod {
  readonly namespace: string;
  readonly namespaceLabels: Labels;
  readonly labels: Labels;
  readonly ip: string;
}

/** Whether a connection gets through: out of one pod, and into the other. */
export function naivePasses(
  policies: readonly NaiveNetworkPolicy[],
  source: NaivePod,
  destination: NaivePod,
  port: number,
): boolean {
  const passes = (own: NaivePod, other: NaivePod, type: 'Ingress' | 'Egress'): boolean => {
    const isolating = policies.filter(
      ({ metadata, spec }) =>
        metadata.namespace === own.namespace &&
        typesOf(spec).includes(type) &&
        fits(spec.podSelector ?? {}, own.labels),
    );
    if (isolating.length === 0) return true;
    return isolating.some(({ metadata, spec }) =>
      (type === 'Ingress' ? (spec.ingress ?? []) : (spec.egress ?? [])).some((rule) => {
        const peers = (type === 'Ingress' ? rule.from : rule.to) ?? [];
        const ports = rule.ports ?? [];
        return (
          (peers.length === 0 || peers.some((peer) => isPeer(peer, other, metadata.namespace))) &&
          (ports.length === 0 || ports.some((entry) => isPort(entry, port)))
        );
      }),
    );
  };
  return passes(source, destination, 'Egress') && passes(destination, source, 'Ingress');
}

function typesOf({ policyTypes, egress }: NaiveNetworkPolicy['spec']): readonly string[] {
  if (policyTypes !== undefined && policyTypes.length > 0) return policyTypes;
  return egress !== undefined && egress.length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
}

function isPort({ protocol = 'TCP', port, endPort }: NonNullable<NaiveRule['ports']>[number], seen: number): boolean {
  if (protocol !== 'TCP') return false;
  if (port === undefined) return true;
  return endPort === undefined ? port === seen : port <= seen && seen <= endPort;
}

function isPeer({ podSelector, namespaceSelector, ipBlock }: NaivePeer, other: NaivePod, own: string): boolean {
  if (ipBlock !== undefined) {
    return inBlock(ipBlock.cidr, other.ip) && !(ipBlock.except ?? []).some((cidr) => inBlock(cidr, other.ip));
  }
  const inNamespace =
    namespaceSelector === undefined ? other.namespace === own : fits(namespaceSelector, other.namespaceLabels);
  return inNamespace && fits(podSelector ?? {}, other.labels);
}

function fits({ matchLabels = {}, matchExpressions = [] }: NaiveSelector, labels: Labels): boolean {
  for (const [key, value] of Object.entries(matchLabels)) if (labels[key] !== value) return false;
  for (const { key, operator, values = [] } of matchExpressions) {
    const has = labels[key] !== undefined;
    const isIn = has && values.includes(labels[key] ?? '');
    const holds = { In: isIn, NotIn: !isIn, Exists: has, DoesNotExist: !has }[operator];
    if (holds !== true) return false;
  }
  return true;
}

function inBlock(cidr: string, ip: string): boolean {
  const [network = '', length = '32'] = cidr.split('/');
  const bits = (address: string): string =>
    address
      .split('.')
      .map((byte) => Number(byte).toString(2).padStart(8, '0'))
      .join('');
  return bits(network).slice(0, Number(length)) === bits(ip).slice(0, Number(length));
}
