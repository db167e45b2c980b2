import { INDEXED_KINDS, POLICY_KINDS } from '../mesh/kinds.ts';
import { podTemplateOf } from '../mesh/pods.ts';
import { createMesh, type Replacement, withNamespaces, withReplaced } from '../mesh/view.ts';
import type { KubeObject, MeshView } from '../model/mesh.ts';
import type { ObjectChange } from '../model/remedy.ts';
import { decodeKubeObject } from '../text/kube-object.ts';
import { recordOf } from '../text/untyped.ts';
import { workloadOf } from '../text/workload.ts';

type Json = Readonly<Record<string, unknown>>;
type Labels = Readonly<Record<string, string>>;

/**
 * The mesh as it would be after the changes, and after the pods that they concern have been made anew: labels of a pod
 * template are on its pods, and pods that are then to have a sidecar have one. Null: a change cannot be carried out on the
 * objects that are known (its result is not known, or is no Kubernetes object). The given view is left as it is.
 */
export function applyChanges(mesh: MeshView, changes: readonly ObjectChange[]): MeshView | null {
  const known = applied.get(changes);
  if (known?.mesh === mesh) return known.after;
  const after = changedView(mesh, changes);
  applied.set(changes, { mesh, after });
  return after;
}

/** What changes made of the mesh they were last applied to: the search and the proof ask about the same view. */
const applied = new WeakMap<readonly ObjectChange[], { readonly mesh: MeshView; readonly after: MeshView | null }>();

function changedView(mesh: MeshView, changes: readonly ObjectChange[]): MeshView | null {
  const replacements: Replacement[] = [];
  for (const change of changes) {
    const replacement = replacementOf(change, mesh);
    if (replacement === null) return null;
    replacements.push(replacement);
  }
  const changed = withReplaced(mesh, replacements);
  const made = replacements.flatMap(({ object }) => (object !== null && isIndexed(object) ? [object] : []));
  return made.length === 0 ? changed : rebuilt(changed, made);
}

function replacementOf({ op, object, after }: ObjectChange, mesh: MeshView): Replacement | null {
  if (op === 'delete') return { ref: object, object: null };
  const source = mesh.object(object)?.source ?? { file: '', document: 0 };
  const decoded = after === null ? 'not known' : decodeKubeObject(after, source);
  return typeof decoded === 'string' ? null : { ref: object, object: decoded };
}

/** True for what a view indexes, or what makes pods: a change of it makes a new view. */
function isIndexed({ kind, raw }: KubeObject): boolean {
  return INDEXED_KINDS.has(kind) || templateOf(raw) !== null;
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
function rebuilt(mesh: MeshView, causes: readonly KubeObject[]): MeshView {
  const objects = mesh.objects.map((object) => causes.reduce(madeAnew, object));
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
  return withNamespaces(mesh, POLICY_KINDS, new Set([mesh.rootNamespace, ...namespaces, ...waypoints]));
}
