import type { Finding } from '../../model/finding.ts';
import type { MeshView } from '../../model/mesh.ts';
import { identityOf, principalOf } from '../../text/spiffe.ts';
import { identityProof, ownAddresses } from './caller-proof.ts';

/**
 * The finding with the identity of its caller, where the lines do not print one and the mesh tells it: all addresses that
 * called belong to pods in the mesh that run as one account. Null: the lines print it, or it cannot be told.
 */
export function withDeducedCaller(finding: Finding, mesh: MeshView): Finding | null {
  if (identityProof(finding) !== 'unprinted') return null;
  const pods = ownAddresses(finding).map((address) => mesh.podByIp(address));
  const identities = new Set(
    pods.map((pod) =>
      pod?.dataplane === 'ambient' || pod?.dataplane === 'sidecar'
        ? identityOf(mesh.trustDomain, pod.namespace, pod.serviceAccount)
        : null,
    ),
  );
  const [identity = null, ...others] = identities;
  if (identity === null || others.length > 0) return null;
  return { ...finding, source: { ...finding.source, identity, principal: principalOf(identity) } };
}
