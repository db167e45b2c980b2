import type { EnforcedBy } from '../model/finding.ts';
import type { MeshView } from '../model/mesh.ts';
import type { EnvoyFacts, LogRecord } from '../model/record.ts';
import { parseHostPort } from '../text/address.ts';

/** A cluster name of Istio in its parts: `outbound|80|v2|web.shop.svc.cluster.local`. Absent parts are null. */
export interface ClusterName {
  readonly direction: 'inbound' | 'inbound-vip' | 'outbound';
  readonly port: number | null;
  readonly subset: string | null;
  readonly host: string | null;
}

const CLUSTER = /^(inbound-vip|inbound|outbound)\|(\d*)\|([^|]*)\|(.*?);?$/;

/** The parts of a cluster name, null for names that Istio did not make in this form (`PassthroughCluster`). */
export function parseClusterName(cluster: string | null): ClusterName | null {
  const match = CLUSTER.exec(cluster ?? '');
  if (match === null) return null;
  const [, direction, port = '', subset = '', host = ''] = match;
  return {
    direction: direction === 'inbound' || direction === 'inbound-vip' ? direction : 'outbound',
    port: port === '' ? null : Number(port),
    subset: subset === '' ? null : subset,
    host: host === '' ? null : host,
  };
}

/** What Envoy tells of a record; null for a record of another proxy and for a diagnostic. */
export function envoyFacts(record: LogRecord): EnvoyFacts | null {
  return record.kind === 'diagnostic' ? null : record.envoy;
}

/** Whether a sidecar wrote the line about a call to its own application. Null: the line does not tell. */
export function isInbound(record: LogRecord): boolean | null {
  const cluster = envoyFacts(record)?.cluster ?? null;
  if (cluster?.startsWith('inbound|') || cluster?.startsWith('InboundPassthrough')) return true;
  if (cluster !== null) return false;
  return record.reporter === null ? null : record.reporter === 'destination';
}

/**
 * The proxy that answered with a denial of its own; null where the line has no cluster: not known. Sidecars have no policy
 * filters on the way out, so a denial on a line with an outbound cluster is a gateway's (istio 86c9f01f pilot/pkg/networking/core/listener_builder.go).
 */
export function enforcerOf(record: LogRecord): EnforcedBy {
  if (record.reporter === 'waypoint' || record.reporter === 'gateway') return record.reporter;
  const direction = parseClusterName(envoyFacts(record)?.cluster ?? null)?.direction ?? null;
  if (direction === 'inbound-vip') return 'waypoint';
  if (direction === 'outbound') return 'gateway';
  return direction === 'inbound' ? 'sidecar' : null;
}

/**
 * Who was called, for a sentence: the host of the cluster or request and, where it is known, the address that was dialled.
 * Untrusted text.
 */
export function calledName(record: LogRecord): string {
  if (record.kind === 'diagnostic') return 'the destination';
  const facts = record.envoy;
  const host = parseClusterName(facts?.cluster ?? null)?.host ?? record.service;
  const authority = record.kind === 'request' ? record.authority : null;
  const dialled = facts?.upstreamHost ?? facts?.downstreamLocal ?? record.destination.address;
  const name = host ?? authority ?? facts?.serverName ?? null;
  if (name === null) return dialled ?? 'the destination';
  return dialled === null || dialled === undefined ? name : `${name} (${dialled})`;
}

/** Method, host and path of a request for a sentence, or `the connection`. Without query. Untrusted text. */
export function requestName(record: LogRecord): string {
  if (record.kind !== 'request') return 'The connection';
  const path = record.path?.split('?', 1)[0] ?? '';
  return record.method === null ? 'The request' : `${record.method} ${record.authority ?? ''}${path}`;
}

/** IP address of the host that was dialled; null if none was or it is no address. */
export function dialledAddress(record: LogRecord): string | null {
  const dialled = parseHostPort(envoyFacts(record)?.upstreamHost ?? null);
  return dialled?.port === null ? null : (dialled?.host ?? null);
}

/**
 * True where the line shows that a sidecar got the connection without mutual TLS: Istio's clients always name themselves
 * in the SNI. Only with Istio's own columns around it, as other formats leave the SNI out; never at gateways and waypoints.
 */
export function cameInPlaintext(record: LogRecord): boolean {
  const facts = envoyFacts(record);
  if (facts === null || record.kind === 'diagnostic' || record.source.identity !== null) return false;
  const hasColumns = facts.downstreamLocal !== null && facts.downstreamRemote !== null && facts.cluster !== null;
  // A connection has no route, so that its line shows by the parser only that the format is one of Istio's defaults.
  const isDefault = facts.route !== null || (record.kind === 'connection' && DEFAULT_FORMAT.test(record.parser));
  return hasColumns && facts.serverName === null && isInbound(record) === true && isDefault;
}

/** Parsers of formats that have Istio's default columns, the SNI among them. */
const DEFAULT_FORMAT = /^envoy-(?:text(?:-1\.\d+)?|json)$/;

/** What a denial line leaves out, for `unchecked`: nothing if the caller's identity is on it. */
export function unseenIdentity(record: LogRecord): readonly string[] {
  if (record.kind === 'diagnostic' || record.source.identity !== null) return [];
  // Clients of a gateway rarely have a certificate, and none without TLS.
  if (enforcerOf(record) === 'gateway' && envoyFacts(record)?.serverName === null) return [];
  return [
    'The identity of the caller is not in this log format. Add peer=%DOWNSTREAM_PEER_URI_SAN% to meshConfig.accessLogFormat (at a waypoint %FILTER_STATE(io.istio.peer_principal:PLAIN)%), or read the log of the caller together with this one.',
  ];
}

/** For `unchecked`: where policies of a gateway stand, which is its own namespace, if neither line nor mesh tells which. */
export function unknownGateway(record: LogRecord, mesh: MeshView): readonly string[] {
  if (enforcerOf(record) !== 'gateway' || record.origin.namespace !== null) return [];
  const local = parseHostPort(envoyFacts(record)?.downstreamLocal ?? null);
  if (local !== null && mesh.podByIp(local.host) !== null) return [];
  return [
    'Which gateway this was: its policies stand in its own namespace, not in that of the Service behind it. Give its pods with --mesh.',
  ];
}
