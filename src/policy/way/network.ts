import type { MeshView, Pod } from '../../model/mesh.ts';
import type { Decision } from '../../model/policy.ts';
import { decideNetwork } from '../network-policy.ts';

/** The source on the wire; null: nobody told where it runs. */
export type NetworkSource = Pod | { readonly ip: string } | null;

/**
 * What NetworkPolicies say about one leg of the way; null: no NetworkPolicy is about it. Only those of the two namespaces
 * are asked. A source that is not known can be told from no other: a refusal is then uncertain.
 */
export function decideLeg(source: NetworkSource, destination: Pod, port: number, mesh: MeshView): Decision | null {
  const namespaces = new Set([destination.namespace, ...namespaceOf(source, mesh)]);
  const policies = [...namespaces].flatMap((namespace) => mesh.objectsOf('NetworkPolicy', namespace));
  if (policies.length === 0) return null;
  const decision = decideNetwork(policies, mesh, { source: source ?? { ip: '' }, destination, port, protocol: 'TCP' });
  if (decision.outcome === 'allow') return decision.determining.length === 0 ? null : decision;
  if (source !== null || decision.outcome === 'unknown') return decision;
  return {
    ...decision,
    outcome: 'unknown',
    because: `${decision.because}; where the caller runs is not known`,
    nearMiss: [],
  };
}

function namespaceOf(source: NetworkSource, mesh: MeshView): readonly string[] {
  if (source === null) return [];
  const pod = 'ip' in source ? mesh.podByIp(source.ip) : source;
  return pod === null ? [] : [pod.namespace];
}
