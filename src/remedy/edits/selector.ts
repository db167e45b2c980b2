import type { MeshView } from '../../model/mesh.ts';
import { type Destination, workloadsSelected } from './destination.ts';

type Labels = Readonly<Record<string, string>>;

/**
 * Labels that name a workload, most telling first. Knative's comes before `app`, which names one revision there and so
 * changes with each.
 */
const NAMING_LABELS = [
  'serving.knative.dev/service',
  'app.kubernetes.io/name',
  'app',
  'k8s-app',
  'gateway.networking.k8s.io/gateway-name',
  'app.kubernetes.io/instance',
  'app.kubernetes.io/component',
  'component',
  'name',
  'role',
];

/** Labels that controllers write: they differ between pods of one workload, or change with each roll-out. */
const GENERATED =
  /(?:^|[./-])(?:pod-template-hash|controller-revision-hash|pod-template-generation|pod-name|pod-index|controller-uid|job-name|completion-index|revision|revisionUID|configurationGeneration|version)$|istio\.io\//;

/**
 * Labels that select the destination's workload for a policy: the most telling one, and others only as long as they keep
 * apart workloads of the namespace which it would select too. Null: its labels are not known, or none of them is stable.
 */
export function workloadSelector({ namespace, labels, service }: Destination, mesh: MeshView): Labels | null {
  if (labels === null) return null;
  const own = new Map(Object.entries(labels));
  const naming = NAMING_LABELS.filter((key) => own.has(key));
  const stable = naming.length > 0 ? naming : otherKeys(labels, service?.selector ?? null);
  let chosen: Labels | null = null;
  let reach = Number.POSITIVE_INFINITY;
  for (const key of stable) {
    const wider: Labels = { ...chosen, [key]: own.get(key) ?? '' };
    const selected = workloadsSelected(mesh, namespace, wider).size;
    if (chosen === null || selected < reach) [chosen, reach] = [wider, selected];
    if (reach <= 1) break;
  }
  return chosen;
}

/** Where no label names the workload: those by which its Service finds it, else all that stay the same. */
function otherKeys(labels: Labels, serviceSelector: Labels | null): readonly string[] {
  const keys = Object.keys(serviceSelector ?? {}).filter((key) => Object.hasOwn(labels, key));
  return keys.length > 0 ? keys : Object.keys(labels).filter((key) => !GENERATED.test(key));
}
