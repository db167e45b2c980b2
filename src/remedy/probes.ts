import { destinationEnd, sourceEnd } from '../mesh/ends.ts';
import type { MeshView, Pod, Service } from '../model/mesh.ts';
import type { ConnectionRecord, RequestRecord, SpiffeId } from '../model/record.ts';
import type { Flow } from '../model/traffic.ts';
import {
  type Probe,
  type ProbeDestination,
  type ProbeRequest,
  type ProbeSource,
  UNKNOWN_REQUEST,
} from '../policy/way/probe.ts';
import { parseHostPort } from '../text/address.ts';
import { nameOf } from '../text/object-ref.ts';
import { siblingPath } from '../text/path-shape.ts';
import { identityOf, principalOf } from '../text/spiffe.ts';
import { workloadOf } from '../text/workload.ts';
import { byService } from './by-service.ts';
import { callerOf, isUnprinted, standsForOthers } from './edits/index.ts';
import { knativeRequest } from './edits/knative-call.ts';

/** Who calls whom and how: `cluster.local/ns/shop/sa/web to pay/api:8080 GET /orders`. Untrusted text. */
export function tupleOf({ source, destination, request }: Probe, mesh: MeshView): string {
  const asked = [request.method, request.path].filter((part) => part !== null);
  return [callerText(source, mesh), 'to', destinationText(destination), ...asked].join(' ');
}

/** A caller by its principal, or as plain text from a workload or an address. Untrusted text. */
export function callerText(source: ProbeSource, mesh: MeshView): string {
  if (source.kind === 'identity') return principalOf(source.identity);
  const [pod = null] = source.kind === 'pods' ? source.pods : [source.pod];
  if (pod === null) return `plain text from ${source.kind === 'plain' ? source.ip : source.name}`;
  const isPlain = source.kind === 'plain' || pod.dataplane === 'none';
  return isPlain ? `plain text from ${workloadName(pod)}` : principalOf(identityOfPod(pod, mesh));
}

function destinationText(destination: ProbeDestination): string {
  switch (destination.kind) {
    case 'pods':
      return `${[...new Set(destination.pods.map(workloadName))].join(', ')}:${destination.port}`;
    case 'service':
      return `${destination.service.hostname}:${destination.port}`;
    case 'address':
      return `${destination.ip}:${destination.port}`;
  }
}

/** The identity that the pod has, or would have in the mesh. */
export function identityOfPod({ namespace, serviceAccount }: Pod, { trustDomain }: MeshView): SpiffeId {
  return identityOf(trustDomain, namespace, serviceAccount);
}

/** `namespace/workload`. */
export function workloadName({ namespace, name }: Pod): string {
  return `${namespace}/${workloadOf(name)}`;
}

/** The connection or request of a flow as a probe; null: the record and the mesh do not tell enough to ask again. */
export function probeOfFlow(flow: Flow, mesh: MeshView): Probe | null {
  const record = flow.record.kind === 'diagnostic' ? knativeRequest(flow.record, mesh) : flow.record;
  if (record === null) return null;
  const destination = destinationOf(record, mesh);
  const source = sourceOf({ ...flow, record }, record, mesh);
  if (destination === null || source === null) return null;
  return { source, destination, request: requestOf(record) };
}

/** Without an identity on the line: the pod with the address as it takes part, or plain text where the line shows that. */
function sourceOf(flow: Flow, record: ConnectionRecord | RequestRecord, mesh: MeshView): ProbeSource | null {
  const { address } = record.source;
  const { identity } = sourceEnd(flow, mesh);
  // With X-Forwarded-For an Envoy prints the forwarded address and port 0: not that of the peer.
  const ip = record.source.port === 0 ? null : address;
  const pod = ip === null ? null : mesh.podByIp(ip);
  if (identity !== null) return { kind: 'identity', identity, ip, pods: pod === null ? [] : [pod] };
  if (ip === null) return onTheWire(record, mesh);
  if (pod !== null && isUnprinted(record)) return ofPod(pod);
  return { kind: 'plain', ip, tls: false, pod };
}

/** Who opened the connection, where the line does not print an address of its own: the proxy beside it, or the kubelet. */
function onTheWire(record: ConnectionRecord | RequestRecord, mesh: MeshView): ProbeSource | null {
  // The API server speaks TLS to webhooks, from wherever it stands.
  if (record.proxy === 'kubernetes' && record.service !== null) return { kind: 'plain', ip: '', tls: true, pod: null };
  const source = callerOf(record, mesh);
  if (source === null) return null;
  return 'ip' in source ? { kind: 'plain', ip: source.ip, tls: false, pod: null } : ofPod(source);
}

/** A pod as it takes part in the mesh. */
export function ofPod(pod: Pod): ProbeSource {
  return { kind: 'pods', name: nameOf(pod), pods: [pod] };
}

/**
 * The same question about a mesh whose pods and Services have changed: they are looked up anew, and a caller that spoke
 * plain text speaks as its pod does now.
 */
export function askedOf(mesh: MeshView, { source, destination, request }: Probe): Probe {
  const now = (pod: Pod): Pod => mesh.podByName(pod.namespace, pod.name) ?? pod;
  return { source: sourceNow(source, now), destination: destinationNow(destination, mesh, now), request };
}

/**
 * What was seen, asked of a mesh that has changed, in each way that it may be, the likeliest first. Who spoke plain text is
 * seen at the pod whatever it dialled; once it is in ambient mode, a waypoint stands on the way if that was the Service.
 */
export function waysAgain(mesh: MeshView, probe: Probe): readonly [Probe, ...Probe[]] {
  const asked = askedOf(mesh, probe);
  const service = isAmbient(asked.source) && !isAmbient(probe.source) ? byService(asked, mesh) : null;
  return service === null ? [asked] : [service, asked];
}

/** The likeliest of these ways. */
export function seenAgain(mesh: MeshView, probe: Probe): Probe {
  return waysAgain(mesh, probe)[0];
}

function isAmbient(source: ProbeSource): boolean {
  return source.kind === 'pods' && source.pods.some(({ dataplane }) => dataplane === 'ambient');
}

function sourceNow(source: ProbeSource, now: (pod: Pod) => Pod): ProbeSource {
  if (source.kind !== 'plain') return { ...source, pods: source.pods.map(now) };
  const pod = source.pod === null ? null : now(source.pod);
  return pod?.dataplane === 'ambient' || pod?.dataplane === 'sidecar' ? ofPod(pod) : { ...source, pod };
}

function destinationNow(destination: ProbeDestination, mesh: MeshView, now: (pod: Pod) => Pod): ProbeDestination {
  switch (destination.kind) {
    case 'pods':
      return { ...destination, pods: destination.pods.map(now) };
    case 'service':
      return { ...destination, service: mesh.serviceByHost(destination.service.hostname) ?? destination.service };
    case 'address':
      return destination;
  }
}

function destinationOf(record: ConnectionRecord | RequestRecord, mesh: MeshView): ProbeDestination | null {
  const end = destinationEnd(record, mesh);
  if (end.port === null) return null;
  const inner = record.kind === 'connection' ? parseHostPort(record.hboneAddress) : null;
  const asked = record.reporter === 'waypoint' ? parseHostPort(record.envoy?.downstreamLocal ?? null) : inner;
  const host = asked?.host ?? record.destination.address;
  const pod = host === null ? null : mesh.podByIp(host);
  if (pod !== null && record.reporter !== 'waypoint') return toPod(pod, end.port);
  const service = serviceOf(record, host, mesh);
  return service === null ? null : { kind: 'service', service, port: asked?.port ?? end.port };
}

function serviceOf(record: ConnectionRecord | RequestRecord, host: string | null, mesh: MeshView): Service | null {
  const byHost = record.service === null ? null : mesh.serviceByHost(record.service);
  return byHost ?? (host === null ? null : mesh.serviceByIp(host));
}

/** One pod, at a port of its own. */
export function toPod(pod: Pod, port: number): ProbeDestination {
  return { kind: 'pods', name: nameOf(pod), pods: [pod], port };
}

/**
 * The same for another request that a flow stands for, of whose path only the shape is kept; null: it stands for one path, or
 * cannot be asked again.
 */
export function siblingOfFlow(flow: Flow, mesh: MeshView): Probe | null {
  const probe = standsForOthers(flow) ? probeOfFlow(flow, mesh) : null;
  const path = probe?.request.path ?? null;
  return probe === null || path === null ? null : { ...probe, request: { ...probe.request, path: siblingPath(path) } };
}

/** A connection that was refused does not show what it would have carried: whatever its port takes. */
function requestOf(record: ConnectionRecord | RequestRecord): ProbeRequest {
  if (record.kind === 'connection') return UNKNOWN_REQUEST;
  const { method, path, authority } = record;
  return { ...UNKNOWN_REQUEST, protocol: 'http', method, path, host: authority };
}
