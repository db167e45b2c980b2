import type { ObjectRef } from '../model/mesh.ts';

/** An object as `namespace/name`. */
export function nameOf({ namespace, name }: Pick<ObjectRef, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}

/** An object as people write it, `Kind namespace/name`; one of the whole cluster has no namespace. */
export function refText(ref: ObjectRef): string {
  return `${ref.kind} ${ref.namespace === '' ? ref.name : nameOf(ref)}`;
}

/** True for two references to one object. */
export function sameRef(left: ObjectRef, right: ObjectRef): boolean {
  return left.kind === right.kind && left.namespace === right.namespace && left.name === right.name;
}

/** Each object once, in the order in which it first stands. */
export function distinctRefs(refs: readonly ObjectRef[]): readonly ObjectRef[] {
  return [...new Map(refs.map((ref) => [`${ref.kind}/${nameOf(ref)}`, ref])).values()];
}
