import { createMesh } from '../mesh/view.ts';
import type { KubeObject, MeshView, ObjectRef } from '../model/mesh.ts';
import type { ObjectChange } from '../model/remedy.ts';
import { decodeKubeObject } from '../text/kube-object.ts';

/**
 * The mesh as it would be after the changes; null if one of them cannot be carried out on the objects that are known (its
 * result is not known, or is no object). The given view is left as it is.
 */
export function applyChanges(mesh: MeshView, changes: readonly ObjectChange[]): MeshView | null {
  let objects = mesh.objects;
  for (const change of changes) {
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
  const { rootNamespace, trustDomain, trustDomainAliases, istioVersion, sources } = mesh;
  return createMesh(objects, {
    rootNamespace,
    trustDomain,
    trustDomainAliases,
    sources,
    ...(istioVersion === null ? {} : { istioVersion }),
  });
}

function isObject({ kind, metadata }: KubeObject, ref: ObjectRef): boolean {
  return kind === ref.kind && metadata.name === ref.name && metadata.namespace === ref.namespace;
}
