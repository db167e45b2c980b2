import { parseRbacVerdict } from '../src/causes/rbac-verdict.ts';
import type { Rule } from '../src/model/finding.ts';

/** The verdict of a dry-run policy in the debug log. Nothing was denied. */
export const rule: Rule = {
  meta: {
    id: 'envoy-shadow-denied',
    category: 'authorization',
    level: 'note',
    title: 'A dry-run policy would have denied a request',
    page: {
      meaning:
        'A policy with the annotation istio.io/dry-run would have denied a request. The request went on: this is a rehearsal.',
      printedBy:
        'The proxy that would enforce, with logger rbac at debug. The same words with the id istio-ext-authz-… only mean that the external authorizer is asked.',
      confirm: ['kubectl get authorizationpolicies -A -o yaml | grep -B8 dry-run'],
      change: 'Nothing. Before you take the annotation away, make sure that what would be denied should be.',
      never:
        'Do not treat this as an outage: the request went through. Do not delete the policy before you have read what it would deny.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/rbac/rbac_filter.cc',
      'istio 86c9f01f pilot/pkg/security/authz/builder/builder.go',
    ],
  },
  on: ['envoy/diagnostic'],
  match({ record }) {
    if (record.kind !== 'diagnostic') return null;
    const verdict = parseRbacVerdict(record.message);
    if (verdict === null || verdict.enforced || verdict.allowed || verdict.rule.kind === 'custom') return null;
    const { policy, id } = verdict.rule;
    return {
      certainty: 'certain',
      cause: `A dry-run policy would have denied a request (${id === 'none' ? 'no ALLOW rule matched' : id}). Nothing was denied.`,
      policies: policy === null ? [] : [policy],
      intended: 'yes',
      subject: [id],
    };
  },
};
