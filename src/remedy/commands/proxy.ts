import type { DestinationEnd, SourceEnd } from '../../model/finding.ts';
import { wordOr } from './kubectl.ts';

/** Name and namespace of a Kubernetes Service out of its host name; null: not known or no Service of this cluster. */
export interface ServiceName {
  readonly name: string | null;
  readonly namespace: string | null;
}

const SERVICE_HOST = /^([a-z0-9-]+)\.([a-z0-9-]+)(?:\.svc(?:\..+)?)?$/;

/** The Service that was called. */
export function serviceOf(destination: DestinationEnd): ServiceName {
  const [, name = null, namespace = null] = SERVICE_HOST.exec(destination.service ?? '') ?? [];
  return { name, namespace: namespace ?? destination.namespace };
}

/** The command that lists the endpoints of the Service that was called. */
export function listEndpoints(destination: DestinationEnd): string {
  const { name, namespace } = serviceOf(destination);
  return `kubectl -n ${wordOr(namespace, 'NAMESPACE')} get endpointslices -l kubernetes.io/service-name=${wordOr(name, 'SERVICE')}`;
}

/** The command that prints the Service that was called, with its ports and selector. */
export function showService(destination: DestinationEnd): string {
  const { name, namespace } = serviceOf(destination);
  return `kubectl -n ${wordOr(namespace, 'NAMESPACE')} get service ${wordOr(name, 'SERVICE')} -o yaml`;
}

/** The command that reads the newest lines of the proxy of one end. */
export function proxyLogs(end: DestinationEnd | SourceEnd): string {
  const { workload, namespace } = end;
  return `kubectl -n ${wordOr(namespace, 'NAMESPACE')} logs deploy/${wordOr(workload, 'WORKLOAD')} -c istio-proxy --since=10m`;
}

/** The command that reads what the application of the called end says itself. */
export function applicationLogs(destination: DestinationEnd): string {
  const { workload, namespace } = destination;
  return `kubectl -n ${wordOr(namespace, 'NAMESPACE')} logs deploy/${wordOr(workload, 'WORKLOAD')} --since=10m`;
}

/** The command that lists every DestinationRule, with its host, for the host that was called. */
export function listDestinationRules(destination: DestinationEnd): string {
  return `kubectl get destinationrules -A -o wide | grep -F ${wordOr(serviceOf(destination).name ?? destination.service, 'HOST')}`;
}
