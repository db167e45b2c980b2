import type { Instant } from '../model/line.ts';
import type { KubeObject, MeshView, Namespace, ObjectRef, Pod, Service } from '../model/mesh.ts';
import { plainAddress } from '../text/address.ts';
import { grouped } from '../text/grouped.ts';
import { isRecord } from '../text/kube-object.ts';
import { sameRef } from '../text/object-ref.ts';
import { remembered } from '../text/remembered.ts';
import { parseInstant } from '../text/time.ts';
import { listOf, textOf, valueAt } from '../text/untyped.ts';
import { flattenObjects } from './flatten.ts';
import { INDEXED_KINDS, isOwnKind } from './kinds.ts';
import { decodePod, isRunning, podTemplateOf } from './pods.ts';
import { decodeService, serviceNameOf } from './services.ts';
import { readSettings } from './settings.ts';

/** What is known beside the objects; each setting wins over what the objects say. */
export interface MeshOptions {
  readonly rootNamespace?: string;
  readonly trustDomain?: string;
  readonly trustDomainAliases?: readonly string[];
  /** Release as `1.27`. */
  readonly istioVersion?: string;
  /** Paths that the objects were read from. */
  readonly sources?: readonly string[];
  /** Texts of files that the objects were read from, by path. */
  readonly texts?: ReadonlyMap<string, string>;
}

type Labels = Readonly<Record<string, string>>;

const DEFAULT_ROOT_NAMESPACE = 'istio-system';
const DEFAULT_TRUST_DOMAIN = 'cluster.local';

/**
 * A view of the mesh over objects as `readMesh` gives them, or over plain Kubernetes objects and Lists (what is no object
 * among those is left out). The view keeps the objects and never changes them. Memory: some indexes over them. Never throws.
 */
export function createMesh(objects: readonly KubeObject[] | readonly unknown[], options: MeshOptions = {}): MeshView {
  const all = inOrder(objects.flatMap(toObjects));
  const own = all.filter((object) => isOwnKind(object.kind, object.apiVersion));
  const byKind = grouped(own, (object) => object.kind);
  const ofKind = (kind: string): readonly KubeObject[] => byKind.get(kind) ?? [];
  const settings = readSettings(own);
  const namespaces = ofKind('Namespace').map(({ metadata }) => ({
    name: metadata.name,
    labels: metadata.labels ?? {},
  }));
  const pods = readPods(ofKind('Pod'), namespaces);
  const services = ofKind('Service').map(decodeService);
  return {
    known: true,
    sources: options.sources ?? [],
    takenAt: newestTime(all),
    rootNamespace: options.rootNamespace ?? settings.rootNamespace ?? DEFAULT_ROOT_NAMESPACE,
    trustDomain: options.trustDomain ?? settings.trustDomain ?? DEFAULT_TRUST_DOMAIN,
    trustDomainAliases: options.trustDomainAliases ?? settings.trustDomainAliases,
    istioVersion: options.istioVersion ?? settings.istioVersion,
    config: settings.config,
    namespaces,
    pods: pods.all,
    services,
    serviceAccounts: readServiceAccounts(own, pods.all),
    objects: all,
    sourceText: (file) => options.texts?.get(file) ?? null,
    ...lookups(pods.all, pods.addressed, services),
    ...objectLookups(own, byKind),
  };
}

/**
 * A view of the same pods, Services and namespaces with other objects beside them: cheap, for trying a change of policies.
 * `objects` must hold the same Pods, Services and Namespaces as the view.
 */
export function withObjects(mesh: MeshView, objects: readonly KubeObject[]): MeshView {
  const own = objects.filter((object) => isOwnKind(object.kind, object.apiVersion));
  return {
    ...mesh,
    objects,
    ...objectLookups(
      own,
      grouped(own, (object) => object.kind),
    ),
  };
}

/**
 * A view of the same mesh in which objects of some kinds are only those of some namespaces: cheaper than `withObjects`, as it
 * asks the view for the rest.
 */
export function withNamespaces(mesh: MeshView, kinds: ReadonlySet<string>, namespaces: ReadonlySet<string>): MeshView {
  const isLeftOut = (kind: string, namespace: string): boolean => kinds.has(kind) && !namespaces.has(namespace);
  const isIn = ({ kind, metadata }: KubeObject): boolean => !isLeftOut(kind, metadata.namespace);
  const ofKind = new Map([...kinds].map((kind) => [kind, mesh.objectsOf(kind).filter(isIn)]));
  return {
    ...mesh,
    objects: mesh.objects.filter(isIn),
    objectsOf: (kind, namespace) => {
      if (namespace === undefined) return ofKind.get(kind) ?? mesh.objectsOf(kind);
      return isLeftOut(kind, namespace) ? [] : mesh.objectsOf(kind, namespace);
    },
    object: (ref) => (isLeftOut(ref.kind, ref.namespace) ? null : mesh.object(ref)),
  };
}

/** One object that is to be another one; `object` null: it is to be gone. */
export interface Replacement {
  readonly ref: ObjectRef;
  readonly object: KubeObject | null;
}

/**
 * A view of the same pods, Services and namespaces with a few other objects: what is new stands last. Cheaper than
 * `withObjects`: what it does not touch it leaves to the view.
 */
export function withReplaced(mesh: MeshView, replacements: readonly Replacement[]): MeshView {
  const replace = (objects: readonly KubeObject[], kind?: string, namespace?: string): readonly KubeObject[] =>
    replacements
      .filter(({ ref }) => (kind ?? ref.kind) === ref.kind && (namespace ?? ref.namespace) === ref.namespace)
      .reduce((list, { ref, object }) => replaceIn(list, ref, object), objects);
  let all: readonly KubeObject[] | null = null;
  return {
    ...mesh,
    get objects() {
      all ??= replace(mesh.objects);
      return all;
    },
    objectsOf: (kind, namespace) => replace(mesh.objectsOf(kind, namespace), kind, namespace),
    object: (ref) => {
      const last = replacements.findLast((replacement) => sameRef(replacement.ref, ref));
      return last === undefined ? mesh.object(ref) : last.object;
    },
  };
}

function replaceIn(objects: readonly KubeObject[], ref: ObjectRef, object: KubeObject | null): readonly KubeObject[] {
  const index = objects.findIndex(
    ({ kind, metadata }) => kind === ref.kind && metadata.name === ref.name && metadata.namespace === ref.namespace,
  );
  if (object === null) return index < 0 ? objects : objects.toSpliced(index, 1);
  return index < 0 ? [...objects, object] : objects.with(index, object);
}

/** The view when no mesh was given: nothing is known, and nothing may be concluded from its empty lists. */
export const unknownMesh: MeshView = { ...createMesh([]), known: false };

function toObjects(value: unknown, index: number): readonly KubeObject[] {
  return isKubeObject(value) ? [value] : flattenObjects(value, { file: '', document: index }).objects;
}

/** Policies by name: what takes the first of several must not depend on the order in which files were read. */
function inOrder(objects: readonly KubeObject[]): readonly KubeObject[] {
  const [indexed, others] = [true, false].map((wanted) =>
    objects.filter(({ kind }) => INDEXED_KINDS.has(kind) === wanted),
  );
  return [...(indexed ?? []), ...(others ?? []).toSorted(byName)];
}

function byName({ metadata: a }: KubeObject, { metadata: b }: KubeObject): number {
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}

/** Tells an object that was decoded already from a Kubernetes object: only the former keeps the latter as `raw`. */
function isKubeObject(value: unknown): value is KubeObject {
  return isRecord(value) && isRecord(value['raw']) && isRecord(value['source']) && isRecord(value['metadata']);
}

/** `addressed` are the pods whose addresses are theirs now. */
function readPods(
  objects: readonly KubeObject[],
  namespaces: readonly Namespace[],
): { readonly all: readonly Pod[]; readonly addressed: readonly Pod[] } {
  const labels = new Map(namespaces.map((namespace) => [namespace.name, namespace.labels]));
  const all: Pod[] = [];
  const addressed: Pod[] = [];
  for (const object of objects) {
    const pod = podIn(labels.get(object.metadata.namespace) ?? null)(object);
    all.push(pod);
    if (isRunning(object)) addressed.push(pod);
  }
  return { all, addressed };
}

/** A pod is read once for all views in which its namespace has the same labels: a trial of a change makes many views. */
const podIn = (labels: Labels | null): ((object: KubeObject) => Pod) =>
  labels === null ? podAnywhere : podUnder(labels);
const podUnder = remembered((labels: Labels) => remembered((object: KubeObject) => decodePod(object, labels)));
const podAnywhere = remembered((object: KubeObject) => decodePod(object, null));

function readServiceAccounts(objects: readonly KubeObject[], pods: readonly Pod[]): ReadonlySet<string> {
  const names = new Set(pods.map((pod) => `${pod.namespace}/${pod.serviceAccount}`));
  for (const object of objects) {
    const { namespace, name } = object.metadata;
    if (object.kind === 'ServiceAccount') names.add(`${namespace}/${name}`);
    const template = templateOf(object);
    if (template !== null) names.add(`${namespace}/${template.serviceAccount}`);
  }
  return names;
}

const templateOf = remembered(podTemplateOf);

type Lookups = Pick<MeshView, 'podByIp' | 'podByName' | 'serviceByIp' | 'serviceByHost'>;

function lookups(pods: readonly Pod[], addressed: readonly Pod[], services: readonly Service[]): Lookups {
  const podsByIp = uniqueBy(addressed, (pod) => pod.ips);
  const podsByName = new Map(pods.map((pod) => [`${pod.namespace}/${pod.name}`, pod]));
  const servicesByIp = uniqueBy(services, (service) => service.addresses);
  const servicesByName = new Map(services.map((service) => [`${service.namespace}/${service.name}`, service]));
  return {
    podByIp: (ip) => podsByIp.get(addressKey(ip)) ?? null,
    podByName: (namespace, name) => podsByName.get(`${namespace}/${name}`) ?? null,
    serviceByIp: (ip) => servicesByIp.get(addressKey(ip)) ?? null,
    serviceByHost: (host) => {
      const named = serviceNameOf(host);
      return named === null ? null : (servicesByName.get(`${named.namespace}/${named.name}`) ?? null);
    },
  };
}

/** By address; null where several claim one. */
function uniqueBy<T>(items: readonly T[], addressesOf: (item: T) => readonly string[]): ReadonlyMap<string, T | null> {
  const owners = new Map<string, T | null>();
  for (const item of items) {
    for (const address of addressesOf(item)) {
      const key = addressKey(address);
      owners.set(key, owners.has(key) ? null : item);
    }
  }
  return owners;
}

function addressKey(address: string): string {
  return plainAddress(address).toLowerCase();
}

function objectLookups(
  objects: readonly KubeObject[],
  byKind: ReadonlyMap<string, readonly KubeObject[]>,
): Pick<MeshView, 'objectsOf' | 'object'> {
  const placeOf = (kind: string, namespace: string): string => `${kind}/${namespace}`;
  const byPlace = grouped(objects, ({ kind, metadata }) => placeOf(kind, metadata.namespace));
  const byName = grouped(objects, ({ kind, metadata }) => `${placeOf(kind, metadata.namespace)}/${metadata.name}`);
  return {
    objectsOf: (kind, namespace) =>
      (namespace === undefined ? byKind.get(kind) : byPlace.get(placeOf(kind, namespace))) ?? [],
    object: ({ kind, namespace, name }: ObjectRef) => byName.get(`${placeOf(kind, namespace)}/${name}`)?.[0] ?? null,
  };
}

/**
 * The newest time that the API server or a controller wrote on an object. The snapshot is not older; dumps do not say when
 * they were made.
 */
function newestTime(objects: readonly KubeObject[]): Instant | null {
  let newest: Instant | null = null;
  for (const object of objects) {
    const time = timeOn(object);
    if (time !== null && (newest === null || time > newest)) newest = time;
  }
  return newest;
}

const timeOn = remembered(({ raw, metadata }: KubeObject): Instant | null => {
  const managed = listOf(valueAt(raw, 'metadata', 'managedFields')).map((entry) => valueAt(entry, 'time'));
  const changed = listOf(valueAt(raw, 'status', 'conditions')).map((entry) => valueAt(entry, 'lastTransitionTime'));
  const times = [metadata.creationTimestamp, ...managed, ...changed].map((text) => parseInstant(textOf(text) ?? ''));
  return times.reduce((newest, time) => (time !== null && (newest === null || time > newest) ? time : newest), null);
});
