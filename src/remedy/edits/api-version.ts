import type { MeshView } from '../../model/mesh.ts';

const GROUP = 'security.istio.io';
const KINDS = ['AuthorizationPolicy', 'PeerAuthentication', 'RequestAuthentication'];
/** Istio 1.22 serves v1 of these beside v1beta1, with the same fields (istio.io news/releases/1.22.x, "Istio APIs promoted to v1"). */
const V1_SINCE_MINOR = 22;

/**
 * The apiVersion to write new policies of Istio in: v1, unless the mesh's release does not serve it. Where the release is
 * not known, a mesh whose own policies are all v1beta1 may be an old one, and v1beta1 is served by every release.
 */
export function securityApi(mesh: MeshView): string {
  const minor = /^1\.(\d{1,3})(?!\d)/.exec(mesh.istioVersion ?? '')?.[1];
  const isOld = minor === undefined ? areAllBeta(mesh) : Number(minor) < V1_SINCE_MINOR;
  return `${GROUP}/${isOld ? 'v1beta1' : 'v1'}`;
}

function areAllBeta(mesh: MeshView): boolean {
  const policies = KINDS.flatMap((kind) => mesh.objectsOf(kind));
  return policies.length > 0 && policies.every(({ apiVersion }) => apiVersion === `${GROUP}/v1beta1`);
}
