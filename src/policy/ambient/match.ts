import type { SpiffeId } from '../../model/record.ts';
import { identityParts, principalOf } from '../../text/spiffe.ts';
import { blockHolds, type IpAddress, parsePeerIp } from '../match-ip.ts';
import { matchesString } from '../match-string.ts';
import type { Constraint, ZtunnelMatch, ZtunnelPolicy, ZtunnelRule } from './form.ts';

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
  return policy.rules.some((rule) => ruleMatches(rule, peer));
}

/** Whether every clause of the rule has a match that holds. */
export function ruleMatches(rule: ZtunnelRule, peer: Peer): boolean {
  return rule.clauses.every((matches) => matches.some((match) => matchHolds(match, peer)));
}

/** Whether all constraints hold. An entry without any is skipped by ztunnel, so it does not match. */
export function matchHolds({ constraints }: ZtunnelMatch, peer: Peer): boolean {
  return constraints.length > 0 && constraints.every((constraint) => constraintHolds(constraint, peer));
}

/** Whether one of the values matches, or, where negated, none does. */
export function constraintHolds(constraint: Constraint, peer: Peer): boolean {
  return anyMatches(constraint, peer) !== constraint.negated;
}

/** Without an identity no principal and no service account matches, not even a pattern. */
function anyMatches(constraint: Constraint, peer: Peer): boolean {
  switch (constraint.field) {
    case 'principals': {
      const { principal } = peer;
      return principal !== null && constraint.values.some((value) => matchesString(value, principal));
    }
    case 'namespaces':
      return constraint.values.some((value) => matchesString(value, peer.namespace));
    case 'serviceAccounts':
      return (
        peer.principal !== null &&
        constraint.values.some(({ namespace, name }) => namespace === peer.namespace && name === peer.serviceAccount)
      );
    case 'sourceIps':
      return constraint.values.some((block) => peer.sourceIp !== null && blockHolds(block, peer.sourceIp));
    case 'destinationIps':
      return constraint.values.some((block) => peer.destinationIp !== null && blockHolds(block, peer.destinationIp));
    case 'destinationPorts':
      return constraint.values.includes(peer.destinationPort);
  }
}
