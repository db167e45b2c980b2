import type { MeshView, Pod } from '../model/mesh.ts';
import type { LabelSelector, NetworkPeer, NetworkPort, Requirement } from './decode-network-policy.ts';
import { blockHolds, type IpAddress, parseIpBlock, parsePeerIp } from './match-ip.ts';

/** A connection on the wire: for HBONE the port is 15008, and for a Service it is the pod's port, not the Service's. */
export interface NetworkProbe {
  readonly source: Pod | { readonly ip: string };
  readonly destination: Pod;
  readonly port: number;
  readonly protocol: 'TCP';
}

/** Null: what is known does not tell. */
export type Truth = boolean | null;

/** True if all are, false if one is not; else null. */
export function allOf(truths: readonly Truth[]): Truth {
  if (truths.includes(false)) return false;
  return truths.includes(null) ? null : true;
}

/** True if one is, false if none is; else null. */
export function anyOf(truths: readonly Truth[]): Truth {
  if (truths.includes(true)) return true;
  return truths.includes(null) ? null : false;
}

/** Labels, and whether others can exist that are not known. */
interface Labels {
  readonly known: Readonly<Record<string, string>>;
  readonly complete: boolean;
}

/** One end of a connection as NetworkPolicies see it. */
export interface End {
  /** `namespace/name` of the pod, or the address. */
  readonly name: string;
  readonly ips: readonly string[];
  /** Null: not a pod, as far as is known. */
  readonly pod: Pod | null;
  /** Whether it can be a pod nevertheless: no pods are known at all. */
  readonly mayBePod: boolean;
  /** Of the pod's namespace. */
  readonly namespaceLabels: Labels;
}

/** The API server puts this label on every namespace. */
const NAMESPACE_NAME_LABEL = 'kubernetes.io/metadata.name';

/** Looks one end up: an address that one pod has is that pod. */
export function endOf(end: Pod | { readonly ip: string }, mesh: MeshView): End {
  const pod = 'ip' in end ? mesh.podByIp(end.ip) : end;
  if (pod === null) {
    const ips = 'ip' in end ? [end.ip] : [];
    const mayBePod = mesh.pods.length === 0;
    return { name: ips.join(), ips, pod: null, mayBePod, namespaceLabels: { known: {}, complete: false } };
  }
  const namespace = mesh.namespaces.find(({ name }) => name === pod.namespace);
  return {
    name: `${pod.namespace}/${pod.name}`,
    ips: 'ip' in end ? [end.ip] : pod.ips,
    pod,
    mayBePod: true,
    namespaceLabels: {
      known: { ...namespace?.labels, [NAMESPACE_NAME_LABEL]: pod.namespace },
      complete: namespace !== undefined,
    },
  };
}

/**
 * Whether a selector selects this pod. Of pods in the network of their node Kubernetes leaves it open whether policies
 * see them (concepts/services-networking/network-policies): null where the labels would fit.
 */
export function selectsPod(selector: LabelSelector, end: End): Truth {
  if (end.pod === null) return end.mayBePod ? null : false;
  const holds = selectorHolds(selector, { known: end.pod.labels, complete: true });
  return end.pod.hostNetwork && holds === true ? null : holds;
}

/** Whether a peer of a policy in `namespace` holds the other end. */
export function peerHolds(peer: NetworkPeer, namespace: string, other: End): Truth {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  if (ipBlock !== null) return ipBlockHolds(ipBlock, other);
  if (podSelector === null && namespaceSelector === null) return false;
  if (other.pod === null) return other.mayBePod ? null : false;
  const inNamespace =
    namespaceSelector === null
      ? other.pod.namespace === namespace
      : selectorHolds(namespaceSelector, other.namespaceLabels);
  return allOf([inNamespace, selectsPod(podSelector ?? EVERYTHING, other)]);
}

const EVERYTHING: LabelSelector = { matchLabels: null, matchExpressions: [] };

function ipBlockHolds(ipBlock: { readonly cidr: string; readonly except: readonly string[] }, end: End): Truth {
  const within = (cidr: string, address: IpAddress): boolean => {
    const block = parseIpBlock(cidr);
    return block !== null && blockHolds(block, address);
  };
  const holds = end.ips.flatMap((ip) => {
    const address = parsePeerIp(ip);
    if (address === null) return [];
    return [within(ipBlock.cidr, address) && !ipBlock.except.some((cidr) => within(cidr, address))];
  });
  // Which of several addresses is used is not known.
  const [first = null] = holds;
  return holds.every((truth) => truth === first) ? first : null;
}

/** Whether a port of a rule holds the destination's port. Names are those of the destination's container ports. */
export function portHolds(port: NetworkPort, probe: NetworkProbe): Truth {
  if (port.protocol !== probe.protocol) return false;
  if (port.port === null) return true;
  if (typeof port.port === 'number') return port.port <= probe.port && probe.port <= (port.endPort ?? port.port);
  const { ports } = probe.destination;
  return ports.length === 0
    ? null
    : ports.some(({ name, port: number }) => name === port.port && number === probe.port);
}

function selectorHolds(selector: LabelSelector, labels: Labels): Truth {
  return allOf([
    ...Object.entries(selector.matchLabels ?? {}).map(([key, value]) =>
      requirementHolds({ key, operator: 'In', values: [value] }, labels),
    ),
    ...selector.matchExpressions.map((requirement) => requirementHolds(requirement, labels)),
  ]);
}

/** `NotIn` holds without the label too. */
function requirementHolds({ key, operator, values }: Requirement, labels: Labels): Truth {
  const value = Object.hasOwn(labels.known, key) ? labels.known[key] : undefined;
  if (value === undefined && !labels.complete) return null;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}
