import type { Envelope, Instant } from '../../src/model/line.ts';
import type { ConnectionRecord, Peer, Reporter } from '../../src/model/record.ts';
import { parseHostPort } from '../../src/text/address.ts';
import { parseDurationMs } from '../../src/text/duration.ts';
import type { Fields } from '../../src/text/key-value.ts';
import { parseSpiffeId } from '../../src/text/spiffe.ts';

/** The fields of an access line as text, unescaped; null: not printed (istio/ztunnel 62d82653 src/proxy/metrics.rs). */
export interface AccessValues {
  readonly srcAddr: string | null;
  readonly srcWorkload: string | null;
  readonly srcNamespace: string | null;
  readonly srcIdentity: string | null;
  readonly srcCluster: string | null;
  readonly dstAddr: string | null;
  readonly dstHboneAddr: string | null;
  readonly dstService: string | null;
  readonly dstWorkload: string | null;
  readonly dstNamespace: string | null;
  readonly dstIdentity: string | null;
  readonly dstCluster: string | null;
  readonly direction: string | null;
  readonly bytesSent: string | null;
  readonly bytesReceived: string | null;
  readonly duration: string | null;
  readonly error: string | null;
}

/** What stands before the fields, and which parser read it. */
export interface AccessHead {
  readonly parser: string;
  readonly phase: ConnectionRecord['phase'];
  /** ztunnel's own time; null: none, or without date. */
  readonly time: Instant | null;
}

/** The phase that an access line's message names; null: none of the three that ztunnel prints. */
export function phaseOf(message: string): ConnectionRecord['phase'] | null {
  switch (message) {
    case 'connection complete':
      return 'complete';
    case 'connection failed':
      return 'failed';
    case 'connection opened':
      return 'opened';
    default:
      return null;
  }
}

/** The values by key, from whatever holds them. `text` answers null for a key that was not printed. */
export function accessValues(text: (key: string) => string | null): AccessValues {
  return {
    srcAddr: text('src.addr'),
    srcWorkload: text('src.workload'),
    srcNamespace: text('src.namespace'),
    srcIdentity: text('src.identity'),
    srcCluster: text('src.cluster'),
    dstAddr: text('dst.addr'),
    dstHboneAddr: text('dst.hbone_addr'),
    dstService: text('dst.service'),
    dstWorkload: text('dst.workload'),
    dstNamespace: text('dst.namespace'),
    dstIdentity: text('dst.identity'),
    dstCluster: text('dst.cluster'),
    direction: text('direction'),
    bytesSent: text('bytes_sent'),
    bytesReceived: text('bytes_recv'),
    duration: text('duration'),
    error: text('error'),
  };
}

/** The same from pairs. */
export function pairValues(pairs: Fields): AccessValues {
  return accessValues((key) => pairs.get(key) ?? null);
}

/** Keys about the two ends, which hardly any other program prints. */
export const END_KEYS: ReadonlySet<string> = new Set([
  'src.addr',
  'src.workload',
  'src.namespace',
  'src.identity',
  'src.cluster',
  'dst.addr',
  'dst.hbone_addr',
  'dst.service',
  'dst.workload',
  'dst.namespace',
  'dst.identity',
  'dst.cluster',
  'direction',
]);

/** Keys about the outcome. */
export const OUTCOME_KEYS: ReadonlySet<string> = new Set(['bytes_sent', 'bytes_recv', 'duration', 'error']);

/** Whether one of the keys about the two ends is there. */
export function hasEndKey(pairs: Fields): boolean {
  for (const key of pairs.keys()) if (END_KEYS.has(key)) return true;
  return false;
}

/** The record of an access line. A record without time of its own takes the collector's. */
export function connectionOf(envelope: Envelope, head: AccessHead, values: AccessValues): ConnectionRecord {
  return {
    kind: 'connection',
    at: envelope.at,
    parser: head.parser,
    proxy: 'ztunnel',
    reporter: reporterOf(values.direction),
    origin: envelope.origin,
    time: head.time ?? envelope.time,
    raw: envelope.payload,
    phase: head.phase,
    source: peer(values.srcAddr, values.srcWorkload, values.srcNamespace, values.srcIdentity, values.srcCluster),
    destination: peer(values.dstAddr, values.dstWorkload, values.dstNamespace, values.dstIdentity, values.dstCluster),
    service: values.dstService,
    hboneAddress: values.dstHboneAddr,
    bytesSent: count(values.bytesSent),
    bytesReceived: count(values.bytesReceived),
    durationMs: parseDurationMs(values.duration),
    error: values.error,
    envoy: null,
  };
}

/** The end that wrote a line with this `direction`; null: the line does not say. */
export function reporterOf(direction: string | null): Reporter {
  if (direction === 'outbound') return 'source';
  return direction === 'inbound' ? 'destination' : null;
}

function peer(
  addr: string | null,
  workload: string | null,
  namespace: string | null,
  identity: string | null,
  cluster: string | null,
): Peer {
  const parsed = parseHostPort(addr);
  return {
    address: parsed === null ? addr : parsed.host,
    port: parsed === null ? null : parsed.port,
    workload,
    namespace,
    identity: parseSpiffeId(identity),
    cluster,
  };
}

/** A count as printed: digits only, at most 15 of them. */
function count(value: string | null): number | null {
  if (value === null || value.length === 0 || value.length > 15) return null;
  let number = 0;
  for (let at = 0; at < value.length; at++) {
    const digit = value.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return null;
    number = number * 10 + digit;
  }
  return number;
}
