import type { MeshView } from '../../model/mesh.ts';
import type { AppliedPolicy } from './policies.ts';

/** All that a policy applies to beyond the destination, in words: `every workload of namespace shop`; null: nothing else. */
export function scopeOf({ policy, reach }: AppliedPolicy, mesh: MeshView): string | null {
  const { namespace } = policy.ref;
  const [target = null] = policy.targetRefs;
  if (target !== null) {
    if (reach === 1) return null;
    if (target.kind === 'GatewayClass') return 'everything behind every waypoint';
    return `everything behind the waypoint ${namespace}/${target.name}`;
  }
  const place = namespace === mesh.rootNamespace ? 'the mesh' : `namespace ${namespace}`;
  if (Object.keys(policy.selector?.matchLabels ?? {}).length === 0) return `every workload of ${place}`;
  return reach > 1 ? `${reach} workloads of ${place}` : null;
}
