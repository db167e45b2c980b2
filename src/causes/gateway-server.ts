import type { KubeObject, MeshView, Pod, Service } from '../model/mesh.ts';
import type { HostPort } from '../text/address.ts';
import { hasLabels } from '../text/labels.ts';
import { listOf, textMapOf, textOf, textsOf, valueAt } from '../text/untyped.ts';

/** One `servers` entry of a Gateway of networking.istio.io that pods of a gateway serve. Untrusted text. */
export interface GatewayServer {
  readonly gateway: KubeObject;
  /** Index in `spec.servers`. */
  readonly index: number;
  /** Port of the pod. */
  readonly port: number;
  /** In upper case: `HTTP`, `HTTPS`, `TLS`, `TCP`. */
  readonly protocol: string;
  /** `ISTIO_MUTUAL`, `SIMPLE`, …; null: it has no tls block. */
  readonly mode: string | null;
  readonly hosts: readonly string[];
}

/** The servers of all Gateways that select a pod; empty: it is no gateway's. */
export function serversOf(pod: Pod, mesh: MeshView): readonly GatewayServer[] {
  return mesh.objectsOf('Gateway').flatMap((gateway) => {
    const selector = textMapOf(valueAt(gateway.raw, 'spec', 'selector'));
    if (!gateway.apiVersion.startsWith('networking.istio.io/')) return [];
    if (Object.keys(selector).length === 0 || !hasLabels(pod.labels, selector)) return [];
    return listOf(valueAt(gateway.raw, 'spec', 'servers')).flatMap((server, index) => {
      const number = valueAt(server, 'port', 'number');
      if (typeof number !== 'number') return [];
      const protocol = (textOf(valueAt(server, 'port', 'protocol')) ?? '').toUpperCase();
      const mode = textOf(valueAt(server, 'tls', 'mode'));
      const hosts = textsOf(valueAt(server, 'hosts'));
      return podPorts(pod, number, mesh).map((port) => ({ gateway, index, port, protocol, mode, hosts }));
    });
  });
}

/** The servers of the gateway at an address, for that port; empty: none, or the mesh does not show them. */
export function serversAt(local: HostPort | null, mesh: MeshView): readonly GatewayServer[] {
  const pod = local === null ? null : mesh.podByIp(local.host);
  return pod === null ? [] : serversOf(pod, mesh).filter(({ port }) => port === local?.port);
}

/** True if clients without a certificate of the mesh are turned away. */
export function wantMeshCertificates(servers: readonly GatewayServer[]): boolean {
  return servers.length > 0 && servers.every(({ mode }) => mode === 'ISTIO_MUTUAL');
}

/** A server's port is a port of a Service first, and else the pod's own (istio 86c9f01f pilot/pkg/model/gateway.go). */
function podPorts(pod: Pod, number: number, mesh: MeshView): readonly number[] {
  const targets = servicesOf(pod, mesh).flatMap(({ ports }) =>
    ports.filter(({ port }) => port === number).flatMap(({ targetPort }) => numberOf(targetPort, pod) ?? []),
  );
  return targets.length === 0 ? [number] : [...new Set(targets)];
}

/** The Services that lead to a pod. */
export function servicesOf(pod: Pod, mesh: MeshView): readonly Service[] {
  return mesh.services.filter(
    ({ namespace, selector }) => namespace === pod.namespace && selector !== null && hasLabels(pod.labels, selector),
  );
}

/** The port of a pod that a `targetPort` means; null: the pod has none of that name. */
export function numberOf(targetPort: number | string, pod: Pod): number | null {
  if (typeof targetPort === 'number') return targetPort;
  return pod.ports.find(({ name }) => name === targetPort)?.port ?? null;
}

/** A server as people name it: `Gateway shop/web (servers[0], port 8081, HTTP)`. */
export function serverName({ gateway, index, port, protocol, mode }: GatewayServer): string {
  const { namespace, name } = gateway.metadata;
  return `Gateway ${namespace}/${name} (servers[${index}], port ${port}, ${[protocol, mode].filter((part) => part !== null && part !== '').join(' ')})`;
}

/** True for a server that speaks plain text. */
export function isPlaintext({ protocol }: GatewayServer): boolean {
  return protocol !== 'HTTPS' && protocol !== 'TLS';
}
