import type { SpiffeId } from '../../model/record.ts';
import type { Flow } from '../../model/traffic.ts';
import { parseSpiffeId } from '../../text/spiffe.ts';
import type { Incident } from './incident.ts';

/**
 * The incident with the caller's identity in its flow, where the format has no column for it and the same proxy printed in its
 * debug log whom it denied. Other ends' lines prove nothing: they say who a caller claims or expects to be.
 */
export function withProvedIdentity(incident: Incident): Incident {
  const { flow, others } = incident;
  const { record } = flow;
  if (record.kind === 'diagnostic' || record.envoy === null || record.source.identity !== null) return incident;
  const [identity = null, ...more] = new Set(others.map(dumpedIdentity).filter((told) => told !== null));
  if (identity === null || more.length > 0) return incident;
  return { ...incident, flow: { ...flow, record: { ...record, source: { ...record.source, identity } } } };
}

/** The identity that Envoy's RBAC filter printed before its verdict (`src/traffic/dumps.ts`). */
function dumpedIdentity({ record }: Flow): SpiffeId | null {
  if (record.kind !== 'diagnostic' || record.proxy !== 'envoy') return null;
  return parseSpiffeId(record.fields['uriSanPeerCertificate'] ?? null);
}
