import type { SpiffeId } from '../../model/record.ts';
import { identityParts, principalOf } from '../../text/spiffe.ts';
import { blockHolds, type IpAddress, type IpBlock, parsePeerIp } from '../match-ip.ts';
import { matchesList } from '../match-string.ts';
import type { Constraint, ServiceAccountMatch, ZtunnelMatch, ZtunnelPolicy, ZtunnelRule } from './form.ts';

/** A connection as the destination's ztunnel sees it. */
export interface ZtunnelConnection {
  /** Address of the TCP peer; a gateway's or waypoint's for what came through one. */
  readonly sourceIp: string;
  /** Identity in the peer's certificate; null: plaintext. */
  readonly identity: SpiffeId | null;
  readonly destinationIp: string;
  /** Port of the pod, never that of the Service. */
  readonly destinationPort: number;
}

/** A connection made ready for comparing. */
export interface Peer {
  /** Identity without scheme; null: plaintext. */
  readonly principal: string | null;
  /** Namespace and service account in the identity; empty for plaintext. */
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Null: unreadable, in no block. */
  readonly sourceIp: IpAddress | null;
  readonly destinationIp: IpAddress | null;
  readonly destinationPort: number;
}

/**
 * Makes a connection ready. An identity that is not of Istio's form counts as none: ztunnel takes the first name in the
 * certificate that it can read (istio/ztunnel 62d82653 src/tls/certificate.rs).
 */
export function readPeer(connection: ZtunnelConnection): Peer {
  const { identity } = connection;
  const parts = identity === null ? null : identityParts(identity);
  return {
    principal: identity === null || parts === null ? null : principalOf(identity),
    namespace: parts?.namespace ?? '',
    serviceAccount: parts?.serviceAccount ?? '',
    sourceIp: parsePeerIp(connection.sourceIp),
    destinationIp: parsePeerIp(connection.destinationIp),
    destinationPort: connection.destinationPort,
  };
}

/** Whether the policy matches, whatever its action (istio/ztunnel 62d82653 src/rbac.rs). */
export function policyMatches(policy: ZtunnelPolicy, peer: Peer): boolean {
  for (const rule of policy.rules) if (ruleMatches(rule, peer)) return true;
  return false;
}

/** Whether every clause of the rule has a match that holds. */
export function ruleMatches(rule: ZtunnelRule, peer: Peer): boolean {
  for (const clause of rule.clauses) if (!clauseHolds(clause, peer)) return false;
  return true;
}

function clauseHolds(clause: readonly ZtunnelMatch[], peer: Peer): boolean {
  for (const match of clause) if (matchHolds(match, peer)) return true;
  return false;
}

/** Whether all constraints hold. An entry without any is skipped by ztunnel, so it does not match. */
export function matchHolds({ constraints }: ZtunnelMatch, peer: Peer): boolean {
  for (const constraint of constraints) if (!constraintHolds(constraint, peer)) return false;
  return constraints.length > 0;
}

/** Whether one of the values matches, or, where negated, none does. */
export function constraintHolds(constraint: Constraint, peer: Peer): boolean {
  return anyMatches(constraint, peer) !== constraint.negated;
}

/** Without an identity no principal and no service account matches, not even a pattern. */
function anyMatches(constraint: Constraint, peer: Peer): boolean {
  switch (constraint.field) {
    case 'principals':
      return peer.principal !== null && matchesList(constraint.values, peer.principal);
    case 'namespaces':
      return matchesList(constraint.values, peer.namespace);
    case 'serviceAccounts':
      return peer.principal !== null && anyAccount(constraint.values, peer);
    case 'sourceIps':
      return peer.sourceIp !== null && anyBlock(constraint.values, peer.sourceIp);
    case 'destinationIps':
      return peer.destinationIp !== null && anyBlock(constraint.values, peer.destinationIp);
    case 'destinationPorts':
      return constraint.values.includes(peer.destinationPort);
  }
}

// Loops, not `some`: this is asked for every block of every policy, for every connection that is replayed.
function anyAccount(values: readonly ServiceAccountMatch[], { namespace, serviceAccount }: Peer): boolean {
  for (const value of values) if (value.name === serviceAccount && value.namespace === namespace) return true;
  return false;
}

function anyBlock(values: readonly IpBlock[], address: IpAddress): boolean {
  for (const value of values) if (blockHolds(value, address)) return true;
  return false;
}
