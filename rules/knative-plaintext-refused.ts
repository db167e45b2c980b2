import { knativeFailure } from '../src/causes/knative-failure.ts';
import type { Rule } from '../src/model/finding.ts';
import type { Draft } from '../src/model/remedy.ts';
import { step } from '../src/remedy/edits/index.ts';
import { type KnativeCall, knativeCallOf } from '../src/remedy/edits/knative-call.ts';
import { type OwnSide, ownSideBetween } from '../src/remedy/edits/own-side.ts';
import { nameOf } from '../src/text/object-ref.ts';
import { shellWord } from '../src/text/shell.ts';

/** Activator or autoscaler got a reset or 502/503 from a proxy. */
export const rule: Rule = {
  meta: {
    id: 'knative-plaintext-refused',
    category: 'mutual-tls',
    level: 'error',
    title: "Knative's own call met a sidecar that takes mutual TLS only",
    page: {
      meaning:
        "Knative's activator or autoscaler calls revisions, and a proxy on the way answered 502 or 503 or closed the connection. That is what plaintext into a STRICT workload looks like: the Knative pods have no sidecar, or the mesh does not use mutual TLS on the client side.",
      printedBy:
        'The activator or the autoscaler in knative-serving. The sidecar of the revision prints NR filter_chain_not_found.',
      confirm: [
        'kubectl -n knative-serving get pods',
        'kubectl get namespace knative-serving --show-labels',
        'kubectl get peerauthentications,destinationrules -A',
      ],
      change:
        'Give the pods of knative-serving a sidecar (label the namespace, restart activator and autoscaler). With enableAutoMtls false also add a DestinationRule with tls mode ISTIO_MUTUAL for the hosts of the namespace.',
      never:
        'Do not set the namespace of the revision to PERMISSIVE: without identity its policies would deny next. Do not use the host *.local in the DestinationRule where the namespace is enough.',
    },
    cites: [
      'knative/serving pkg/activator/net/revision_backends.go',
      'knative/networking pkg/http/error.go',
      'knative/serving#11877',
    ],
  },
  on: ['knative/diagnostic'],
  match({ record }, mesh) {
    if (record.kind !== 'diagnostic' || knativeFailure(record) !== 'plaintext') return null;
    const call = knativeCallOf(record, mesh);
    const own = call === null ? null : ownSideBetween(call.caller, [call.called], mesh);
    return {
      certainty: 'likely',
      cause: `A proxy refused or closed Knative's own call: most likely it was plaintext, and the revision takes mutual TLS only (STRICT).${callerRemark(call, own)}`,
      policies: own?.policies ?? [],
      intended: 'no',
      unchecked: [
        call === null
          ? 'Whether the pods of knative-serving have sidecars, and whether the revision is simply down: its proxy says so in its log.'
          : 'Whether the revision is simply down: its proxy says so in its log.',
      ],
      subject: [record.scope],
    };
  },
  propose({ flows }, mesh) {
    const [flow] = flows;
    const call = flow?.record.kind === 'diagnostic' ? knativeCallOf(flow.record, mesh) : null;
    const own = call === null ? null : ownSideBetween(call.caller, [call.called], mesh);
    if (own !== null) return [own.repair];
    return [call?.caller.dataplane === 'sidecar' ? lookAtRevision(call) : enrolKnative()];
  },
};

function callerRemark(call: KnativeCall | null, own: OwnSide | null): string {
  if (own !== null) return ` ${own.because}`;
  if (call?.caller.dataplane === 'none') return ` ${nameOf(call.caller)} has no sidecar.`;
  return '';
}

/** The caller has a sidecar that speaks mutual TLS, as far as the mesh shows. */
function lookAtRevision({ called: { service } }: KnativeCall): Draft {
  const place = `kubectl -n ${shellWord(service.namespace)}`;
  return step(
    'investigate',
    `The caller has a sidecar that speaks mutual TLS with Service ${nameOf(service)} as far as the mesh shows: see whether the revision is up, and what its proxy logs.`,
    { confirm: [`${place} get pods -o wide`, `${place} get endpointslices`, `${place} logs POD -c istio-proxy`] },
  );
}

function enrolKnative(): Draft {
  return step('enrol', 'Give the pods of knative-serving a sidecar.', {
    risk: 'activator, autoscaler and controller are restarted.',
    confirm: ['kubectl -n knative-serving get pods', 'kubectl get namespace knative-serving --show-labels'],
    apply: [
      'kubectl label namespace knative-serving istio-injection=enabled',
      'kubectl -n knative-serving rollout restart deployment activator autoscaler',
    ],
    verify: ['kubectl -n knative-serving get pods'],
    rollback: ['kubectl label namespace knative-serving istio-injection-'],
  });
}
