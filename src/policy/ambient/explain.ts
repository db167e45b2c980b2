import type { ObjectRef } from '../../model/mesh.ts';
import type { Decision } from '../../model/policy.ts';
import type { ZtunnelDecision, ZtunnelWorkload } from './decide.ts';
import type { ZtunnelPolicy } from './form.ts';
import type { ZtunnelConnection } from './match.ts';
import { nearMisses } from './near-miss.ts';

/** Names told of in one sentence, at most. */
const MAX_NAMES = 5;

/** What ztunnel decides about a connection and why, in the words every decision of meshmend has. Never throws. */
export function explainZtunnel(workload: ZtunnelWorkload, connection: ZtunnelConnection): Decision {
  const decision = workload.decide(connection);
  const { outcome, error, deniedBy, allowedBy } = decision;
  const determining = deniedBy.length > 0 ? deniedBy : outcome === 'allow' ? allowedBy : workload.allows;
  return {
    outcome,
    because: `${because(decision, workload, connection)}${skipped(workload)}`,
    determining: determining.map((policy) => objectBehind(policy, workload)),
    nearMiss: nearMisses(workload, connection, decision),
    error,
  };
}

/** The object an operator would edit: for static strict the PeerAuthentication whose STRICT holds for the workload. */
function objectBehind(policy: ZtunnelPolicy, workload: ZtunnelWorkload): ObjectRef {
  return (
    policy.source ??
    workload.mutualTls.decidedBy?.ref ?? { kind: 'PeerAuthentication', namespace: policy.namespace, name: policy.name }
  );
}

function because(decision: ZtunnelDecision, workload: ZtunnelWorkload, connection: ZtunnelConnection): string {
  const { outcome, deniedBy, allowedBy } = decision;
  const told = deniedBy.slice(0, MAX_NAMES).map((policy) => denial(policy, workload, connection));
  if (told.length > 0) return told.join('; ');
  if (outcome === 'deny') return noneAllowed(workload.allows);
  if (allowedBy.length > 0) return `allowed by ${names(allowedBy)}`;
  return 'no DENY policy matches and no ALLOW policy applies, so everything else is allowed';
}

function denial(policy: ZtunnelPolicy, workload: ZtunnelWorkload, { destinationPort }: ZtunnelConnection): string {
  const { kind, namespace, name } = objectBehind(policy, workload);
  if (kind !== 'PeerAuthentication') return `DENY policy ${namespace}/${name} matches`;
  return `${kind} ${namespace}/${name} demands mutual TLS on port ${destinationPort}, and the connection is plaintext`;
}

function noneAllowed(allows: readonly ZtunnelPolicy[]): string {
  const empty = allows.filter(({ rules, dropped }) => rules.length === 0 && dropped.length === 0);
  const emptied = allows.filter(({ rules, dropped }) => rules.length === 0 && dropped.length > 0);
  return [
    `ALLOW policies apply (${names(allows)}) and no rule of them matches`,
    ...(empty.length > 0 ? [`without rules, so allowing nothing: ${names(empty)}`] : []),
    ...(emptied.length > 0 ? [`left without rules because all hold HTTP attributes: ${names(emptied)}`] : []),
  ].join('; ');
}

function skipped({ unknown }: ZtunnelWorkload): string {
  if (unknown.length === 0) return '';
  return `; istiod lists ${unknown.join(', ')} on the workload and never sends it, so ztunnel goes on without`;
}

function names(policies: readonly ZtunnelPolicy[]): string {
  const told = policies.slice(0, MAX_NAMES).map(({ key }) => key);
  return `${told.join(', ')}${policies.length > told.length ? ` and ${policies.length - told.length} more` : ''}`;
}
