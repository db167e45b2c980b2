import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { wordOr, ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** An open connection became illegal by a policy push and was cut. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-policy-changed',
    category: 'authorization',
    level: 'warning',
    title: 'An open connection was closed by a policy update',
    page: {
      meaning:
        'The connection was allowed when it began. Then a policy was added or changed, ztunnel checked its open connections against it, and closed this one because it would no longer be allowed.',
      printedBy:
        'The ztunnel on the node of the destination. Just before, it prints "closed because it\'s no longer allowed after a policy update" with the identity. The caller\'s ztunnel prints a broken pipe or a success.',
      confirm: [
        'kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix | grep -e "handling RBAC" -e "no longer allowed"',
        'kubectl -n DESTINATION_NAMESPACE get authorizationpolicies,peerauthentications -o yaml --show-managed-fields',
      ],
      change:
        'If the change was meant to lock this caller out, nothing. Otherwise take the policy back, or admit the caller in it.',
      never: 'Do not restart the workload: it connects again and is denied at once.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy/connection_manager.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    if (ztunnelErrorOf(flow.record)?.kind !== 'policy-changed') return null;
    return {
      certainty: 'certain',
      cause: `A policy update made the open connection from ${sourceName(flow.record)} to ${destinationName(flow.record)} illegal, and ztunnel closed it.`,
      enforcedBy: 'ztunnel',
      intended: 'unknown',
      unchecked: ['which policy changed: the "handling RBAC update" lines of that ztunnel at this time name it'],
    } satisfies Match;
  },
  propose(finding, mesh) {
    const namespace = wordOr(finding.destination.namespace, 'DESTINATION_NAMESPACE');
    return [
      step(
        'investigate',
        'Find the policy that changed at this time; roll it back, or admit the caller in it, if the denial is not wanted.',
        {
          confirm: [
            ztunnelLogs(mesh, 'handling RBAC'),
            `kubectl -n ${namespace} get authorizationpolicies,peerauthentications -o yaml --show-managed-fields`,
          ],
          verify: [ztunnelLogs(mesh, 'policy rejection')],
        },
      ),
    ];
  },
};
