import type { KubeObject, MeshView, Pod } from '../../model/mesh.ts';
import type { PeerAuthentication } from '../../model/policy.ts';
import type { ObjectChange } from '../../model/remedy.ts';
import { decodePeerAuthentication } from '../../policy/decode.ts';
import { decodeKubeObject } from '../../text/kube-object.ts';
import { hasLabels } from '../../text/labels.ts';
import { sameRef } from '../../text/object-ref.ts';

type Labels = Readonly<Record<string, string>>;

/**
 * True where a change sets modes for single ports that come to nothing: the number is a Service's and not a port of its
 * pods, or an older object for the same pods is the only one that counts (istio 86c9f01f pilot/pkg/model/authentication.go).
 */
export function hasPortModeWithoutEffect(change: ObjectChange, mesh: MeshView): boolean {
  if (change.object.kind !== 'PeerAuthentication') return false;
  const after = readPeer(change.after);
  const before = readPeer(change.before);
  const labels = after?.selector?.matchLabels ?? null;
  if (after === null || labels === null || Object.keys(labels).length === 0) return false;
  const ports = [...after.portModes].filter(([port, mode]) => before?.portModes.get(port) !== mode);
  const pods = podsWith(labels, after.ref.namespace, mesh);
  return (
    ports.length > 0 &&
    (isOverruled(after, before, pods, mesh) || ports.some(([port]) => isOfService(port, pods, mesh)))
  );
}

function readPeer(object: ObjectChange['after']): PeerAuthentication | null {
  const read = object === null ? 'nothing' : decodeKubeObject(object, { file: '', document: 0 });
  return typeof read === 'string' ? null : decoded(read);
}

function decoded(object: KubeObject): PeerAuthentication | null {
  const peer = decodePeerAuthentication(object);
  return peer.ok ? peer.value : null;
}

function podsWith(labels: Labels, namespace: string, mesh: MeshView): readonly Pod[] {
  return mesh.pods.filter((pod) => pod.namespace === namespace && hasLabels(pod.labels, labels));
}

/** Pods that list ports have not this one, and a Service of theirs has. */
function isOfService(port: number, pods: readonly Pod[], mesh: MeshView): boolean {
  const listing = pods.filter(({ ports }) => ports.length > 0);
  if (listing.length === 0 || listing.some(({ ports }) => ports.some((own) => own.port === port))) return false;
  return mesh.services.some(
    ({ namespace, selector, ports }) =>
      selector !== null &&
      ports.some((entry) => entry.port === port && entry.targetPort !== port) &&
      pods.some((pod) => pod.namespace === namespace && hasLabels(pod.labels, selector)),
  );
}

/** Another object with a selector applies to one of the pods, and is older, as every one is to a new object. */
function isOverruled(
  after: PeerAuthentication,
  before: PeerAuthentication | null,
  pods: readonly Pod[],
  mesh: MeshView,
): boolean {
  const others = mesh
    .objectsOf('PeerAuthentication', after.ref.namespace)
    .map(decoded)
    .filter((peer) => peer !== null)
    .filter(({ ref }) => !sameRef(ref, after.ref));
  return others.some(({ selector, createdAt }) => {
    const labels = selector?.matchLabels ?? {};
    const isRival = Object.keys(labels).length > 0 && pods.some((pod) => hasLabels(pod.labels, labels));
    const isOlder = before === null || (createdAt !== null && after.createdAt !== null && createdAt < after.createdAt);
    return isRival && isOlder;
  });
}
