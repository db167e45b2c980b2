import type { KubeObject, ObjectRef } from '../../model/mesh.ts';
import { isRecord } from '../../text/kube-object.ts';
import { recordOf, textMapOf, textsOf } from '../../text/untyped.ts';
import { selects } from './bind.ts';
import type { EnvoyProxy } from './settings.ts';

/** What Istio takes a port for. `auto`: nothing declared; HTTP is found by looking at the first bytes. */
export type PortProtocol = 'http' | 'tcp' | 'auto';

/** A port of a Service or ServiceEntry. */
export interface ServicePort {
  readonly port: number;
  /** Number, or name of a container port; null: as `port`. */
  readonly targetPort: number | string | null;
  readonly protocol: PortProtocol;
}

/** A Service or ServiceEntry, as far as it decides. */
export interface MeshService {
  readonly ref: ObjectRef;
  readonly createdAt: string | null;
  readonly hosts: readonly string[];
  readonly addresses: readonly string[];
  readonly selector: Readonly<Record<string, string>> | null;
  readonly ports: readonly ServicePort[];
}

/** Reads all Services and ServiceEntries; what cannot be read is left out. Untrusted input. */
export function readServices(objects: readonly KubeObject[]): readonly MeshService[] {
  return objects.flatMap((object) => {
    if (object.kind === 'Service' && object.apiVersion === 'v1') return [readService(object)];
    if (object.kind === 'ServiceEntry' && isIstio(object, 'networking')) return [readServiceEntry(object)];
    return [];
  });
}

/** Whether an object is of one of Istio's API groups, in any version. */
export function isIstio(object: KubeObject, group: 'networking' | 'security'): boolean {
  return object.apiVersion.startsWith(`${group}.istio.io/`);
}

function readService(object: KubeObject): MeshService {
  const spec = recordOf(object.raw['spec']);
  const { name, namespace } = object.metadata;
  return {
    ref: { kind: 'Service', namespace, name },
    createdAt: object.metadata.creationTimestamp,
    hosts: [`${name}.${namespace}.svc.cluster.local`],
    addresses: [textOf(spec['clusterIP']), ...textsOf(spec['clusterIPs'])],
    selector: isRecord(spec['selector']) ? textMapOf(spec['selector']) : null,
    ports: listOf(spec['ports']).flatMap((entry) => readPort(entry, entry['targetPort'])),
  };
}

function readServiceEntry(object: KubeObject): MeshService {
  const spec = recordOf(object.raw['spec']);
  const selector = recordOf(spec['workloadSelector'])['labels'];
  const ports = listOf(spec['ports']);
  return {
    ref: { kind: 'ServiceEntry', namespace: object.metadata.namespace, name: object.metadata.name },
    createdAt: object.metadata.creationTimestamp,
    hosts: textsOf(spec['hosts']),
    addresses: textsOf(spec['addresses']),
    selector: isRecord(selector) ? textMapOf(selector) : null,
    ports: ports.flatMap((entry) => {
      const number = entry['number'];
      const protocol = protocolOf(textOf(entry['protocol']).toLowerCase());
      return typeof number === 'number' ? [{ port: number, targetPort: portOf(entry['targetPort']), protocol }] : [];
    }),
  };
}

function readPort(entry: unknown, target: unknown): readonly ServicePort[] {
  const { port, name, appProtocol, protocol } = recordOf(entry);
  if (typeof port !== 'number') return [];
  if (protocol === 'UDP') return [];
  return [{ port, targetPort: portOf(target), protocol: declaredProtocol(port, textOf(name), appProtocol) }];
}

const STANDARD_PROTOCOLS: Readonly<Record<string, PortProtocol>> = {
  'kubernetes.io/h2c': 'http',
  'kubernetes.io/ws': 'http',
  'kubernetes.io/wss': 'tcp',
};
/** SMTP, DNS, MySQL, MongoDB: server-first protocols that looking at bytes would stall. */
const TCP_PORTS = new Set([25, 53, 3306, 27017]);

/** `appProtocol`, else the port's name up to its first dash (istio 86c9f01f pkg/config/kube/conversion.go). */
function declaredProtocol(port: number, name: string, appProtocol: unknown): PortProtocol {
  const declared = typeof appProtocol === 'string' ? appProtocol : name;
  const standard = STANDARD_PROTOCOLS[declared];
  if (standard !== undefined) return standard;
  const lower = declared.toLowerCase();
  const found = protocolOf(lower.startsWith('grpc-web') ? 'grpc-web' : (lower.split('-')[0] ?? ''));
  return found === 'auto' && TCP_PORTS.has(port) ? 'tcp' : found;
}

const HTTP_NAMES = new Set(['http', 'http2', 'grpc', 'grpc-web', 'http_proxy']);
const TCP_NAMES = new Set(['tcp', 'tls', 'https', 'mongo', 'redis', 'mysql', 'hbone', 'udp']);

function protocolOf(name: string): PortProtocol {
  if (HTTP_NAMES.has(name)) return 'http';
  return TCP_NAMES.has(name) ? 'tcp' : 'auto';
}

/** Named container ports of the pods. */
export type ContainerPorts = ReadonlyMap<string, number>;

/** Reads the named ports of the proxy's own pod, if it is among the objects. */
export function readContainerPorts(objects: readonly KubeObject[], proxy: EnvoyProxy): ContainerPorts {
  const pod = objects.find(
    ({ kind, metadata }) => kind === 'Pod' && metadata.namespace === proxy.namespace && metadata.name === proxy.name,
  );
  const containers = listOf(recordOf(pod?.raw['spec'])['containers']);
  const ports = containers.flatMap((container) => listOf(container['ports']));
  return new Map(
    ports.flatMap(({ name, containerPort }) =>
      typeof name === 'string' && typeof containerPort === 'number' ? [[name, containerPort] as const] : [],
    ),
  );
}

/** The Services whose selector picks the proxy's pod, oldest first. */
export function servicesOf(services: readonly MeshService[], proxy: EnvoyProxy): readonly MeshService[] {
  return services.filter(
    ({ ref, selector }) =>
      ref.namespace === proxy.namespace &&
      selector !== null &&
      Object.keys(selector).length > 0 &&
      selects({ matchLabels: selector }, proxy.labels),
  );
}

/** The container's port that a Service port leads to; null: a name that no container of the pod has. */
export function containerPort(port: ServicePort, names: ContainerPorts): number | null {
  if (typeof port.targetPort === 'string') return names.get(port.targetPort) ?? null;
  return port.targetPort ?? port.port;
}

/** The objects in a list; empty if it is none. */
export function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

/** The value if it is a text, else ''. */
export function textOf(value: unknown): string {
  return isText(value) ? value : '';
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function portOf(value: unknown): number | string | null {
  return typeof value === 'number' || typeof value === 'string' ? value : null;
}
