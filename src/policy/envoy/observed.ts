import type { MeshView, ObjectRef, Pod } from '../../model/mesh.ts';
import type { ConnectionRecord, EnvoyFacts, RequestRecord, SpiffeId } from '../../model/record.ts';
import { type HostPort, parseHostPort } from '../../text/address.ts';
import { identityOf } from '../../text/spiffe.ts';
import { decodeRequestAuthentication } from '../decode.ts';
import { enginesOf } from '../way/compiled.ts';
import { roleOf } from '../way/role.ts';
import { waypointOfService } from '../way/waypoint.ts';
import { attaches } from './bind.ts';
import { type Known, UNKNOWN } from './known.ts';
import { type EnvoyRequest, type Transport, unknownRequest } from './request.ts';
import type { EnvoyProxy } from './settings.ts';
import type { EnvoyDecision } from './verdict.ts';

/** A connection or request that an Envoy logged. */
export type EnvoyRecord = ConnectionRecord | RequestRecord;

/** The proxy that printed a record, by the mesh. */
export interface ObservedProxy {
  readonly type: EnvoyProxy['type'];
  readonly pod: Pod;
}

/**
 * What the proxy that printed a record decides about it, by the policies of the mesh that admission accepts. A request that
 * was logged got through the listener, so of the transports that are possible one that does counts. Null: no mesh is
 * known, or not the proxy's pod. Never throws.
 */
export function decideObserved(record: EnvoyRecord, mesh: MeshView): EnvoyDecision | null {
  const { envoy } = record;
  const local = parseHostPort(envoy?.downstreamLocal ?? null);
  if (envoy === null || local === null || local.port === null) return null;
  const proxy = observedProxy(record, mesh) ?? namespaceProxy(record, mesh);
  if (proxy === null) return null;
  const served = proxy.type === 'waypoint' ? servedBy(record, local, mesh) : null;
  const engine = enginesOf(mesh).envoyOf(proxy.pod, proxy.type, served?.namespace ?? null);
  const seen = { ...requestOf(record, envoy, local, local.port), service: served };
  const decisions = transportsOf(record, envoy, proxy.type).map((transport) =>
    engine.decide({ ...seen, transport, identity: identityAt(transport, record, mesh) }),
  );
  return decisions.find(({ stage }) => stage !== 'listener' && stage !== 'tls') ?? decisions[0] ?? null;
}

/**
 * The sidecar, gateway or waypoint that printed a record: the pod at the listener's address, or the waypoint of the Service
 * there. Null: not known, or the line is about a call of the own pod, which is judged elsewhere. Never throws.
 */
export function observedProxy(record: EnvoyRecord, mesh: MeshView): ObservedProxy | null {
  const local = parseHostPort(record.envoy?.downstreamLocal ?? null);
  if (!mesh.known || local === null || record.reporter === 'source') return null;
  const service = record.reporter === 'waypoint' ? servedService(record, local, mesh) : mesh.serviceByIp(local.host);
  if (service !== null) {
    const answer = waypointOfService(service, mesh);
    return answer.kind === 'waypoint' ? { type: 'waypoint', pod: answer.waypoint.pod } : null;
  }
  const { namespace, pod: name } = record.origin;
  const pod =
    mesh.podByIp(local.host) ?? (namespace === null || name === null ? null : mesh.podByName(namespace, name));
  if (pod === null) return null;
  return { type: record.reporter === 'gateway' || isGateway(pod, mesh) ? 'gateway' : 'sidecar', pod };
}

/** A pod that prints such lines has an Envoy, whether or not its containers are known. */
function isGateway(pod: Pod, mesh: MeshView): boolean {
  return roleOf({ ...pod, dataplane: 'sidecar' }, mesh) !== 'application';
}

/**
 * Stands for a sidecar of which only the namespace is known: policies with a selector do not reach it, those for the whole
 * namespace do. Null: not even that is known.
 */
function namespaceProxy(record: EnvoyRecord, mesh: MeshView): ObservedProxy | null {
  if (!mesh.known || record.reporter !== 'destination') return null;
  const service = /^[^.]+\.([^.]+)\.svc(?:\.|$)/.exec(record.service ?? '')?.[1];
  const namespace = record.origin.namespace ?? record.destination.namespace ?? service;
  if (namespace === undefined) return null;
  const identity = { name: '', namespace, labels: {}, serviceAccount: '' };
  const pod: Pod = { ...identity, ips: [], node: null, hostNetwork: false, dataplane: 'sidecar', ports: [] };
  return { type: 'sidecar', pod };
}

/** The RequestAuthentications in force at the proxy that printed a record, by the mesh; empty where that is not known. */
export function requestAuthenticationsAt(record: EnvoyRecord, mesh: MeshView): readonly ObjectRef[] {
  const proxy = observedProxy(record, mesh);
  const local = parseHostPort(record.envoy?.downstreamLocal ?? null);
  if (proxy === null || local === null) return [];
  const { namespace, name, labels } = proxy.pod;
  const served = proxy.type === 'waypoint' ? servedBy(record, local, mesh) : null;
  return enginesOf(mesh).inForce.all.flatMap((object) => {
    const policy = object.kind === 'RequestAuthentication' ? decodeRequestAuthentication(object) : null;
    const applies =
      policy?.ok === true &&
      attaches(policy.value, { type: proxy.type, namespace, name, labels }, mesh.rootNamespace, served);
    return applies ? [policy.value.ref] : [];
  });
}

function servedService(record: EnvoyRecord, local: HostPort, mesh: MeshView): ReturnType<MeshView['serviceByIp']> {
  return mesh.serviceByIp(local.host) ?? (record.service === null ? null : mesh.serviceByHost(record.service));
}

function servedBy(record: EnvoyRecord, local: HostPort, mesh: MeshView): EnvoyRequest['service'] {
  const service = servedService(record, local, mesh);
  return service === null ? null : { kind: 'Service', namespace: service.namespace, name: service.name };
}

/** What the line tells of the request. An authorizer that had refused would have printed another line. */
function requestOf(record: EnvoyRecord, envoy: EnvoyFacts, local: HostPort, port: number): EnvoyRequest {
  const remote = parseHostPort(envoy.downstreamRemote);
  const denied = [envoy.details, envoy.termination].some((text) => text?.startsWith('rbac_access_denied') === true);
  const common: EnvoyRequest = {
    ...unknownRequest(port),
    sourceAddress: peerOf(envoy),
    remoteAddress: remote?.host ?? UNKNOWN,
    destinationAddress: local.host,
    serverName: envoy.serverName ?? UNKNOWN,
    authorizer: denied ? { kind: 'allow' } : UNKNOWN,
  };
  if (record.kind === 'connection') return { ...common, protocol: 'tcp' };
  const headers: [string, string][] = [];
  if (envoy.userAgent !== null) headers.push(['user-agent', envoy.userAgent]);
  return {
    ...common,
    method: record.method ?? UNKNOWN,
    host: record.authority ?? UNKNOWN,
    path: record.path ?? UNKNOWN,
    headers,
    http2: record.protocol === 'HTTP/2',
  };
}

/** The TCP peer. Port 0 marks an address out of X-Forwarded-For. */
function peerOf({ downstreamDirect, downstreamRemote }: EnvoyFacts): Known<string> {
  const peer = parseHostPort(downstreamDirect ?? downstreamRemote);
  return peer === null || peer.port === 0 ? UNKNOWN : peer.host;
}

/**
 * How the connection may have come. Clients of the mesh name themselves in the SNI (istio 86c9f01f
 * pilot/pkg/networking/core/cluster_tls.go), so a line with Istio's columns and no SNI came in plaintext.
 */
function transportsOf(record: EnvoyRecord, envoy: EnvoyFacts, type: EnvoyProxy['type']): readonly Known<Transport>[] {
  if (type === 'waypoint' || record.source.identity !== null) return ['mtls'];
  if (type === 'gateway') return envoy.serverName === null ? ['plaintext', 'tls', 'mtls'] : ['tls', 'mtls'];
  if (envoy.serverName !== null) return [envoy.serverName.startsWith('outbound_.') ? 'mtls' : 'tls'];
  const hasColumns = envoy.downstreamRemote !== null && (record.kind === 'connection' || envoy.route !== null);
  return [hasColumns ? 'plaintext' : UNKNOWN];
}

/** Clients prove no identity in plaintext; with mutual TLS theirs is printed, or that of the pod at their address. */
function identityAt(transport: Known<Transport>, record: EnvoyRecord, mesh: MeshView): Known<SpiffeId | null> {
  const { identity, address, port } = record.source;
  if (identity !== null) return identity;
  if (transport === 'plaintext' || transport === 'tls') return null;
  const pod = transport === UNKNOWN || address === null || port === 0 ? null : mesh.podByIp(address);
  return pod === null ? UNKNOWN : identityOf(mesh.trustDomain, pod.namespace, pod.serviceAccount);
}
