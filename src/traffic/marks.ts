import type { ConnectionRecord, DiagnosticRecord, LogRecord, RequestRecord } from '../model/record.ts';
import { parseHostPort } from '../text/address.ts';

/**
 * What names one event in the lines of all who saw it, up to three short texts: `request ID`, the x-request-id, and `socket
 * ADDRESS PORT`, the caller's end of the connection between the two that print. Untrusted text.
 *
 * A tunnel is a pool of connections: the port that the destination sees is not the one of the source's line, so their sockets
 * say nothing of each other (istio/ztunnel 62d82653 src/proxy/pool.rs). Envoy's own end of a connection to the next hop is
 * UPSTREAM_LOCAL_ADDRESS; port 0 is an address read from X-Forwarded-For (envoy 1.37, access log operators).
 */
export function marksOf(record: LogRecord): readonly string[] {
  const sockets = socketsOf(record).flatMap((socket) => (socket === null ? [] : [`socket ${socket}`]));
  const id = requestId(record);
  return id === null ? sockets : [`request ${id}`, ...sockets];
}

/** Envoy's RBAC filter prints the headers of what it decides about. */
function requestId(record: LogRecord): string | null {
  if (record.kind === 'diagnostic') return record.fields['x-request-id'] ?? null;
  return record.kind === 'request' ? record.envoy.requestId : null;
}

function socketsOf(record: LogRecord): readonly (string | null)[] {
  if (record.kind === 'diagnostic') return socketsTold(record);
  if (record.envoy !== null) return [envoySocket(record)];
  return [withPort(record.source.address, record.source.port)];
}

function envoySocket(record: ConnectionRecord | RequestRecord): string | null {
  const { envoy, reporter } = record;
  if (envoy === null || reporter === 'waypoint') return null;
  const isCaller = reporter === 'source' || reporter === 'gateway';
  const peer = parseHostPort(isCaller ? envoy.upstreamLocal : (envoy.downstreamDirect ?? envoy.downstreamRemote));
  return peer === null ? null : withPort(peer.host, peer.port);
}

/** The peer in a span of ztunnel, the connection that its connection manager closed, the end that Go's error names. */
function socketsTold({ fields, message }: DiagnosticRecord): readonly (string | null)[] {
  const told = [fields['peer'], CLOSED.exec(message)?.[1], GO_ERROR.exec(`${fields['error'] ?? ''} ${message}`)?.[1]];
  return told.map((text) => {
    const peer = parseHostPort(text ?? null);
    return peer === null ? null : withPort(peer.host, peer.port);
  });
}

/** istio/ztunnel 62d82653 src/proxy/connection_manager.rs. */
const CLOSED = /^connection (\S{1,60}?)\(/;
/** Go's net.OpError: operation, network, own end, other end (net/net.go). */
const GO_ERROR = /\b(?:read|write|dial) tcp (\S{1,60})->/;

function withPort(host: string | null, port: number | null): string | null {
  return host === null || port === null || port === 0 ? null : `${host} ${port}`;
}
