import type { MeshView, Pod } from '../../model/mesh.ts';
import { remembered } from '../../text/remembered.ts';
import { podsSelected, type Scoped } from './selection.ts';

/** Which proxies enforce a policy. Null: not known. */
export interface Enforcers {
  readonly ztunnel: boolean | null;
  readonly envoy: boolean | null;
}

const NOT_KNOWN: Enforcers = { ztunnel: null, envoy: null };

/**
 * Who enforces a policy: with target references an Envoy; else the proxies of the pods it selects, or, where none is known,
 * those that its namespace asks for by its labels.
 */
export function enforcersOf(policy: Scoped, mesh: MeshView): Enforcers {
  if ((policy.targetRefs ?? []).length > 0) return { ztunnel: false, envoy: true };
  const pods = podsSelected(policy, mesh);
  return pods.length > 0 ? enforcersOfPods(pods) : enforcersIn(policy.ref.namespace, mesh);
}

/** The proxies of some pods. */
export function enforcersOfPods(pods: readonly Pod[]): Enforcers {
  const kinds = new Set(pods.map(({ dataplane }) => dataplane));
  const unknown = kinds.has('unknown') ? null : false;
  return { ztunnel: kinds.has('ambient') || unknown, envoy: kinds.has('sidecar') || unknown };
}

/** The proxies that a namespace asks for; a pod may ask for another, so its labels never say that there is none. */
function enforcersIn(namespace: string, mesh: MeshView): Enforcers {
  const labels = labelsByNamespace(mesh).get(namespace);
  if (labels === undefined || namespace === mesh.rootNamespace) return NOT_KNOWN;
  if (labels['istio.io/dataplane-mode'] === 'ambient') return { ztunnel: true, envoy: null };
  const injected = labels['istio-injection'] === 'enabled' || labels['istio.io/rev'] !== undefined;
  return injected ? { ztunnel: false, envoy: true } : NOT_KNOWN;
}

/** The labels of each namespace that is known, by its name. */
export const labelsByNamespace: (mesh: MeshView) => ReadonlyMap<string, Readonly<Record<string, string>>> = remembered(
  (mesh) => new Map(mesh.namespaces.map(({ name, labels }) => [name, labels])),
);
