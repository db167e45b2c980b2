import type { KubeObject } from '../model/mesh.ts';
import { listOf, textOf, valueAt } from '../text/untyped.ts';

/** What a proxy, or istiod for it, does not take of a policy. Untrusted text. */
export interface NotTaken {
  /** Type of the condition, which tells who: `ZtunnelAccepted`, `WaypointAccepted`. */
  readonly condition: string;
  readonly reason: string;
  readonly message: string;
}

/**
 * The conditions of a policy's status that are not met, its own and those for each of its targets (istio 86c9f01f
 * pilot/pkg/model/status.go, pilot/pkg/serviceregistry/ambient/statusqueue). Empty: it is accepted, or has no status, as in manifests.
 */
export function notTaken({ raw }: KubeObject): readonly NotTaken[] {
  const status = valueAt(raw, 'status');
  const own = listOf(valueAt(status, 'conditions'));
  const targets = listOf(valueAt(status, 'ancestors')).flatMap((ancestor) => listOf(valueAt(ancestor, 'conditions')));
  return [...own, ...targets].flatMap((condition) => {
    const type = textOf(valueAt(condition, 'type')) ?? '';
    if (valueAt(condition, 'status') !== 'False' || !type.endsWith('Accepted')) return [];
    const [reason, message] = ['reason', 'message'].map((key) => textOf(valueAt(condition, key)) ?? '');
    return [{ condition: type, reason: reason ?? '', message: message ?? '' }];
  });
}
