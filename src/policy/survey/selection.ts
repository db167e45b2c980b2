import type { MeshView, ObjectRef, Pod } from '../../model/mesh.ts';
import type { Selector, TargetRef } from '../../model/policy.ts';
import { hasLabels } from '../../text/labels.ts';
import { remembered } from '../../text/remembered.ts';

/** What tells where a policy applies. */
export interface Scoped {
  readonly ref: ObjectRef;
  readonly selector: Selector | null;
  /** Absent on kinds that have none. */
  readonly targetRefs?: readonly TargetRef[];
}

type Labels = Readonly<Record<string, string>>;

/** Pods of one namespace, also by each of their labels, so that a selector looks at few of them. */
interface PodIndex {
  readonly all: Pod[];
  readonly byLabel: Map<string, Pod[]>;
}

/** Stands for all namespaces: Kubernetes allows no such name. */
const EVERYWHERE = '*';

const indexOf = remembered((mesh: MeshView): ReadonlyMap<string, PodIndex> => {
  const index = new Map<string, PodIndex>();
  for (const pod of mesh.pods) {
    for (const place of [pod.namespace, EVERYWHERE]) {
      const entry: PodIndex = index.get(place) ?? { all: [], byLabel: new Map() };
      index.set(place, entry);
      entry.all.push(pod);
      for (const [key, value] of Object.entries(pod.labels)) {
        const label = `${key}=${value}`;
        const labelled = entry.byLabel.get(label);
        if (labelled === undefined) entry.byLabel.set(label, [pod]);
        else labelled.push(pod);
      }
    }
  }
  return index;
});

/** The pods of a namespace (null: of all) that have all these labels. */
export function podsWith(labels: Labels, namespace: string | null, mesh: MeshView): readonly Pod[] {
  const index = indexOf(mesh).get(namespace ?? EVERYWHERE);
  if (index === undefined) return [];
  if (Object.keys(labels).length === 0) return index.all;
  const lists = Object.entries(labels).map(([key, value]) => index.byLabel.get(`${key}=${value}`) ?? []);
  const shortest = lists.reduce<readonly Pod[]>((one, other) => (other.length < one.length ? other : one), index.all);
  return shortest.filter((pod) => hasLabels(pod.labels, labels));
}

/** The labels that a policy's selector wants; none: it selects all. */
export function wantedLabels({ selector }: Scoped): Labels {
  return selector?.matchLabels ?? {};
}

/**
 * The pods that a policy without target references applies to, as far as they are known. From the root namespace it reaches
 * all others, but for a PeerAuthentication with a selector, which is ignored there (istio 86c9f01f
 * pilot/pkg/model/authorization.go, pilot/pkg/security/authn/policy_applier.go).
 */
export function podsSelected(policy: Scoped, mesh: MeshView): readonly Pod[] {
  if ((policy.targetRefs ?? []).length > 0) return [];
  const inRoot = policy.ref.namespace === mesh.rootNamespace;
  const labels = wantedLabels(policy);
  if (inRoot && policy.ref.kind === 'PeerAuthentication' && Object.keys(labels).length > 0) return [];
  return podsWith(labels, inRoot ? null : policy.ref.namespace, mesh);
}

/** Whether pods are known where a policy looks for them, so that finding none means something. */
export function podsAreKnown({ ref }: Scoped, mesh: MeshView): boolean {
  return indexOf(mesh).has(ref.namespace === mesh.rootNamespace ? EVERYWHERE : ref.namespace);
}

/** Whether the pods of a namespace were read from a cluster, which knows them all; manifests may be some of many. */
export function podsAreLive(namespace: string, mesh: MeshView): boolean {
  return (indexOf(mesh).get(namespace)?.all ?? []).some(({ ips }) => ips.length > 0);
}

/**
 * Whether two policies apply to one workload: to a pod that is known, or, where none is known, by asking for the same
 * labels, or one for none, in one namespace.
 */
export function shareWorkload(one: Scoped, other: Scoped, mesh: MeshView): boolean {
  if (targetsOf(one) !== targetsOf(other)) return false;
  if (targetsOf(one) !== '') return one.ref.namespace === other.ref.namespace;
  const [wanted, others] = [wantedLabels(one), wantedLabels(other)];
  if (podsSelected(one, mesh).length > 0) {
    const places = [one, other].map(({ ref }) => ref.namespace).filter((name) => name !== mesh.rootNamespace);
    const areApart =
      new Set(places).size > 1 ||
      Object.entries(others).some(([key, value]) => Object.hasOwn(wanted, key) && wanted[key] !== value);
    return !areApart && podsWith({ ...wanted, ...others }, places[0] ?? null, mesh).length > 0;
  }
  if (one.ref.namespace !== other.ref.namespace) return false;
  return hasLabels(wanted, others) || hasLabels(others, wanted);
}

/** Target references as a text: policies with equal ones are enforced at one proxy. */
export function targetsOf({ targetRefs = [] }: Scoped): string {
  return targetRefs
    .map(({ kind, name }) => `${kind}/${name}`)
    .sort()
    .join(' ');
}
