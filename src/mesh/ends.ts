import type { DestinationEnd, SourceEnd } from '../model/finding.ts';
import type { MeshView, Pod } from '../model/mesh.ts';
import type { ConnectionRecord, DiagnosticRecord, LogRecord, RequestRecord, SpiffeId } from '../model/record.ts';
import type { Flow } from '../model/traffic.ts';
import { parseHostPort } from '../text/address.ts';
import { parseKnativeCall } from '../text/knative-line.ts';
import { identityOf, identityParts, parseSpiffeId, principalOf } from '../text/spiffe.ts';
import { workloadOf } from '../text/workload.ts';

/** A source about which nothing is known. */
const NO_SOURCE: SourceEnd = { identity: null, principal: null, workload: null, namespace: null, addresses: [] };
/** A destination about which nothing is known. */
const NO_DESTINATION: DestinationEnd = {
  identity: null,
  workload: null,
  namespace: null,
  service: null,
  address: null,
  port: null,
};

/**
 * Who called, from the record and the mesh. An identity is taken from the mesh only where the record shows that the
 * caller proved one (mutual TLS): a pod that spoke plain text has none, whatever its service account.
 */
export function sourceEnd(flow: Flow, mesh: MeshView): SourceEnd {
  const { record } = flow;
  if (record.kind === 'diagnostic')
    return (
      knativeSource(record, mesh) ??
      dumpedSource(record) ??
      diagnosticSource(record.fields, record.origin.pod, record.origin.namespace)
    );
  const { source } = record;
  const pod = ownsAddress(record) ? podAt(source.address, mesh) : null;
  const identity = source.identity ?? (provedIdentity(record) && pod !== null ? podIdentity(pod, mesh) : null);
  const parts = identity === null ? null : identityParts(identity);
  const podName = source.workload ?? pod?.name ?? (record.reporter === 'source' ? besidePod(record) : null);
  return {
    identity,
    principal: identity === null ? null : principalOf(identity),
    workload: podName === null ? null : workloadOf(podName),
    namespace: source.namespace ?? pod?.namespace ?? parts?.namespace ?? null,
    addresses: flow.sourceAddresses,
  };
}

/** Who was called: the pod and the port that policies see, as far as the record and the mesh tell. */
export function destinationEnd(record: LogRecord, mesh: MeshView): DestinationEnd {
  return record.kind === 'diagnostic'
    ? (dumpedDestination(record, mesh) ?? revisionCalled(record, mesh))
    : destinationOf(record, mesh);
}

function destinationOf(record: ConnectionRecord | RequestRecord, mesh: MeshView): DestinationEnd {
  const { destination } = record;
  const inner = record.kind === 'connection' ? parseHostPort(record.hboneAddress) : null;
  const pod = podAt(destination.address, mesh);
  const service = record.service ?? serviceAt(inner?.host ?? destination.address, mesh);
  const isOwn = record.reporter === 'destination' || refusesItself(record);
  const podName = destination.workload ?? pod?.name ?? (isOwn ? besidePod(record) : null);
  const identity = destination.identity ?? (pod === null ? null : podIdentity(pod, mesh));
  const namespace =
    destination.namespace ??
    pod?.namespace ??
    (identity === null ? null : (identityParts(identity)?.namespace ?? null)) ??
    (refusesItself(record) ? record.origin.namespace : serviceNamespace(service));
  return {
    identity,
    workload: podName === null ? null : workloadOf(podName),
    namespace,
    service,
    address: destination.address,
    port: inner?.port ?? destination.port,
  };
}

/** Names of a destination that mean the same in all lines about it, the most telling one first. */
export function destinationNames({ namespace, workload, service, address }: DestinationEnd): readonly string[] {
  const names = [workload === null ? null : `${namespace}/${workload}`, service, address];
  return names.filter((name) => name !== null);
}

/** The pod whose proxy printed the line; null: not told. A ztunnel stands beside no pod: its own is that of the node. */
function besidePod({ proxy, origin }: ConnectionRecord | RequestRecord): string | null {
  return proxy === 'ztunnel' ? null : origin.pod;
}

const POLICY_ANSWER = /^(?:rbac_access_denied|jwt_authn_access_denied|ext_authz_)/;

/**
 * True where a gateway refused by itself: then it is the one whose policies count, in its own namespace, and not the Service
 * that the request was meant for. Sidecars have no policy filters on the way out (istio 86c9f01f
 * pilot/pkg/networking/core/listener_builder.go).
 */
function refusesItself(record: ConnectionRecord | RequestRecord): boolean {
  const { envoy } = record;
  if (envoy === null || envoy.upstreamHost !== null) return false;
  const isGateway = record.reporter === 'gateway' || envoy.cluster?.startsWith('outbound|') === true;
  const status = record.kind === 'request' && !envoy.detailsKnown ? record.status : null;
  const answer = envoy.details ?? envoy.termination ?? '';
  return isGateway && (POLICY_ANSWER.test(answer) || status === 401 || status === 403);
}

/**
 * Who called by what Envoy's RBAC filter printed of a request before it denied it, with the identity that the caller proved;
 * null: another line.
 */
function dumpedSource({ fields }: DiagnosticRecord): SourceEnd | null {
  const address = parseHostPort(fields['directRemoteIP'] ?? fields['sourceIP'] ?? null)?.host ?? null;
  if (address === null) return null;
  const identity = parseSpiffeId(fields['uriSanPeerCertificate'] ?? null);
  const parts = identity === null ? null : identityParts(identity);
  return {
    ...NO_SOURCE,
    identity,
    principal: identity === null ? null : principalOf(identity),
    namespace: parts?.namespace ?? null,
    addresses: [address],
  };
}

/** Who was called by the same; the proxy stands beside that pod. */
function dumpedDestination({ fields, origin }: DiagnosticRecord, mesh: MeshView): DestinationEnd | null {
  const called = parseHostPort(fields['localAddress'] ?? null);
  if (called === null) return null;
  const pod = podAt(called.host, mesh);
  const name = pod?.name ?? origin.pod;
  return {
    ...NO_DESTINATION,
    identity: pod === null ? null : podIdentity(pod, mesh),
    workload: name === null ? null : workloadOf(name),
    namespace: pod?.namespace ?? origin.namespace,
    address: called.host,
    port: called.port,
  };
}

/** Diagnostics name a pod in a span (`wl=namespace/pod`) at best. */
function diagnosticSource(
  fields: Readonly<Record<string, string>>,
  pod: string | null,
  namespace: string | null,
): SourceEnd {
  const [spanNamespace, spanPod] = fields['wl']?.split('/') ?? [];
  const name = spanPod ?? pod;
  return { ...NO_SOURCE, workload: name === null ? null : workloadOf(name), namespace: spanNamespace ?? namespace };
}

/** Knative's activator and autoscaler tell of their own calls; null: the line is of another program, or of something else. */
function knativeSource({ proxy, scope, message, fields, origin }: DiagnosticRecord, mesh: MeshView): SourceEnd | null {
  const call = proxy === 'knative' ? parseKnativeCall(scope, message, fields) : null;
  if (call === null) return null;
  const namespace = origin.namespace ?? 'knative-serving';
  const pod = mesh.podByName(namespace, call.pod ?? origin.pod ?? '') ?? podLabelled(namespace, call.component, mesh);
  const isInMesh = pod?.dataplane === 'sidecar' || pod?.dataplane === 'ambient';
  const identity = pod !== null && isInMesh && call.denied ? podIdentity(pod, mesh) : null;
  return {
    identity,
    principal: identity === null ? null : principalOf(identity),
    workload: call.component,
    namespace,
    addresses: [],
  };
}

function podLabelled(namespace: string, app: string, { pods }: MeshView): Pod | null {
  return pods.find((pod) => pod.namespace === namespace && pod.labels['app'] === app) ?? null;
}

function revisionCalled({ proxy, scope, message, fields }: DiagnosticRecord, mesh: MeshView): DestinationEnd {
  const call = proxy === 'knative' ? parseKnativeCall(scope, message, fields) : null;
  if (call === null) return NO_DESTINATION;
  const { host, port, revision } = call;
  const service = mesh.serviceByHost(host)?.hostname ?? serviceAt(host, mesh);
  return {
    ...NO_DESTINATION,
    workload: revision === null ? null : `${revision.name}-deployment`,
    namespace: revision?.namespace ?? serviceNamespace(service),
    service,
    address: /^[\d.]+$/.test(host) ? host : null,
    port,
  };
}

function podAt(address: string | null, mesh: MeshView): Pod | null {
  return address === null ? null : mesh.podByIp(address);
}

function serviceAt(host: string | null, mesh: MeshView): string | null {
  if (host === null) return null;
  return mesh.serviceByIp(host)?.hostname ?? null;
}

function serviceNamespace(service: string | null): string | null {
  const match = /^[^.]+\.([^.]+)\.svc(?:\.|$)/.exec(service ?? '');
  return match?.[1] ?? null;
}

function podIdentity(pod: Pod, mesh: MeshView): SpiffeId {
  return identityOf(mesh.trustDomain, pod.namespace, pod.serviceAccount);
}

/**
 * False where the printed address is not the peer's own: with X-Forwarded-For Envoy prints the forwarded address with
 * port 0 (envoy 1.37, access log DOWNSTREAM_REMOTE_ADDRESS).
 */
function ownsAddress(record: ConnectionRecord | RequestRecord): boolean {
  return record.envoy === null || record.source.port !== 0;
}

/** Whether the caller proved an identity, though the record does not print it (Envoy's default formats). */
function provedIdentity(record: ConnectionRecord | RequestRecord): boolean {
  if (record.envoy === null) return false;
  if (record.reporter === 'source' || record.reporter === 'waypoint') return true;
  // Sidecars send this name on every connection with mutual TLS (istio 86c9f01f pilot/pkg/networking/core/cluster_tls.go).
  return record.reporter === 'destination' && record.envoy.serverName?.startsWith('outbound_.') === true;
}
