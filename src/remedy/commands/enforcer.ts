import type { Finding } from '../../model/finding.ts';
import { wordOr } from './kubectl.ts';

/** The namespace of the proxy that refused, where its policies are: a gateway's own, not that of the Service behind it. */
export function enforcerNamespace({ destination, enforcedBy }: Finding): string {
  return wordOr(destination.namespace, enforcedBy === 'gateway' ? 'GATEWAY_NAMESPACE' : 'DESTINATION_NAMESPACE');
}

/** The proxy that refused as istioctl names it: `POD.NAMESPACE`, or `deploy/NAME.NAMESPACE` where the workload is known. */
export function enforcerPod(finding: Finding): string {
  const { workload } = finding.destination;
  const pod = finding.enforcedBy === 'gateway' ? 'GATEWAY_POD' : 'POD';
  return `${workload === null ? pod : `deploy/${wordOr(workload, pod)}`}.${enforcerNamespace(finding)}`;
}
