import { withObjects } from '../mesh/view.ts';
import type { KubeObject, MeshView, ObjectRef } from '../model/mesh.ts';
import type { ObjectChange } from '../model/remedy.ts';
import { decodeKubeObject } from '../text/kube-object.ts';

/** Kinds of which there are many and which act in their own namespace (or from the root namespace) only. */
const LOCAL_KINDS: ReadonlySet<string> = new Set([
  'AuthorizationPolicy',
  'PeerAuthentication',
  'RequestAuthentication',
  'NetworkPolicy',
]);
/** Kinds that a view indexes: a change of these would need a new view. */
const INDEXED_KINDS: ReadonlySet<string> = new Set(['Pod', 'Service', 'Namespace']);

/**
 * The mesh as it would be after the changes; null if one of them cannot be carried out on the objects that are known (its
 * result is not known, or is no policy). The given view is left as it is.
 */
export function applyChanges(mesh: MeshView, changes: readonly ObjectChange[]): MeshView | null {
  let objects = mesh.objects;
  for (const change of changes) {
    if (INDEXED_KINDS.has(change.object.kind)) return null;
    const others = objects.filter((object) => !isObject(object, change.object));
    if (change.op === 'delete') {
      objects = others;
      continue;
    }
    const source = objects.find((object) => isObject(object, change.object))?.source ?? { file: '', document: 0 };
    const after = change.after === null ? 'not known' : decodeKubeObject(change.after, source);
    if (typeof after === 'string') return null;
    objects = [...others, after];
  }
  return withObjects(mesh, objects);
}

/**
 * The same mesh without the policies of namespaces that have no part in a connection: equal in every answer about these
 * namespaces, and quick to compile. Namespaces of waypoints always stay.
 */
export function focusOn(mesh: MeshView, namespaces: Iterable<string>): MeshView {
  const waypoints = mesh.objectsOf('Gateway').map((object) => object.metadata.namespace);
  const kept = new Set([mesh.rootNamespace, ...namespaces, ...waypoints]);
  return withObjects(
    mesh,
    mesh.objects.filter(({ kind, metadata }) => !LOCAL_KINDS.has(kind) || kept.has(metadata.namespace)),
  );
}

function isObject({ kind, metadata }: KubeObject, ref: ObjectRef): boolean {
  return kind === ref.kind && metadata.name === ref.name && metadata.namespace === ref.namespace;
}
