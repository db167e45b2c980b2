import type { MeshView, Pod } from '../../model/mesh.ts';
import { listOf, recordOf, textMapOf, textOf, valueAt } from '../../text/untyped.ts';
import { decodeNetworkPolicy, type LabelSelector } from '../decode-network-policy.ts';

/** Labels that say something about a pod itself, whether or not a selector names them. */
const TELLING = [
  'gateway.networking.k8s.io/gateway-name',
  'istio.io/use-waypoint',
  'istio.io/use-waypoint-namespace',
  'networking.istio.io/tunnel',
  'security.istio.io/tlsMode',
];

/** Where selectors of a kind stand. */
const SELECTORS: Readonly<Record<string, readonly string[]>> = {
  AuthorizationPolicy: ['spec', 'selector', 'matchLabels'],
  PeerAuthentication: ['spec', 'selector', 'matchLabels'],
  RequestAuthentication: ['spec', 'selector', 'matchLabels'],
  Service: ['spec', 'selector'],
  ServiceEntry: ['spec', 'workloadSelector', 'labels'],
  Gateway: ['spec', 'selector'],
  DestinationRule: ['spec', 'workloadSelector', 'matchLabels'],
  Sidecar: ['spec', 'workloadSelector', 'labels'],
};

/** The keys of all labels by which anything in the mesh tells one pod from another. */
export function tellingLabels(mesh: MeshView): ReadonlySet<string> {
  const keys = new Set(TELLING);
  for (const [kind, path] of Object.entries(SELECTORS)) {
    for (const { raw } of mesh.objectsOf(kind)) {
      for (const key of Object.keys(textMapOf(valueAt(raw, ...path)))) keys.add(key);
    }
  }
  for (const object of mesh.objectsOf('NetworkPolicy')) {
    const policy = decodeNetworkPolicy(object);
    if (!policy.ok) continue;
    const { podSelector, ingress, egress } = policy.value;
    const peers = [...ingress, ...egress].flatMap((rule) => rule.peers.map((peer) => peer.podSelector));
    for (const selector of [podSelector, ...peers]) for (const key of keysOf(selector)) keys.add(key);
  }
  return keys;
}

function keysOf(selector: LabelSelector | null): readonly string[] {
  if (selector === null) return [];
  return [...Object.keys(selector.matchLabels ?? {}), ...selector.matchExpressions.map(({ key }) => key)];
}

/**
 * What tells a pod from others, as a text: two pods with one text get the same answers, but for conditions on their
 * addresses. Istio looks at whether a pod has any label at all, so that is part of it.
 */
export function likenessOf(pod: Pod, telling: ReadonlySet<string>): string {
  const labels = Object.entries(pod.labels)
    .filter(([key]) => telling.has(key))
    .sort(([one], [other]) => (one < other ? -1 : 1));
  const ports = pod.ports.filter(({ name }) => name !== null).map(({ name, port }) => `${name}=${port}`);
  const { namespace, serviceAccount, dataplane, hostNetwork } = pod;
  const bare = Object.keys(pod.labels).length === 0;
  return JSON.stringify([namespace, serviceAccount, dataplane, hostNetwork, bare, labels, ports]);
}

/** The pod's containers by name, as far as the object tells. */
export function containersOf(pod: Pod, mesh: MeshView): readonly string[] {
  const object = mesh.object({ kind: 'Pod', namespace: pod.namespace, name: pod.name });
  return listOf(valueAt(object?.raw, 'spec', 'containers')).map((entry) => textOf(recordOf(entry)['name']) ?? '');
}
