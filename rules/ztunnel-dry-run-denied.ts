import type { Match, Rule } from '../src/model/finding.ts';
import type { DiagnosticRecord } from '../src/model/record.ts';
import { ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { showPolicy, step } from '../src/remedy/edits/index.ts';

const MESSAGE = /^dry-run:? (deny policy match|no allow policies match)/;

/** A policy on trial would have denied; the connection went through. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-dry-run-denied',
    category: 'authorization',
    level: 'note',
    title: 'A dry-run policy would have denied a connection',
    page: {
      meaning:
        'An AuthorizationPolicy with the annotation istio.io/dry-run was evaluated and would have denied this connection. Nothing was denied: dry-run policies only log.',
      printedBy:
        'The ztunnel on the node of the destination, at level debug, or info with AUTHZ_POLICY_INFO_LOGGING=true (1.30 and later).',
      confirm: ['kubectl get authorizationpolicies -A -o yaml | grep -B8 "istio.io/dry-run"'],
      change: 'Admit the caller in the policy before the annotation is removed, if it should keep its access.',
      never: 'Do not remove the annotation while such lines still come for callers that are needed.',
    },
    cites: ['istio/ztunnel 62d82653 src/state.rs', 'istio/ztunnel#1745'],
  },
  on: ['ztunnel/diagnostic'],
  match(flow) {
    if (flow.record.kind !== 'diagnostic') return null;
    const outcome = MESSAGE.exec(flow.record.message)?.[1];
    return outcome === undefined ? null : judge(flow.record, outcome);
  },
  propose(finding, mesh) {
    return [
      step(
        'none',
        'Nothing was denied. Before enforcing the policy, admit the callers that should keep their access.',
        {
          confirm: [ztunnelLogs(mesh, 'dry-run'), ...finding.policies.map(showPolicy)],
        },
      ),
    ];
  },
};

function judge(record: DiagnosticRecord, outcome: string): Match {
  const [namespace, name] = (record.fields['policy'] ?? '').split('/');
  const where = record.fields['wl'] ?? 'a pod';
  if (outcome.startsWith('no allow') || namespace === undefined || name === undefined) {
    return {
      certainty: 'certain',
      cause: `Dry-run ALLOW policies apply to ${where} and none would have admitted a caller.`,
      subject: [where],
    };
  }
  return {
    certainty: 'certain',
    cause: `The dry-run policy ${namespace}/${name} would have denied a caller of ${where}.`,
    policies: [{ kind: 'AuthorizationPolicy', namespace, name }],
    subject: [where, namespace, name],
  };
}
