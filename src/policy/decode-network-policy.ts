import type { KubeObject } from '../model/mesh.ts';
import { remembered } from '../text/remembered.ts';
import {
  choice,
  type Decoded,
  type Field,
  list,
  type Message,
  message,
  nested,
  text,
  textMap,
} from './decode-fields.ts';

/** One of `matchExpressions`. */
export interface Requirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values: readonly string[];
}

/** A label selector; without labels and expressions it selects everything. */
export interface LabelSelector {
  readonly matchLabels: Readonly<Record<string, string>> | null;
  readonly matchExpressions: readonly Requirement[];
}

/** `from[]` or `to[]`. A null field is an absent one. */
export interface NetworkPeer {
  readonly podSelector: LabelSelector | null;
  readonly namespaceSelector: LabelSelector | null;
  readonly ipBlock: { readonly cidr: string; readonly except: readonly string[] } | null;
}

/** `ports[]`. `port` null: every port. */
export interface NetworkPort {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly port: number | string | null;
  /** Last port of a range that starts with `port`; null: no range. */
  readonly endPort: number | null;
}

/** One rule of a direction. Empty lists allow every peer, every port. */
export interface NetworkRule {
  readonly peers: readonly NetworkPeer[];
  readonly ports: readonly NetworkPort[];
}

/** A NetworkPolicy, decoded. */
export interface NetworkPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly podSelector: LabelSelector;
  readonly policyTypes: readonly ('Ingress' | 'Egress')[];
  readonly ingress: readonly NetworkRule[];
  readonly egress: readonly NetworkRule[];
}

const selector = message<LabelSelector>({
  matchLabels: textMap(text),
  matchExpressions: list(
    message<Requirement>({
      key: text,
      operator: choice(['In', 'NotIn', 'Exists', 'DoesNotExist']),
      values: list(text),
    }),
  ),
});

const peer = message<NetworkPeer>({
  podSelector: nested(selector),
  namespaceSelector: nested(selector),
  ipBlock: nested(
    message<{ readonly cidr: string; readonly except: readonly string[] }>({ cidr: text, except: list(text) }),
  ),
});

/** A port by number or by name. */
const intOrText: Field<number | string | null> = {
  absent: null,
  read: (json, path) =>
    Number.isInteger(json) || typeof json === 'string'
      ? { ok: true, value: typeof json === 'string' ? json : Number(json) }
      : { ok: false, reason: `${path}: must be a number or a name` },
};

const int: Field<number | null> = {
  absent: null,
  read: (json, path) =>
    Number.isInteger(json) ? { ok: true, value: Number(json) } : { ok: false, reason: `${path}: must be a number` },
};

const port = message<NetworkPort>({ protocol: choice(['TCP', 'UDP', 'SCTP']), port: intOrText, endPort: int });

interface NetworkSpec {
  readonly podSelector: LabelSelector | null;
  readonly policyTypes: readonly ('Ingress' | 'Egress')[];
  readonly ingress: readonly { readonly from: readonly NetworkPeer[]; readonly ports: readonly NetworkPort[] }[];
  readonly egress: readonly { readonly to: readonly NetworkPeer[]; readonly ports: readonly NetworkPort[] }[];
}

const networkSpec: Message<NetworkSpec> = message<NetworkSpec>({
  podSelector: nested(selector),
  policyTypes: list(choice(['Ingress', 'Egress'])),
  ingress: list(message<NetworkSpec['ingress'][number]>({ from: list(peer), ports: list(port) })),
  egress: list(message<NetworkSpec['egress'][number]>({ to: list(peer), ports: list(port) })),
});

/**
 * Reads a NetworkPolicy of networking.k8s.io (untrusted). `policyTypes` is filled in as the API server does: ingress, and
 * egress if there are egress rules (k8s.io/kubernetes pkg/apis/networking/v1/defaults.go). Never throws.
 * An object is read once.
 */
export const decodeNetworkPolicy: (object: KubeObject) => Decoded<NetworkPolicy> = remembered((object) => {
  if (object.kind !== 'NetworkPolicy' || !object.apiVersion.startsWith('networking.k8s.io/')) {
    return {
      ok: false,
      reason: `is a ${object.kind} of ${object.apiVersion}, not a NetworkPolicy of networking.k8s.io`,
    };
  }
  const spec = networkSpec.read(object.raw['spec'] ?? null, 'spec');
  if (!spec.ok) return spec;
  const { podSelector, policyTypes, ingress, egress } = spec.value;
  const defaultTypes = egress.length > 0 ? (['Ingress', 'Egress'] as const) : (['Ingress'] as const);
  return {
    ok: true,
    value: {
      namespace: object.metadata.namespace,
      name: object.metadata.name,
      podSelector: podSelector ?? { matchLabels: null, matchExpressions: [] },
      policyTypes: policyTypes.length > 0 ? policyTypes : defaultTypes,
      ingress: ingress.map(({ from, ports }) => ({ peers: from, ports })),
      egress: egress.map(({ to, ports }) => ({ peers: to, ports })),
    },
  };
});
