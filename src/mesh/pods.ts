import type { KubeObject, Pod } from '../model/mesh.ts';
import { plainAddress } from '../text/address.ts';
import { listOf, recordOf, textMapOf, textOf, valueAt } from '../text/untyped.ts';

type Labels = Readonly<Record<string, string>>;

const DATAPLANE_LABEL = 'istio.io/dataplane-mode';

/**
 * Reads a Pod. `namespaceLabels` null: the Namespace is not among the objects. Everything in the object is untrusted; what
 * has the wrong type counts as absent. Never throws.
 */
export function decodePod(object: KubeObject, namespaceLabels: Labels | null): Pod {
  const { raw, metadata } = object;
  const spec = recordOf(raw['spec']);
  const status = recordOf(raw['status']);
  const listed = listOf(status['podIPs']).map((entry) => textOf(valueAt(entry, 'ip')));
  const ips = [textOf(status['podIP']), ...listed].filter((ip) => ip !== null).map(plainAddress);
  return {
    name: metadata.name,
    namespace: metadata.namespace,
    ips: [...new Set(ips)],
    labels: metadata.labels ?? {},
    serviceAccount: serviceAccountOf(spec),
    node: textOf(spec['nodeName']),
    hostNetwork: spec['hostNetwork'] === true,
    dataplane: dataplaneOf(object, namespaceLabels),
    ports: containersOf(spec).flatMap((container) => portsOf(container['ports'])),
  };
}

/** The service account of a pod spec; Kubernetes fills in `default`. */
export function serviceAccountOf(spec: Readonly<Record<string, unknown>>): string {
  return textOf(spec['serviceAccountName']) ?? textOf(spec['serviceAccount']) ?? 'default';
}

/** False once a pod has ended: its address may be another pod's by now. */
export function isRunning(object: KubeObject): boolean {
  const phase = valueAt(object.raw, 'status', 'phase');
  return phase !== 'Succeeded' && phase !== 'Failed';
}

function containersOf(spec: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>[] {
  return [...listOf(spec['containers']), ...listOf(spec['initContainers'])].map(recordOf);
}

function portsOf(ports: unknown): Pod['ports'] {
  return listOf(ports).flatMap((entry) => {
    const port = valueAt(entry, 'containerPort');
    return typeof port === 'number' ? [{ name: textOf(valueAt(entry, 'name')), port }] : [];
  });
}

/**
 * How a pod takes part. Its own proxy comes first (gateways and waypoints count as `sidecar`: they speak for themselves),
 * then what istio-cni wrote on the pod, then the labels, of which the pod's win over the namespace's
 * (istio 86c9f01f cni/pkg/util/podutil.go). A namespace that asks for sidecars says nothing about a pod that is only a
 * manifest yet.
 */
function dataplaneOf(object: KubeObject, namespaceLabels: Labels | null): Pod['dataplane'] {
  const { raw, metadata } = object;
  const labels = metadata.labels ?? {};
  const annotations = metadata.annotations ?? {};
  const spec = recordOf(raw['spec']);
  if (hasProxy(spec, labels, annotations)) return 'sidecar';
  if (spec['hostNetwork'] === true) return 'none';
  const redirection = annotations['ambient.istio.io/redirection'];
  if (redirection !== undefined) return redirection === 'enabled' ? 'ambient' : 'none';
  const mode = labels[DATAPLANE_LABEL] ?? namespaceLabels?.[DATAPLANE_LABEL];
  if (mode === 'ambient') return 'ambient';
  if (labels[DATAPLANE_LABEL] === 'none') return 'none';
  if (namespaceLabels === null) return 'unknown';
  return asksForSidecar(labels, namespaceLabels) && !isLive(raw) ? 'unknown' : 'none';
}

function hasProxy(spec: Readonly<Record<string, unknown>>, labels: Labels, annotations: Labels): boolean {
  if (labels['security.istio.io/tlsMode'] === 'istio' || annotations['sidecar.istio.io/status'] !== undefined)
    return true;
  return containersOf(spec).some((container) => container['name'] === 'istio-proxy');
}

function asksForSidecar(labels: Labels, namespaceLabels: Labels): boolean {
  const wish = labels['sidecar.istio.io/inject'];
  if (wish !== undefined) return wish === 'true';
  const revision = labels['istio.io/rev'] ?? namespaceLabels['istio.io/rev'];
  return namespaceLabels['istio-injection'] === 'enabled' || revision !== undefined;
}

/** True when a cluster has accepted the pod, so that what it was injected with can be seen. */
function isLive(raw: Readonly<Record<string, unknown>>): boolean {
  return textOf(valueAt(raw, 'status', 'podIP')) !== null && listOf(valueAt(raw, 'spec', 'containers')).length > 0;
}

/** The labels that pods made from a workload's template (Deployment, Job, CronJob, …) get, and their service account. */
export interface PodTemplate {
  readonly labels: Labels;
  readonly serviceAccount: string;
}

/** The pod template of any object that has one; null: it has none. */
export function podTemplateOf(object: KubeObject): PodTemplate | null {
  const spec = valueAt(object.raw, 'spec');
  const template = valueAt(spec, 'template') ?? valueAt(spec, 'jobTemplate', 'spec', 'template');
  const podSpec = valueAt(template, 'spec');
  if (listOf(valueAt(podSpec, 'containers')).length === 0) return null;
  return {
    labels: textMapOf(valueAt(template, 'metadata', 'labels')),
    serviceAccount: serviceAccountOf(recordOf(podSpec)),
  };
}
