import type { MeshView, ObjectRef, Pod, Service } from '../../model/mesh.ts';
import { nearNames } from '../../text/near.ts';
import { remembered } from '../../text/remembered.ts';
import { workloadOf } from '../../text/workload.ts';
import { podsWith } from './selection.ts';

type Labels = Readonly<Record<string, string>>;

/** What the pods of one namespace are called by, so that many selectors do not look at all pods. */
interface Vocabulary {
  /** All values of each label. */
  readonly values: Map<string, Set<string>>;
  /** Naming labels of the pods of each workload, by its name. */
  readonly workloads: Map<string, Labels[]>;
}

/** Keys that charts name their workloads by. */
const NAMING = ['app.kubernetes.io/name', 'app', 'k8s-app', 'name', 'app.kubernetes.io/component'];

const vocabularies = remembered((mesh: MeshView): ReadonlyMap<string, Vocabulary> => {
  const index = new Map<string, Vocabulary>();
  for (const pod of mesh.pods) {
    const own: Vocabulary = index.get(pod.namespace) ?? { values: new Map(), workloads: new Map() };
    index.set(pod.namespace, own);
    addPod(own, pod);
  }
  return index;
});

function addPod({ values, workloads }: Vocabulary, { name, labels }: Pod): void {
  for (const [key, value] of Object.entries(labels)) {
    const known = values.get(key);
    if (known === undefined) values.set(key, new Set([value]));
    else known.add(value);
  }
  const key = NAMING.find((naming) => labels[naming] !== undefined);
  if (key === undefined) return;
  const workload = workloadOf(name);
  const known = workloads.get(workload);
  if (known === undefined) workloads.set(workload, [{ [key]: labels[key] ?? '' }]);
  else known.push({ [key]: labels[key] ?? '' });
}

/**
 * The labels that a selector which matches nothing may have meant, of pods in its namespace: none, one set, or several between
 * which nothing decides. In the order in which they are tried: what somebody typed nearly right, the selector of the Service that
 * a value (or the policy) is named after, a value under another key, the pods of a workload of that name.
 */
export function meantLabels(policy: ObjectRef, wanted: Labels, mesh: MeshView): readonly Labels[] {
  const vocabulary = vocabularies(mesh).get(policy.namespace);
  if (vocabulary === undefined) return [];
  const names = [...new Set([...Object.values(wanted), policy.name])];
  const ways = [
    (): readonly Labels[] => nearValues(wanted, vocabulary),
    (): readonly Labels[] => selectorsOfServices(policy.namespace, names, mesh),
    (): readonly Labels[] => otherKeys(wanted, vocabulary),
    (): readonly Labels[] => names.flatMap((name) => vocabulary.workloads.get(name) ?? []),
  ];
  for (const way of ways) {
    const found = distinct(way()).filter((labels) => podsWith(labels, policy.namespace, mesh).length > 0);
    if (found.length > 0) return found;
  }
  return [];
}

/** Sets of labels that are tried: a selector with many keys has many. */
const MAX_SETS = 64;

/** The same keys, where each value is one of the pods' or near to one. */
function nearValues(wanted: Labels, { values }: Vocabulary): readonly Labels[] {
  let sets: readonly Labels[] = [{}];
  for (const [key, value] of Object.entries(wanted)) {
    const known = values.get(key) ?? new Set<string>();
    const near = known.has(value) ? [value] : nearNames(value, [...known].sort());
    sets = sets.flatMap((labels) => near.map((name) => ({ ...labels, [key]: name }))).slice(0, MAX_SETS);
  }
  return sets;
}

const servicesByName = remembered(
  (mesh: MeshView): ReadonlyMap<string, Service> =>
    new Map(mesh.services.map((service) => [`${service.namespace}/${service.name}`, service])),
);

function selectorsOfServices(namespace: string, names: readonly string[], mesh: MeshView): readonly Labels[] {
  return names
    .map((name) => servicesByName(mesh).get(`${namespace}/${name}`)?.selector ?? null)
    .filter((selector) => selector !== null);
}

/** The first naming key under which one of the values stands. */
function otherKeys(wanted: Labels, { values }: Vocabulary): readonly Labels[] {
  const found = NAMING.flatMap((key) =>
    Object.values(wanted).flatMap((value) => (values.get(key)?.has(value) === true ? [{ [key]: value }] : [])),
  );
  return found.slice(0, 1);
}

function distinct(sets: readonly Labels[]): readonly Labels[] {
  const keyOf = (labels: Labels): string => JSON.stringify(Object.entries(labels).sort());
  return [...new Map(sets.map((labels) => [keyOf(labels), labels])).values()].sort((one, other) =>
    keyOf(one) < keyOf(other) ? -1 : 1,
  );
}
