import { knativeFailure } from '../src/causes/knative-failure.ts';
import type { Finding, Rule } from '../src/model/finding.ts';
import type { MeshView, Pod } from '../src/model/mesh.ts';
import type { Draft } from '../src/model/remedy.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { allowCaller, step } from '../src/remedy/edits/index.ts';
import { asKnativeRequests, knativeCallOf } from '../src/remedy/edits/knative-call.ts';
import { nameOf } from '../src/text/object-ref.ts';
import { identityOf, principalOf } from '../src/text/spiffe.ts';

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
  match({ record }, mesh) {
    if (record.kind !== 'diagnostic' || knativeFailure(record) !== 'denied') return null;
    const call = knativeCallOf(record, mesh);
    return {
      certainty: 'certain',
      cause: `A policy at the revision denied Knative's own call with 403: no ALLOW rule admits ${call === null ? 'the activator or autoscaler' : `${principalOfPod(call.caller, mesh)}, as which ${nameOf(call.caller)} called Service ${nameOf(call.called.service)}`}.`,
      enforcedBy: 'sidecar',
      intended: 'no',
      subject: [record.scope],
    };
  },
  propose(finding, mesh) {
    const seen = asKnativeRequests(finding, mesh);
    return seen === null || seen.source.principal === null ? [admitByHand(finding)] : allowCaller(seen, mesh);
  },
};

function admitByHand({ destination }: Finding): Draft {
  const place = `kubectl -n ${wordOr(destination.namespace, 'NAMESPACE')}`;
  return step(
    'policy-change',
    'Admit the service accounts activator and controller of knative-serving in the ALLOW policies of the revision: GET /healthz for probes, and GET /metrics on port 9090. Give the pods and policies with --mesh, and the change can be written down and tried.',
    {
      risk: 'A rule without paths also admits whatever the activator passes on, from whoever can call it.',
      confirm: [`${place} get authorizationpolicies -o yaml`, 'kubectl -n knative-serving get pods -o wide'],
    },
  );
}

function principalOfPod({ namespace, serviceAccount }: Pod, { trustDomain }: MeshView): string {
  return principalOf(identityOf(trustDomain, namespace, serviceAccount));
}
