/** Alphabet of the random parts of generated pod names (k8s.io/apimachinery/pkg/util/rand). */
const HASH = '[bcdfghjklmnpqrstvwxz2456789]';
const DEPLOYMENT_POD = new RegExp(`^(.+)-${HASH}{6,10}-${HASH}{5}$`);
const DAEMONSET_POD = new RegExp(`^(.+)-${HASH}{5}$`);
const STATEFULSET_POD = /^(.+)-\d{1,4}$/;

/** The workload behind a pod name: the name without the parts that Kubernetes appends. A guess from the name alone. */
export function workloadOf(pod: string): string {
  for (const pattern of [DEPLOYMENT_POD, DAEMONSET_POD, STATEFULSET_POD]) {
    const match = pattern.exec(pod);
    if (match?.[1] !== undefined) return match[1];
  }
  return pod;
}
