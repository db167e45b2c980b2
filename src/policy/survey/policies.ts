import type { KubeObject, MeshView } from '../../model/mesh.ts';
import type { AuthorizationPolicy, PeerAuthentication, RequestAuthentication } from '../../model/policy.ts';
import { remembered } from '../../text/remembered.ts';
import {
  type Decoded,
  decodeAuthorizationPolicy,
  decodePeerAuthentication,
  decodeRequestAuthentication,
} from '../decode.ts';
import { type InForce, readInForce } from '../way/in-force.ts';

/** A policy and the object it was read from. */
export interface Written<P> {
  readonly object: KubeObject;
  readonly policy: P;
}

/** Which policies of a mesh count, and which an API server would refuse. */
export const inForceIn: (mesh: MeshView) => InForce = remembered(readInForce);

/** AuthorizationPolicies that enforce something: not those in dry-run, and none that would be refused. */
export const authorizationPolicies: (mesh: MeshView) => readonly Written<AuthorizationPolicy>[] = remembered((mesh) =>
  decodedAmong(mesh, decodeAuthorizationPolicy).filter(({ policy }) => !policy.dryRun),
);

/** The PeerAuthentications that count. */
export const peerAuthentications: (mesh: MeshView) => readonly Written<PeerAuthentication>[] = remembered((mesh) =>
  decodedAmong(mesh, decodePeerAuthentication),
);

/** The RequestAuthentications that count. */
export const requestAuthentications: (mesh: MeshView) => readonly Written<RequestAuthentication>[] = remembered(
  (mesh) => decodedAmong(mesh, decodeRequestAuthentication),
);

/** What templates leave where a value is to come, and what only kustomize reads. */
const PLACEHOLDER = /\{\{|\$\{|\$\(|<[a-z][\w-]*>|"\$patch"|"\{ |\[object Object\]/i;

/** Objects that would be refused as they are, and that are not yet what will be applied: templates, and patches of kustomize. */
export const unfinishedIn: (mesh: MeshView) => readonly KubeObject[] = remembered((mesh) =>
  inForceIn(mesh).refused.flatMap(({ ref }) => {
    const object = mesh.object(ref);
    return object !== null && PLACEHOLDER.test(JSON.stringify(object.raw)) ? [object] : [];
  }),
);

/** Unfinished ones count: what they will say is plain enough. */
function decodedAmong<P>(mesh: MeshView, decode: (object: KubeObject) => Decoded<P>): readonly Written<P>[] {
  return [...inForceIn(mesh).all, ...unfinishedIn(mesh).filter((object) => !isPatch(object))].flatMap((object) => {
    const decoded = decode(object);
    return decoded.ok ? [{ object, policy: decoded.value }] : [];
  });
}

/** A part of an object, which another one completes. */
function isPatch({ raw }: KubeObject): boolean {
  return '$patch' in raw;
}
