import type { KubeObject, MeshView, Pod } from '../../model/mesh.ts';
import { decodeNetworkPolicy, type NetworkPeer } from '../../policy/decode-network-policy.ts';
import { endOf, peerHolds, selectsPod } from '../../policy/network-match.ts';
import { workloadOf } from '../../text/workload.ts';

/** How many workloads a NetworkPolicy selects, as far as the mesh shows; none if it is none that can be read. */
export function reachOf(policy: KubeObject, mesh: MeshView): number {
  const decoded = decodeNetworkPolicy(policy);
  if (!decoded.ok) return 0;
  const { namespace, podSelector } = decoded.value;
  const pods = mesh.pods.filter(
    (pod) => pod.namespace === namespace && selectsPod(podSelector, endOf(pod, mesh)) !== false,
  );
  return workloadsOf(pods).size;
}

/** The workload `namespace/name` that peers of a policy in `namespace` hold; null: none or several, or that is not known. */
export function heldWorkload(peers: readonly NetworkPeer[], namespace: string, mesh: MeshView): string | null {
  const pods = mesh.pods.filter((pod) => {
    const end = endOf(pod, mesh);
    return peers.some((peer) => peerHolds(peer, namespace, end) !== false);
  });
  const [only = null, second] = workloadsOf(pods);
  return second === undefined ? only : null;
}

function workloadsOf(pods: readonly Pod[]): ReadonlySet<string> {
  return new Set(pods.map(({ namespace, name }) => `${namespace}/${workloadOf(name)}`));
}
