import type { KubeObject, MeshView, Service } from '../../model/mesh.ts';
import { hasLabels } from '../../text/labels.ts';
import { listOf, recordOf, textMapOf, textOf, textsOf, valueAt } from '../../text/untyped.ts';
import type { TlsClient } from './client-tls.ts';

/** What a Sidecar keeps from an Envoy. */
export interface Unknown {
  readonly sidecar: KubeObject;
  /** True: what it does not know it refuses to call; else it passes the bytes on as they are. */
  readonly isBlocked: boolean;
}

/**
 * The Sidecar that keeps a Service from an Envoy, whose calls then go to PassthroughCluster (in plaintext) or, where only
 * what is registered may be called, to BlackHoleCluster; null: the Envoy knows the Service (istio 86c9f01f
 * pilot/pkg/model/sidecar.go). Gateways and waypoints have no Sidecar.
 */
export function hiddenFrom(client: TlsClient, service: Service, port: number, mesh: MeshView): Unknown | null {
  const sidecar = sidecarOf(client, mesh);
  if (sidecar === null || imports(sidecar, client.namespace, service, port)) return null;
  const own = textOf(valueAt(sidecar.raw, 'spec', 'outboundTrafficPolicy', 'mode'));
  const mode = own ?? textOf(valueAt(mesh.config, 'outboundTrafficPolicy', 'mode'));
  return { sidecar, isBlocked: mode === 'REGISTRY_ONLY' };
}

/** Of the client's namespace one that selects it, else one for all there, else the root namespace's for all; the oldest of each. */
function sidecarOf(client: TlsClient, mesh: MeshView): KubeObject | null {
  const own = mesh.objectsOf('Sidecar', client.namespace).toSorted(byAge);
  const selecting = own.find((sidecar) => isForSome(sidecar) && hasLabels(client.labels, selectorOf(sidecar)));
  const root = mesh.objectsOf('Sidecar', mesh.rootNamespace).toSorted(byAge);
  return selecting ?? [...own, ...root].find((sidecar) => !isForSome(sidecar)) ?? null;
}

function selectorOf({ raw }: KubeObject): Readonly<Record<string, string>> {
  return textMapOf(valueAt(raw, 'spec', 'workloadSelector', 'labels'));
}

function isForSome(sidecar: KubeObject): boolean {
  return Object.keys(selectorOf(sidecar)).length > 0;
}

function byAge(one: KubeObject, other: KubeObject): number {
  const [left, right] = [one, other].map(({ metadata }) => `${metadata.creationTimestamp ?? ''} ${metadata.name}`);
  return (left ?? '') < (right ?? '') ? -1 : 1;
}

/** Without any listener everything is imported; one with a port is for that port only. */
function imports({ raw }: KubeObject, own: string, service: Service, port: number): boolean {
  const listeners = listOf(valueAt(raw, 'spec', 'egress')).map(recordOf);
  if (listeners.length === 0) return true;
  return listeners
    .filter((listener) => [undefined, port].includes(numberOf(valueAt(listener, 'port', 'number'))))
    .some((listener) => textsOf(listener['hosts']).some((host) => covers(host, own, service)));
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/** `namespace/name`: `.` is the client's namespace, `*` any, `~` none. */
function covers(written: string, own: string, { namespace, hostname }: Service): boolean {
  const [space = '', name = ''] = written.split('/');
  if (space !== '*' && (space === '.' ? own : space) !== namespace) return false;
  if (name === '*') return true;
  return name.startsWith('*') ? hostname.endsWith(name.slice(1)) : name.toLowerCase() === hostname;
}
