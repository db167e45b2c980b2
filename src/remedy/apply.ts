import { podTemplateOf } from '../mesh/pods.ts';
import { createMesh, withObjects } from '../mesh/view.ts';
import type { KubeObject, MeshView, ObjectRef } from '../model/mesh.ts';
import type { ObjectChange } from '../model/remedy.ts';
import { decodeKubeObject } from '../text/kube-object.ts';
import { recordOf } from '../text/untyped.ts';
import { workloadOf } from '../text/workload.ts';

type Json = Readonly<Record<string, unknown>>;
type Labels = Readonly<Record<string, string>>;

/** Kinds of which there are many and which act in their own namespace (or from the root namespace) only. */
const LOCAL_KINDS: ReadonlySet<string> = new Set([
  'AuthorizationPolicy',
  'PeerAuthentication',
  'RequestAuthentication',
  'NetworkPolicy',
]);
/** Kinds that a view indexes: a change of these makes a new one. */
const INDEXED_KINDS: ReadonlySet<string> = new Set(['Pod', 'Service', 'Namespace']);

/**
 * The mesh as it would be after the changes, and after the pods that they concern have been made anew: labels of a pod
 * template are on its pods, and pods that are then to have a sidecar have one. Null: a change cannot be carried out on the
 * objects that are known (its result is not known, or is no Kubernetes object). The given view is left as it is.
 */
export function applyChanges(mesh: MeshView, changes: readonly ObjectChange[]): MeshView | null {
  let objects = mesh.objects;
  for (const change of changes) {
    const next = applyChange(objects, change);
    if (next === null) return null;
    objects = next;
  }
  const isIndexed = changes.some(({ object, after }) => INDEXED_KINDS.has(object.kind) || templateOf(after) !== null);
  return isIndexed ? rebuilt(mesh, objects) : withObjects(mesh, objects);
}

function applyChange(objects: readonly KubeObject[], change: ObjectChange): readonly KubeObject[] | null {
  const index = objects.findIndex((object) => isObject(object, change.object));
  if (change.op === 'delete') return index < 0 ? objects : objects.toSpliced(index, 1);
  const source = objects[index]?.source ?? { file: '', document: 0 };
  const after = change.after === null ? 'not known' : decodeKubeObject(change.after, source);
  if (typeof after === 'string') return null;
  const changed = index < 0 ? [...objects, after] : objects.with(index, after);
  return makesPods(after) ? changed.map((object) => madeAnew(object, after)) : changed;
}

function makesPods({ kind, raw }: KubeObject): boolean {
  return kind === 'Namespace' || templateOf(raw) !== null;
}

/** A pod as it will be once a changed Namespace or workload has made it anew; other objects as they are. */
function madeAnew(object: KubeObject, cause: KubeObject): KubeObject {
  if (object.kind !== 'Pod') return object;
  if (cause.kind === 'Namespace') {
    if (cause.metadata.name !== object.metadata.namespace) return object;
    return asksForSidecar(object.metadata.labels ?? {}, cause.metadata.labels ?? {}) ? withSidecar(object) : object;
  }
  const template = templateOf(cause.raw);
  if (template === null || !isMadeBy(object, cause)) return object;
  const labelled = withMetadata(object, { labels: { ...object.metadata.labels, ...template } });
  return asksForSidecar(template, {}) ? withSidecar(labelled) : labelled;
}

function templateOf(object: Json | null): Labels | null {
  const decoded = object === null ? 'nothing' : decodeKubeObject(object, { file: '', document: 0 });
  return typeof decoded === 'string' ? null : (podTemplateOf(decoded)?.labels ?? null);
}

function isMadeBy(pod: KubeObject, { metadata }: KubeObject): boolean {
  return pod.metadata.namespace === metadata.namespace && workloadOf(pod.metadata.name) === metadata.name;
}

/** The pod's own label wins over its namespace's (istio 86c9f01f pkg/kube/inject/inject.go). */
function asksForSidecar(pod: Labels, namespace: Labels): boolean {
  const own = pod['sidecar.istio.io/inject'];
  return own === undefined ? namespace['istio-injection'] === 'enabled' : own === 'true';
}

function withSidecar(pod: KubeObject): KubeObject {
  if (recordOf(pod.raw['spec'])['hostNetwork'] === true) return pod;
  return withMetadata(pod, { annotations: { ...pod.metadata.annotations, 'sidecar.istio.io/status': '{}' } });
}

function withMetadata(
  object: KubeObject,
  fields: { readonly labels?: Labels; readonly annotations?: Labels },
): KubeObject {
  const metadata = { ...recordOf(object.raw['metadata']), ...fields };
  return { ...object, metadata: { ...object.metadata, ...fields }, raw: { ...object.raw, metadata } };
}

/** A view with other pods, Services or namespaces; what was said of the mesh beside its objects stays. */
function rebuilt(mesh: MeshView, objects: readonly KubeObject[]): MeshView {
  const { rootNamespace, trustDomain, trustDomainAliases, istioVersion, sources } = mesh;
  const options = { rootNamespace, trustDomain, trustDomainAliases, sources };
  return createMesh(objects, istioVersion === null ? options : { ...options, istioVersion });
}

/**
 * The same mesh without the policies of namespaces that have no part in a connection: equal in every answer about these
 * namespaces, and quick to compile. Namespaces of waypoints always stay.
 */
export function focusOn(mesh: MeshView, namespaces: Iterable<string>): MeshView {
  const waypoints = mesh.objectsOf('Gateway').map((object) => object.metadata.namespace);
  const kept = new Set([mesh.rootNamespace, ...namespaces, ...waypoints]);
  return withObjects(
    mesh,
    mesh.objects.filter(({ kind, metadata }) => !LOCAL_KINDS.has(kind) || kept.has(metadata.namespace)),
  );
}

function isObject({ kind, metadata }: KubeObject, ref: ObjectRef): boolean {
  return kind === ref.kind && metadata.name === ref.name && metadata.namespace === ref.namespace;
}
