import type { ObjectRef } from '../../model/mesh.ts';
import type { PeerAuthentication, Selector, TargetRef } from '../../model/policy.ts';
import { hasLabels } from '../../text/labels.ts';
import type { EnvoyProxy } from './settings.ts';

const GATEWAY_NAME = 'gateway.networking.k8s.io/gateway-name';
const WAYPOINT_CLASS = 'istio-waypoint';

/** What an AuthorizationPolicy or RequestAuthentication says about where it applies. */
export interface Attachable {
  readonly ref: ObjectRef;
  readonly selector: Selector | null;
  readonly targetRefs: readonly TargetRef[];
}

/** The Service or ServiceEntry that a waypoint serves. */
type ServedService = Pick<ObjectRef, 'kind' | 'namespace' | 'name'>;

/**
 * Whether a policy is in force at a proxy, at a waypoint for traffic to `service` (null: to no service). Namespaces: the
 * root, the proxy's, and the service's (istio 86c9f01f pilot/pkg/model/{authorization,policyattachment}.go).
 */
export function attaches(
  policy: Attachable,
  proxy: EnvoyProxy,
  rootNamespace: string,
  service: ServedService | null,
): boolean {
  const { namespace } = policy.ref;
  if (namespace !== rootNamespace && namespace !== proxy.namespace && namespace !== service?.namespace) return false;
  const gatewayName = proxy.labels[GATEWAY_NAME];
  const waypoint = proxy.type === 'waypoint';
  if (policy.targetRefs.length === 0) return !waypoint && selects(policy.selector, proxy.labels);
  if (gatewayName === undefined && !waypoint) return false;
  return policy.targetRefs.some((target) => {
    if (waypoint && service !== null && namesService(target, service) && namespace === service.namespace) return true;
    if (waypoint && isKind(target, 'gateway.networking.k8s.io', 'GatewayClass')) {
      return namespace === rootNamespace && target.name === WAYPOINT_CLASS;
    }
    const here = namespace === proxy.namespace && (target.namespace === '' || target.namespace === proxy.namespace);
    return here && isKind(target, 'gateway.networking.k8s.io', 'Gateway') && target.name === gatewayName;
  });
}

function namesService(target: TargetRef, service: ServedService): boolean {
  const group = service.kind === 'ServiceEntry' ? 'networking.istio.io' : '';
  return isKind(target, group, service.kind) && target.name === service.name;
}

/** The core group is written `` or `core`. */
function isKind(target: TargetRef, group: string, kind: string): boolean {
  return target.kind === kind && (target.group === 'core' ? '' : target.group) === group;
}

/** Whether all wanted labels are there. No selector, or one without labels, selects everything. */
export function selects(selector: Selector | null, labels: Readonly<Record<string, string>>): boolean {
  return hasLabels(labels, selector?.matchLabels ?? {});
}

/** The PeerAuthentications that decide for a workload; null: none at that level. */
export interface PeerLevels {
  readonly mesh: PeerAuthentication | null;
  readonly namespace: PeerAuthentication | null;
  readonly workload: PeerAuthentication | null;
}

/**
 * Chooses the oldest of each level. One with a selector in the root namespace counts nowhere (istio 86c9f01f
 * pilot/pkg/security/authn/policy_applier.go ComposePeerAuthentication).
 */
export function peerLevels(
  policies: readonly PeerAuthentication[],
  proxy: EnvoyProxy,
  rootNamespace: string,
): PeerLevels {
  const inForce = [...policies]
    .filter(({ ref, selector }) => isNear(ref, proxy, rootNamespace) && selects(selector, proxy.labels))
    .sort(byAge);
  const first = (test: (policy: PeerAuthentication) => boolean): PeerAuthentication | null =>
    inForce.find(test) ?? null;
  const wide = ({ selector }: PeerAuthentication): boolean => Object.keys(selector?.matchLabels ?? {}).length === 0;
  return {
    mesh: first((policy) => wide(policy) && policy.ref.namespace === rootNamespace),
    namespace: first((policy) => wide(policy) && policy.ref.namespace !== rootNamespace),
    workload: first((policy) => !wide(policy) && policy.ref.namespace !== rootNamespace),
  };
}

function isNear({ namespace }: ObjectRef, proxy: EnvoyProxy, rootNamespace: string): boolean {
  return namespace === rootNamespace || namespace === proxy.namespace;
}

/** Oldest first; without a time counts as oldest; then by name and namespace. Seconds decide, as Kubernetes stores them. */
export function byAge(one: AgedObject, other: AgedObject): number {
  return (
    compare(timeOf(one), timeOf(other)) ||
    compare(one.ref.name, other.ref.name) ||
    compare(one.ref.namespace, other.ref.namespace)
  );
}

/** An object with a name and a birthday. */
interface AgedObject {
  readonly ref: ObjectRef;
  readonly createdAt: string | null;
}

function timeOf({ createdAt }: AgedObject): number {
  const time = createdAt === null ? Number.NaN : Date.parse(createdAt);
  return Number.isNaN(time) ? 0 : time;
}

function compare<T extends string | number>(one: T, other: T): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
