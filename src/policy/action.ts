import type { MeshView, ObjectRef } from '../model/mesh.ts';
import type { AuthorizationPolicy } from '../model/policy.ts';
import { decodeAuthorizationPolicy } from './decode.ts';

/** The action of an AuthorizationPolicy of the mesh; null: it is not known, or another kind of object. */
export function actionOf(ref: ObjectRef, mesh: MeshView): AuthorizationPolicy['action'] | null {
  const object = ref.kind === 'AuthorizationPolicy' ? mesh.object(ref) : null;
  const policy = object === null ? null : decodeAuthorizationPolicy(object);
  return policy?.ok === true ? policy.value.action : null;
}
