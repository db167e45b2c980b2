import { knativeFailure } from '../src/causes/knative-failure.ts';
import type { Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';

/** Activator or autoscaler got 403 from a revision. */
export const rule: Rule = {
  meta: {
    id: 'knative-request-denied',
    category: 'authorization',
    level: 'error',
    title: "A policy denied Knative's own probe or scrape",
    page: {
      meaning:
        "Knative's activator probes each revision and its autoscaler scrapes metrics from it; an AuthorizationPolicy of the workload's namespace denied that with 403. The 403 proves that mutual TLS works; Knative does not fall back, so the revision never becomes ready or never scales.",
      printedBy:
        'The activator or the autoscaler in knative-serving. The sidecar of the revision prints 403 rbac_access_denied_matched_policy[none].',
      confirm: [
        'kubectl -n NAMESPACE get authorizationpolicies -o yaml',
        'kubectl -n knative-serving get pods -o jsonpath="{range .items[*]}{.metadata.name} {.spec.serviceAccountName}{\'\\n\'}{end}"',
      ],
      change:
        'Admit the identities of activator and autoscaler (service accounts activator and controller of knative-serving) in the ALLOW policies of the namespace; metrics and probes only need the paths /metrics, /healthz, /ready and /wait-for-drain.',
      never:
        'Do not allow those paths for everybody: a rule with paths but without from makes them public. Do not turn the sidecar of the revision off.',
    },
    cites: [
      'knative/serving pkg/activator/net/revision_backends.go',
      'knative/serving pkg/autoscaler/metrics',
      'kserve/kserve#1558',
    ],
  },
  on: ['knative/diagnostic'],
  match({ record }) {
    if (record.kind !== 'diagnostic' || knativeFailure(record) !== 'denied') return null;
    return {
      certainty: 'certain',
      cause:
        "A policy at the revision denied Knative's own call with 403: no ALLOW rule admits the activator or autoscaler.",
      enforcedBy: 'sidecar',
      intended: 'no',
      subject: [record.scope],
    };
  },
  propose() {
    return [
      step(
        'policy-change',
        'Admit the service accounts activator and controller of knative-serving in the ALLOW policies of the revision; for probes and metrics with their paths.',
        {
          risk: 'Whatever the activator forwards then comes in under its identity.',
          confirm: [
            'kubectl -n NAMESPACE get authorizationpolicies -o yaml',
            'kubectl -n knative-serving get pods -o wide',
          ],
        },
      ),
    ];
  },
};
