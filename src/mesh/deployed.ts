import type { KubeObject } from '../model/mesh.ts';
import { decodeKubeObject } from '../text/kube-object.ts';
import { listOf, recordOf, textMapOf, textOf, valueAt } from '../text/untyped.ts';
import { podTemplateOf } from './pods.ts';

type Json = Readonly<Record<string, unknown>>;
type Labels = Readonly<Record<string, string>>;

/**
 * The objects with what a cluster would make of manifests: a pod for every Deployment, StatefulSet, … of which no pod is
 * among the objects (it has the name of its workload and no address), and a sidecar in every pod that is only a manifest
 * yet and whose namespace or labels ask for one. Objects of a live cluster stay as they are. Never throws.
 */
export function deployed(objects: readonly KubeObject[]): readonly KubeObject[] {
  const namespaces = new Map(
    objects.filter(({ kind }) => kind === 'Namespace').map(({ metadata }) => [metadata.name, metadata.labels ?? {}]),
  );
  const labelsOf = (namespace: string): Labels => namespaces.get(namespace) ?? {};
  const pods = objects.filter(({ kind }) => kind === 'Pod');
  const fresh = objects.flatMap((object) => podOf(object, pods));
  const injected = (object: KubeObject): KubeObject =>
    object.kind === 'Pod' ? withSidecar(object, labelsOf(object.metadata.namespace)) : object;
  return [...objects, ...fresh].map(injected);
}

/** The pod that a workload's template describes; none if it belongs to another workload, or has pods already. */
function podOf(object: KubeObject, pods: readonly KubeObject[]): readonly KubeObject[] {
  const template = object.kind === 'Pod' ? null : podTemplateOf(object);
  if (template === null || listOf(valueAt(object.raw, 'metadata', 'ownerReferences')).length > 0) return [];
  const { namespace, name } = object.metadata;
  const wanted = Object.entries(template.labels);
  const exists = pods.some(
    ({ metadata }) =>
      metadata.namespace === namespace && wanted.every(([key, value]) => metadata.labels?.[key] === value),
  );
  if (exists) return [];
  const spec = valueAt(object.raw, 'spec');
  const written = recordOf(valueAt(spec, 'template') ?? valueAt(spec, 'jobTemplate', 'spec', 'template'));
  const { labels, annotations } = recordOf(written['metadata']);
  const metadata = { name, namespace, labels, annotations };
  const pod = decodeKubeObject({ apiVersion: 'v1', kind: 'Pod', metadata, spec: written['spec'] }, object.source);
  return typeof pod === 'string' ? [] : [pod];
}

/** A pod with an address is past injection: what it was given can be seen. */
function withSidecar(pod: KubeObject, namespaceLabels: Labels): KubeObject {
  const spec = recordOf(pod.raw['spec']);
  if (textOf(valueAt(pod.raw, 'status', 'podIP')) !== null || !asksForSidecar(pod, namespaceLabels)) return pod;
  const containers = listOf(spec['containers']);
  if (spec['hostNetwork'] === true || containers.some((container) => valueAt(container, 'name') === 'istio-proxy')) {
    return pod;
  }
  const raw: Json = { ...pod.raw, spec: { ...spec, containers: [...containers, { name: 'istio-proxy' }] } };
  return { ...pod, raw };
}

/** The pod's own wish comes before its namespace's (istio 86c9f01f pkg/kube/inject/webhook.go). */
function asksForSidecar({ metadata, raw }: KubeObject, namespaceLabels: Labels): boolean {
  const annotations = textMapOf(valueAt(raw, 'metadata', 'annotations'));
  const wish = metadata.labels?.['sidecar.istio.io/inject'] ?? annotations['sidecar.istio.io/inject'];
  if (wish === 'false' || namespaceLabels['istio-injection'] === 'disabled') return false;
  const asked = namespaceLabels['istio-injection'] === 'enabled' || namespaceLabels['istio.io/rev'] !== undefined;
  return wish === 'true' || asked;
}
