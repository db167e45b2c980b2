import type { LogRecord } from '../model/record.ts';
import { parseHostPort } from '../text/address.ts';

/**
 * The waypoint or gateway that a tunnel of the source leads to, named by its pod, else by its address: the tunnel asks for
 * another address than the one that is dialled. Null: the tunnel leads to the destination itself, or the line does not tell
 * (istio/ztunnel 62d82653 src/proxy/outbound.rs). Untrusted text.
 */
export function relayOf(record: LogRecord): string | null {
  if (record.kind !== 'connection' || record.reporter !== 'source') return null;
  const { hboneAddress, destination } = record;
  const asked = parseHostPort(hboneAddress)?.host ?? null;
  if (asked === null || destination.address === null || asked === destination.address) return null;
  return destination.workload ?? destination.address;
}
