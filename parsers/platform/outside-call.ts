import type { Envelope } from '../../src/model/line.ts';
import { type ConnectionRecord, UNKNOWN_PEER } from '../../src/model/record.ts';
import { redactSecrets } from '../../src/text/redact.ts';

/** What a line tells of a call from a part of the cluster that stands outside of the mesh. */
export interface OutsideCall extends Pick<ConnectionRecord, 'parser' | 'destination' | 'service' | 'error'> {
  /** The part of the cluster that called. */
  readonly caller: string;
  /** Its address; null: not printed. */
  readonly from: string | null;
}

/** A connection that the kubelet or the kube-apiserver opened, and that failed. */
export function outsideCall(envelope: Envelope, { caller, from, ...told }: OutsideCall): ConnectionRecord {
  return {
    kind: 'connection',
    phase: 'complete',
    at: envelope.at,
    proxy: 'kubernetes',
    reporter: 'source',
    origin: envelope.origin,
    time: envelope.time,
    raw: redactSecrets(envelope.payload),
    source: { ...UNKNOWN_PEER, workload: caller, address: from },
    hboneAddress: null,
    bytesSent: null,
    bytesReceived: null,
    durationMs: null,
    envoy: null,
    ...told,
  };
}
