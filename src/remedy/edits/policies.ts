import type { Finding } from '../../model/finding.ts';
import type { KubeObject, MeshView } from '../../model/mesh.ts';
import type { AuthorizationPolicy, Selector, TargetRef } from '../../model/policy.ts';
import { type Decoded, decodeAuthorizationPolicy } from '../../policy/decode.ts';
import { hasLabels } from '../../text/labels.ts';
import { remembered } from '../../text/remembered.ts';
import { recordOf, textMapOf } from '../../text/untyped.ts';
import { type Destination, workloadsSelected } from './destination.ts';

/** The policy that an object is, read once: many findings ask about the same ones. */
export const readPolicy: (object: KubeObject) => Decoded<AuthorizationPolicy> = remembered(decodeAuthorizationPolicy);

/** An AuthorizationPolicy that is enforced where the call was refused. */
export interface AppliedPolicy {
  readonly object: KubeObject;
  readonly policy: AuthorizationPolicy;
  /** How many workloads it applies to, as far as the mesh shows. 1: the destination alone. */
  readonly reach: number;
}

/**
 * The AuthorizationPolicies of one action that apply to the destination of a finding: at a waypoint those with target
 * references to the Service, its waypoint or all waypoints, else those of its namespace and of the root namespace that
 * select its pods (a Gateway's pods are referred to by its name). Policies in dry-run decide nothing and are left out.
 */
export function policiesFor(
  finding: Finding,
  mesh: MeshView,
  destination: Destination,
  action: AuthorizationPolicy['action'],
): readonly AppliedPolicy[] {
  const namespaces = new Set([destination.namespace, mesh.rootNamespace, waypointOf(destination, mesh)?.namespace]);
  return [...namespaces].flatMap((namespace) => {
    const objects = namespace === undefined ? [] : mesh.objectsOf('AuthorizationPolicy', namespace);
    const applied: AppliedPolicy[] = [];
    for (const { object, policy } of enforcedAmong(objects)) {
      const reach = policy.action === action ? reachOf(policy, finding, mesh, destination) : null;
      if (reach !== null) applied.push({ object, policy, reach });
    }
    return applied;
  });
}

/** The policies among some objects that are no dry-run. A mesh gives the same list for the same namespace each time. */
const enforcedAmong = remembered((objects: readonly KubeObject[]) =>
  objects.flatMap((object) => {
    const decoded = readPolicy(object);
    return decoded.ok && !decoded.value.dryRun ? [{ object, policy: decoded.value }] : [];
  }),
);

/** The ALLOW policies of the namespace whose selector cannot be judged, as no labels of the destination are known. */
export function undecidedAllows(mesh: MeshView, { namespace, labels }: Destination): readonly AuthorizationPolicy[] {
  if (labels !== null) return [];
  return mesh.objectsOf('AuthorizationPolicy', namespace).flatMap((object) => {
    const decoded = readPolicy(object);
    const isSelective = decoded.ok && Object.keys(decoded.value.selector?.matchLabels ?? {}).length > 0;
    return isSelective && decoded.value.action === 'ALLOW' && !decoded.value.dryRun ? [decoded.value] : [];
  });
}

/** Null: it does not apply. */
function reachOf(
  policy: AuthorizationPolicy,
  finding: Finding,
  mesh: MeshView,
  destination: Destination,
): number | null {
  if (finding.enforcedBy === 'waypoint') return waypointReach(policy, mesh, destination);
  if (policy.targetRefs.length > 0) return gatewayReach(policy, destination);
  const { namespace, labels } = destination;
  const isRoot = policy.ref.namespace === mesh.rootNamespace;
  if (policy.ref.namespace !== namespace && !isRoot) return null;
  if (!selects(policy.selector, labels ?? guessedLabels(policy.selector, destination))) return null;
  const selected = workloadsSelected(mesh, isRoot ? null : namespace, policy.selector?.matchLabels ?? {});
  const whole = Object.keys(policy.selector?.matchLabels ?? {}).length === 0;
  return Math.max(selected.size, whole && destination.pods.length === 0 ? 2 : 1);
}

/** Labels of pods that nobody saw: those of the selector, if one of them is the name of the workload. */
function guessedLabels(selector: Selector | null, { workload }: Destination): Readonly<Record<string, string>> {
  const labels = selector?.matchLabels ?? {};
  return workload !== null && Object.values(labels).includes(workload) ? labels : {};
}

/**
 * Whether a selector selects pods with these labels. An absent one selects all, `selector: {}` none, and one with labels
 * cannot be judged while those of the pod are unknown: then it does not.
 */
export function selects(selector: Selector | null, labels: Readonly<Record<string, string>> | null): boolean {
  if (selector === null) return true;
  if (selector.matchLabels === null) return false;
  return Object.keys(selector.matchLabels).length === 0 || (labels !== null && hasLabels(labels, selector.matchLabels));
}

const MANY = Number.MAX_SAFE_INTEGER;

function waypointReach(policy: AuthorizationPolicy, mesh: MeshView, destination: Destination): number | null {
  const { service } = destination;
  const waypoint = waypointOf(destination, mesh);
  const reaches = policy.targetRefs.map((target) => {
    if (isService(target)) {
      return target.name === service?.name && policy.ref.namespace === service.namespace ? 1 : null;
    }
    if (target.kind === 'GatewayClass') return policy.ref.namespace === mesh.rootNamespace ? MANY : null;
    const isWaypoint = target.name === waypoint?.name && policy.ref.namespace === waypoint.namespace;
    return target.kind === 'Gateway' && isWaypoint ? MANY - 1 : null;
  });
  const known = reaches.filter((reach) => reach !== null);
  return known.length === 0 ? null : Math.max(...known);
}

function isService(target: TargetRef): boolean {
  return target.kind === 'Service' && (target.group === '' || target.group === 'core');
}

function gatewayReach(policy: AuthorizationPolicy, { namespace, labels }: Destination): number | null {
  const name = labels?.['gateway.networking.k8s.io/gateway-name'];
  const targeted = policy.targetRefs.some((target) => target.kind === 'Gateway' && target.name === name);
  return targeted && policy.ref.namespace === namespace ? 1 : null;
}

/** The waypoint that serves the destination: named by a label of the Service, else of its namespace; null: none is. */
export function waypointOf(
  { namespace, service }: Destination,
  mesh: MeshView,
): { readonly namespace: string; readonly name: string } | null {
  const space = mesh.namespaces.find((candidate) => candidate.name === (service?.namespace ?? namespace));
  for (const labels of [service?.labels, space?.labels]) {
    const name = labels?.['istio.io/use-waypoint'];
    if (name === 'none') return null;
    if (name !== undefined) return { name, namespace: labels?.['istio.io/use-waypoint-namespace'] ?? namespace };
  }
  return null;
}

/** The labels that a policy's selector names; null: it selects otherwise. */
export function selectedLabels(object: KubeObject): Readonly<Record<string, string>> | null {
  const labels = textMapOf(recordOf(recordOf(object.raw['spec'])['selector'])['matchLabels']);
  return Object.keys(labels).length > 0 ? labels : null;
}
