import { cameInPlaintext } from '../../causes/envoy-record.ts';
import type { Finding } from '../../model/finding.ts';
import type { ConnectionRecord, LogRecord, RequestRecord } from '../../model/record.ts';

/**
 * What is known of the caller's identity: `known`; `unprinted`: it has proven one, or may have, and the line does not
 * print it; `plaintext`: it came without mutual TLS and so has none.
 */
export type IdentityProof = 'known' | 'unprinted' | 'plaintext';

/** What the records of a finding prove of the caller's identity. Findings without records are of plain text. */
export function identityProof(finding: Finding): IdentityProof {
  if (finding.source.principal !== null) return 'known';
  return trafficOf(finding).some(isUnprinted) ? 'unprinted' : 'plaintext';
}

/**
 * True where the caller may have proven an identity that the record does not print: ztunnel always prints what it verified,
 * Envoy only where its log format asks for it.
 */
export function isUnprinted(record: ConnectionRecord | RequestRecord): boolean {
  return record.envoy !== null && !cameInPlaintext(record);
}

/**
 * True if a record's source address is one of X-Forwarded-For, and so not the caller's own: Envoy prints it with port 0
 * (envoy 1.37, access log DOWNSTREAM_REMOTE_ADDRESS).
 */
export function isForwarded(finding: Finding): boolean {
  return trafficOf(finding).some(({ envoy, source }) => envoy !== null && source.port === 0);
}

/** True where the records show that the caller proved an identity: a waypoint's clients, and who sends Istio's SNI. */
export function hasProven(finding: Finding): boolean {
  return trafficOf(finding).some(
    ({ envoy, reporter }) => reporter === 'waypoint' || envoy?.serverName?.startsWith('outbound_.') === true,
  );
}

/** True where a client named a server in its TLS handshake, without which a gateway sees no client certificate. */
export function namesServer(finding: Finding): boolean {
  return trafficOf(finding).some(({ envoy }) => (envoy?.serverName ?? null) !== null);
}

/** The addresses that called, as far as they are the caller's own. */
export function ownAddresses(finding: Finding): readonly string[] {
  return isForwarded(finding) ? [] : finding.source.addresses;
}

function trafficOf(finding: Finding): readonly (ConnectionRecord | RequestRecord)[] {
  return finding.flows.map(({ record }) => record).filter(isTraffic);
}

function isTraffic(record: LogRecord): record is ConnectionRecord | RequestRecord {
  return record.kind !== 'diagnostic';
}
