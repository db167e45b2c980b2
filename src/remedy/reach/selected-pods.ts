import { POLICY_KINDS } from '../../mesh/kinds.ts';
import type { KubeObject, MeshView, ObjectRef, Pod, Service } from '../../model/mesh.ts';
import type { Selector, TargetRef } from '../../model/policy.ts';
import {
  decodeAuthorizationPolicy,
  decodePeerAuthentication,
  decodeRequestAuthentication,
} from '../../policy/decode.ts';
import { decodeNetworkPolicy } from '../../policy/decode-network-policy.ts';
import { selectsPod } from '../../policy/network-match.ts';
import { enginesOf } from '../../policy/way/compiled.ts';
import { GATEWAY_NAME_LABEL, gatewayClassOf, isGatewayApi } from '../../policy/way/role.ts';
import { type WaypointAnswer, waypointOfPod, waypointOfService } from '../../policy/way/waypoint.ts';
import { hasLabels } from '../../text/labels.ts';
import { nameOf } from '../../text/object-ref.ts';
import { remembered } from '../../text/remembered.ts';
import { listOf, textMapOf, textOf, valueAt } from '../../text/untyped.ts';

type PodTest = (pod: Pod) => boolean;

/**
 * The pods that an object is about: those that a policy, Gateway or Sidecar applies to, that answer for the host of a
 * DestinationRule, that are in a Namespace, behind a Service, or made by a workload. Empty for other kinds, and for what
 * cannot be read.
 */
export function podsUnder(object: KubeObject, mesh: MeshView): readonly Pod[] {
  return near(object, mesh).filter(testOf(object, mesh));
}

/** The policies that decide about one of these pods: AuthorizationPolicies in force and the three other kinds. Unsorted. */
export function policiesOver(pods: readonly Pod[], mesh: MeshView): ReadonlySet<KubeObject> {
  const engines = enginesOf(mesh);
  const byLikeness = policiesByLikeness(mesh);
  const likenesses = new Set(pods.map((pod) => engines.likenessOf(pod)));
  return new Set([...likenesses].flatMap((likeness) => byLikeness.get(likeness) ?? []));
}

/** By what makes policies tell pods apart: far fewer than there are pods. */
const policiesByLikeness = remembered((mesh: MeshView): ReadonlyMap<string, readonly KubeObject[]> => {
  const engines = enginesOf(mesh);
  const found = new Map<string, KubeObject[]>();
  const samples = new Set(new Map(mesh.pods.map((pod) => [engines.likenessOf(pod), pod])).values());
  for (const policy of [...engines.inForce.all, ...mesh.objectsOf('NetworkPolicy')]) {
    if (isRehearsal(policy)) continue;
    const test = testOf(policy, mesh);
    for (const pod of near(policy, mesh)) {
      if (!samples.has(pod) || !test(pod)) continue;
      const likeness = engines.likenessOf(pod);
      const over = found.get(likeness);
      if (over === undefined) found.set(likeness, [policy]);
      else over.push(policy);
    }
  }
  return found;
});

/** Pods among which are those that an object is about. */
function near(object: KubeObject, mesh: MeshView): readonly Pod[] {
  const isHome = POLICY_KINDS.has(object.kind) && staysAtHome(object, mesh);
  return isHome ? enginesOf(mesh).podsIn(object.metadata.namespace) : mesh.pods;
}

/** A waypoint may serve other namespaces than its own. */
function staysAtHome({ raw, metadata }: KubeObject, mesh: MeshView): boolean {
  const targets = valueAt(raw, 'spec', 'targetRefs') ?? valueAt(raw, 'spec', 'targetRef') ?? null;
  return metadata.namespace !== mesh.rootNamespace && targets === null;
}

/** A dry-run policy decides nothing. */
function isRehearsal(object: KubeObject): boolean {
  const decoded = object.kind === 'AuthorizationPolicy' ? decodeAuthorizationPolicy(object) : null;
  return decoded?.ok === true && decoded.value.dryRun;
}

function testOf(object: KubeObject, mesh: MeshView): PodTest {
  const { kind, metadata } = object;
  const { namespace, name } = metadata;
  switch (kind) {
    case 'AuthorizationPolicy':
      return attached(decodeAuthorizationPolicy(object), mesh);
    case 'RequestAuthentication':
      return attached(decodeRequestAuthentication(object), mesh);
    case 'PeerAuthentication':
      return peerTest(object, mesh);
    case 'NetworkPolicy':
      return networkTest(object);
    case 'DestinationRule':
      return hostTest(object, mesh);
    case 'Namespace':
      return (pod) => pod.namespace === name;
    case 'Service':
      return behind(mesh.services.filter((service) => service.name === name && service.namespace === namespace));
    case 'Gateway':
      return isGatewayApi(object.apiVersion)
        ? targetTest({ group: '', kind, name, namespace: '' }, namespace, mesh)
        : labelTest(textMapOf(valueAt(object.raw, 'spec', 'selector')), null);
    case 'Sidecar':
      return labelTest(
        textMapOf(valueAt(object.raw, 'spec', 'workloadSelector', 'labels')),
        namespace === mesh.rootNamespace ? null : namespace,
      );
    case 'Pod':
      return (pod) => pod.namespace === namespace && pod.name === name;
    default:
      return templateTest(object);
  }
}

const nobody: PodTest = () => false;

/** What AuthorizationPolicy and RequestAuthentication have in common once they are read. */
interface Attached {
  readonly ref: ObjectRef;
  readonly selector: Selector | null;
  readonly targetRefs: readonly TargetRef[];
}

/** Without targets a policy applies where its labels are, but never at a waypoint. */
function attached(
  decoded: { readonly ok: true; readonly value: Attached } | { readonly ok: false },
  mesh: MeshView,
): PodTest {
  if (!decoded.ok) return nobody;
  const { ref, selector, targetRefs } = decoded.value;
  if (targetRefs.length > 0) {
    const tests = targetRefs.map((target) => targetTest(target, ref.namespace, mesh));
    return (pod) => tests.some((test) => test(pod));
  }
  const near = inReach(ref.namespace, mesh);
  const engines = enginesOf(mesh);
  return (pod) => near(pod) && selects(selector, pod) && engines.roleOf(pod) !== 'waypoint';
}

/** Policies of the root namespace are for all namespaces. */
function inReach(namespace: string, mesh: MeshView): PodTest {
  return namespace === mesh.rootNamespace ? () => true : (pod) => pod.namespace === namespace;
}

/**
 * At an Envoy a selector without labels selects all; istiod lists `selector: {}` on no ambient pod, and any other on every
 * pod that has no labels at all (istio 86c9f01f pilot/pkg/serviceregistry/ambient/workloads.go).
 */
function selects(selector: Selector | null, { labels, dataplane }: Pod): boolean {
  if (selector === null) return true;
  const { matchLabels } = selector;
  if (dataplane !== 'ambient') return hasLabels(labels, matchLabels ?? {});
  return matchLabels !== null && (Object.keys(labels).length === 0 || hasLabels(labels, matchLabels));
}

/** With labels a PeerAuthentication of the root namespace counts nowhere (istio 86c9f01f pilot/pkg/security/authn). */
function peerTest(object: KubeObject, mesh: MeshView): PodTest {
  const decoded = decodePeerAuthentication(object);
  if (!decoded.ok) return nobody;
  const { ref, selector } = decoded.value;
  const wanted = selector?.matchLabels ?? {};
  if (Object.keys(wanted).length > 0 && ref.namespace === mesh.rootNamespace) return nobody;
  const near = inReach(ref.namespace, mesh);
  return (pod) => near(pod) && hasLabels(pod.labels, wanted);
}

function networkTest(object: KubeObject): PodTest {
  const decoded = decodeNetworkPolicy(object);
  if (!decoded.ok) return nobody;
  const { namespace, podSelector } = decoded.value;
  const namespaceLabels = { known: {}, complete: true };
  return (pod) =>
    pod.namespace === namespace &&
    selectsPod(podSelector, { name: '', ips: [], pod, mayBePod: true, namespaceLabels }) === true;
}

function hostTest({ raw, metadata }: KubeObject, mesh: MeshView): PodTest {
  const written = textOf(valueAt(raw, 'spec', 'host'));
  if (written === null) return nobody;
  if (written.startsWith('*'))
    return behind(mesh.services.filter(({ hostname }) => hostname.endsWith(written.slice(1))));
  const service = mesh.serviceByHost(written.includes('.') ? written : `${written}.${metadata.namespace}`);
  return service === null ? nobody : behind([service]);
}

function behind(services: readonly Service[]): PodTest {
  return (pod) =>
    services.some(
      ({ namespace, selector }) => selector !== null && pod.namespace === namespace && hasLabels(pod.labels, selector),
    );
}

/** Pods with these labels in a namespace; null: in any. */
function labelTest(labels: Readonly<Record<string, string>>, namespace: string | null): PodTest {
  return (pod) => (namespace === null || pod.namespace === namespace) && hasLabels(pod.labels, labels);
}

/** A Deployment, Job, … with a pod template; other kinds have no pods. */
function templateTest({ raw, metadata }: KubeObject): PodTest {
  const spec = valueAt(raw, 'spec');
  const template = valueAt(spec, 'template') ?? valueAt(spec, 'jobTemplate', 'spec', 'template');
  if (listOf(valueAt(template, 'spec', 'containers')).length === 0) return nobody;
  const stated = textMapOf(valueAt(spec, 'selector', 'matchLabels'));
  const labels = Object.keys(stated).length > 0 ? stated : textMapOf(valueAt(template, 'metadata', 'labels'));
  return labelTest(labels, metadata.namespace);
}

/** Whom a target reference protects: the pods of a Service or Gateway; behind a waypoint those that it serves. */
function targetTest({ kind, name }: TargetRef, namespace: string, mesh: MeshView): PodTest {
  switch (kind) {
    case 'Service':
      return behind(mesh.services.filter((service) => service.name === name && service.namespace === namespace));
    case 'GatewayClass':
      return namespace === mesh.rootNamespace ? (pod) => waypointsOf(mesh).has(pod) : nobody;
    case 'Gateway': {
      const gateway = nameOf({ namespace, name });
      const isWaypoint = gatewayClassOf(namespace, name, mesh) === 'istio-waypoint';
      return (pod) =>
        waypointsOf(mesh).get(pod)?.has(gateway) === true ||
        (!isWaypoint && pod.namespace === namespace && pod.labels[GATEWAY_NAME_LABEL] === name);
    }
    default:
      return nobody;
  }
}

/** The pods that have a waypoint, and which, as `namespace/name`; several where several Services lead to a pod. */
const waypointsOf = remembered((mesh: MeshView): ReadonlyMap<Pod, ReadonlySet<string>> => {
  const found = new Map<Pod, Set<string>>();
  const note = (pod: Pod, answer: WaypointAnswer): void => {
    if (answer.kind !== 'waypoint') return;
    const names = found.get(pod) ?? new Set();
    found.set(pod, names.add(answer.waypoint.name));
  };
  const engines = enginesOf(mesh);
  for (const service of mesh.services) {
    const answer = waypointOfService(service, mesh);
    for (const pod of engines.selectedBy(service) ?? []) note(pod, answer);
  }
  for (const pod of mesh.pods) note(pod, waypointOfPod(pod, mesh));
  return found;
});
