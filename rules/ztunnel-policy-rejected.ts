import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Finding, Match, Rule } from '../src/model/finding.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { Decision } from '../src/model/policy.ts';
import type { ConnectionRecord } from '../src/model/record.ts';
import type { Draft } from '../src/model/remedy.ts';
import { actionOf } from '../src/policy/action.ts';
import { decideObserved } from '../src/policy/ambient/observed.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { allowCaller, enrolCaller, exceptCaller, exemptPort, showPolicy, step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** A rejection without reason, as releases before 1.24 print it: the policies of the mesh must tell which kind it was. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-policy-rejected',
    category: 'authorization',
    level: 'error',
    title: 'A policy refused the connection, without giving the reason',
    page: {
      meaning:
        'ztunnel rejected the connection by policy. Releases before 1.24 do not say why: a DENY AuthorizationPolicy, no matching ALLOW, or plain text into a workload that requires mutual TLS. A caller with identity can only have met an AuthorizationPolicy. For a caller without identity it is one of both; requiring mutual TLS is the more usual.',
      printedBy:
        'The ztunnel on the node of the destination. A caller in the mesh gets "http status: 401 Unauthorized".',
      confirm: [
        'kubectl get authorizationpolicies,peerauthentications -A -o yaml',
        'istioctl ztunnel-config policies',
        'istioctl ztunnel-config workloads',
      ],
      change:
        'Plain text: bring the caller into the mesh first. With identity: find the AuthorizationPolicy that applies and admit the caller. Upgrade to 1.24 or later, which print the reason.',
      never:
        'Do not add a principal for a caller without identity, and do not relax mutual TLS for a caller that has one.',
    },
    cites: ['istio/ztunnel release-1.22 src/proxy/inbound.rs', 'istio/ztunnel#1273'],
  },
  on: ['ztunnel/connection'],
  match(flow, mesh) {
    const { record } = flow;
    if (ztunnelErrorOf(record)?.kind !== 'policy-rejected' || record.kind !== 'connection') return null;
    const decision = decideObserved(record, mesh);
    return decision?.outcome === 'deny' ? matchOf(record, decision) : guess(record);
  },
  propose(finding, mesh) {
    return [...changesFor(finding, mesh), findPolicies(finding)];
  },
};

function matchOf(record: ConnectionRecord, decision: Decision): Match {
  const isMutualTls = decision.determining[0]?.kind === 'PeerAuthentication';
  return {
    certainty: 'likely',
    category: isMutualTls ? 'mutual-tls' : 'authorization',
    cause: `ztunnel rejected ${sourceName(record)} at ${destinationName(record)}. It gives no reason; by the policies known: ${decision.because}.`,
    enforcedBy: 'ztunnel',
    policies: decision.determining,
    nearMiss: decision.nearMiss,
    intended: 'unknown',
    subject: [isMutualTls ? 'mutual-tls' : 'authorization'],
  };
}

/** Without policies: who has no identity was most often refused for that. */
function guess(record: ConnectionRecord): Match {
  const isPlainText = record.source.identity === null && record.hboneAddress === null;
  const rejected = `ztunnel rejected ${sourceName(record)} at ${destinationName(record)} by policy`;
  return {
    certainty: isPlainText ? 'possible' : 'certain',
    category: isPlainText ? 'mutual-tls' : 'authorization',
    cause: isPlainText
      ? `${rejected}. The caller spoke plain text: most likely mutual TLS is required there, or else an AuthorizationPolicy admits known identities only.`
      : `${rejected}. The caller proved its identity, so it was an AuthorizationPolicy; this release does not say which.`,
    enforcedBy: 'ztunnel',
    intended: 'unknown',
    unchecked: ['which policy decided: this release does not say; give policies and pods of the mesh with --mesh'],
    subject: [isPlainText ? 'mutual-tls' : 'authorization'],
  };
}

/** Without policies nothing is known that could be changed; a caller in plain text still needs an identity. */
function changesFor(finding: Finding, mesh: MeshView): readonly Draft[] {
  if (finding.category === 'mutual-tls') return mesh.known ? exemptPort(finding, mesh) : enrolCaller(finding, mesh);
  if (finding.policies.length === 0) return [];
  return finding.policies.some((ref) => actionOf(ref, mesh) === 'DENY')
    ? exceptCaller(finding, mesh)
    : allowCaller(finding, mesh);
}

function findPolicies(finding: Finding): Draft {
  const namespace = wordOr(finding.destination.namespace, 'DESTINATION_NAMESPACE');
  return step('investigate', 'List the policies that apply to the destination and see which one refuses this caller.', {
    confirm: [
      ...finding.policies.map(showPolicy),
      `kubectl -n ${namespace} get authorizationpolicies,peerauthentications -o yaml`,
      'kubectl get authorizationpolicies,peerauthentications -A',
    ],
  });
}
