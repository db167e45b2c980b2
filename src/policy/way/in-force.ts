import type { KubeObject, MeshView, ObjectRef } from '../../model/mesh.ts';
import { grouped } from '../../text/grouped.ts';
import { remembered } from '../../text/remembered.ts';
import { validateForApply } from '../validate.ts';

/** The policies of a mesh that count. */
export interface InForce {
  /** AuthorizationPolicies, PeerAuthentications and RequestAuthentications by namespace. */
  readonly byNamespace: ReadonlyMap<string, readonly KubeObject[]>;
  readonly all: readonly KubeObject[];
  /** Manifests that an API server would refuse; they count as absent. */
  readonly refused: readonly { readonly ref: ObjectRef; readonly reason: string }[];
}

const KINDS = ['AuthorizationPolicy', 'PeerAuthentication', 'RequestAuthentication'];

/**
 * Sorts out what admission would refuse. An object that a cluster has stored is in force, whatever admission says of it
 * today: the webhook may have been absent or of another release.
 */
export function readInForce(mesh: MeshView): InForce {
  const all: KubeObject[] = [];
  const refused: { ref: ObjectRef; reason: string }[] = [];
  for (const object of KINDS.flatMap((kind) => mesh.objectsOf(kind))) {
    const { kind, metadata } = object;
    const reason = isStored(object) ? null : refusalOf(object);
    if (reason === null) all.push(object);
    else refused.push({ ref: { kind, namespace: metadata.namespace, name: metadata.name }, reason });
  }
  return { byNamespace: grouped(all, ({ metadata }) => metadata.namespace), all, refused };
}

/** Why an API server would refuse the object; null: it would not. */
const refusalOf = remembered((object: KubeObject): string | null => {
  const { valid, errors } = validateForApply(object);
  return valid ? null : (errors[0] ?? 'it is not valid');
});

/** The API server gives these to every object it stores. */
function isStored({ raw }: KubeObject): boolean {
  const metadata = raw['metadata'];
  return typeof metadata === 'object' && metadata !== null && ('uid' in metadata || 'resourceVersion' in metadata);
}
