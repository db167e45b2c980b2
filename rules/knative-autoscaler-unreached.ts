import { type ReportFailure, reportFailure } from '../src/causes/knative-failure.ts';
import type { Category, Certainty, Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';

/** The activator could not report to the autoscaler; it is not ready until it can. */
export const rule: Rule = {
  meta: {
    id: 'knative-autoscaler-unreached',
    category: 'upstream',
    level: 'error',
    title: "Knative's activator could not reach the autoscaler",
    page: {
      meaning:
        "Knative's activator holds a WebSocket to the autoscaler (TCP 8080) and is not ready without it, so that services that were scaled to zero do not wake up. A connection that is closed while it is opened is what a policy or STRICT mutual TLS looks like from there; refused means that no autoscaler listens.",
      printedBy:
        'The activator in knative-serving. Whoever closed the connection says why: the proxy of the autoscaler.',
      confirm: [
        'kubectl -n knative-serving get pods,endpointslices -l app=autoscaler',
        'kubectl -n knative-serving get pods -o custom-columns=NAME:.metadata.name,CONTAINERS:.spec.containers[*].name',
        'kubectl get peerauthentications,authorizationpolicies -A',
      ],
      change:
        'Closed: let activator and autoscaler both be in the mesh or both outside, and admit the activator at TCP 8080 of the autoscaler. Refused or unresolved: bring the autoscaler up. No answer: see the NetworkPolicies of knative-serving.',
      never: 'Do not set knative-serving to PERMISSIVE for it: activator and autoscaler would go on without identity.',
    },
    cites: ['knative/pkg websocket/connection.go', 'knative/serving pkg/activator/handler/healthz_handler.go'],
  },
  on: ['knative/diagnostic'],
  match({ record }) {
    const failure = record.kind === 'diagnostic' ? reportFailure(record) : null;
    if (failure === null) return null;
    const [category, certainty, cause] = FAILURES[failure];
    return {
      category,
      certainty,
      cause: `The activator has no connection to the autoscaler: ${cause}.`,
      intended: 'unknown',
      unchecked: failure === 'cut' ? ['Who closed it: the proxy of the autoscaler says so in its log.'] : [],
      subject: [failure],
    };
  },
  propose() {
    return [
      step('investigate', 'See whether the autoscaler runs, and whether both have a proxy or none has.', {
        confirm: [
          'kubectl -n knative-serving get pods,endpointslices -l app=autoscaler',
          'kubectl -n knative-serving logs deployment/autoscaler --all-containers --since=10m --prefix',
        ],
      }),
    ];
  },
};

const FAILURES: Readonly<Record<ReportFailure, readonly [Category, Certainty, string]>> = {
  cut: [
    'mutual-tls',
    'possible',
    'it was closed while it was opened, as plaintext is where mutual TLS is demanded (STRICT)',
  ],
  denied: ['authorization', 'likely', 'a policy refused it'],
  refused: ['upstream', 'certain', 'nothing listens there'],
  unresolved: ['platform', 'certain', 'its name could not be resolved'],
  unreached: ['network', 'likely', 'it does not answer'],
  unnamed: ['upstream', 'possible', 'this line does not say why'],
};
