import type { LogRecord, Peer } from '../model/record.ts';
import { parseHostPort } from './address.ts';
import { principalOf } from './spiffe.ts';
import { workloadOf } from './workload.ts';

const NOBODY = 'an unknown caller';

/**
 * Who called, for a sentence: `namespace/workload`, else the principal, else the address. An address that Envoy read from
 * X-Forwarded-For, which it prints with port 0, is not the caller's and is said to be none. Untrusted text.
 */
export function sourceName(record: LogRecord): string {
  if (record.kind === 'diagnostic') return NOBODY;
  const { source } = record;
  const isForwarded =
    record.envoy !== null && source.port === 0 && source.workload === null && source.identity === null;
  return isForwarded ? `${NOBODY} (X-Forwarded-For ${source.address})` : (peerName(source) ?? NOBODY);
}

/**
 * Who was called, for a sentence: the workload, with the port of the pod; else Service or address. A diagnostic line names
 * the pod whose proxy spoke in its span (`wl`). Untrusted text.
 */
export function destinationName(record: LogRecord): string {
  if (record.kind === 'diagnostic') return record.fields['wl'] ?? 'a pod of this node';
  const port = destinationPort(record);
  const name = workloadName(record.destination) ?? record.service ?? peerName(record.destination) ?? 'its destination';
  return port === null ? name : `${name} port ${port}`;
}

/** The port of the call that policies see: inside the tunnel where there is one. Null: not told. */
export function destinationPort(record: LogRecord): number | null {
  if (record.kind === 'diagnostic') return null;
  if (record.kind === 'connection' && record.hboneAddress !== null)
    return parseHostPort(record.hboneAddress)?.port ?? null;
  return record.destination.port === 15008 ? null : record.destination.port;
}

function peerName(peer: Peer): string | null {
  if (peer.workload !== null) return workloadName(peer);
  if (peer.identity !== null) return principalOf(peer.identity);
  return peer.address;
}

function workloadName(peer: Peer): string | null {
  if (peer.workload === null) return null;
  const workload = workloadOf(peer.workload);
  return peer.namespace === null ? workload : `${peer.namespace}/${workload}`;
}
