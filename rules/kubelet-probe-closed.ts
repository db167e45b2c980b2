import { probeFailure } from '../src/causes/probe-failure.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { refusesKubelet } from '../src/remedy/edits/outside-call.ts';
import { destinationName } from '../src/text/ends.ts';
import { refText } from '../src/text/object-ref.ts';

/** A kubelet's probe was ended without an answer, as a STRICT sidecar ends plain text. */
export const rule: Rule = {
  meta: {
    id: 'kubelet-probe-closed',
    category: 'mutual-tls',
    level: 'warning',
    title: 'A health probe of the kubelet was cut off',
    page: {
      meaning:
        'The kubelet asked a pod after its health, and the connection was ended without an answer. A sidecar ends plain text so where mutual TLS is required (STRICT). Istio rewrites the probes of application containers, so that they go to port 15020 of the sidecar, but not those of containers that others inject, and none where rewriting is switched off. In the ambient mesh probes pass by ztunnel: then the application closed the connection.',
      printedBy: 'The kubelet, as an event of the pod (EOF, connection reset by peer) and in its log.',
      confirm: [
        'kubectl -n NAMESPACE get pod POD -o yaml',
        'kubectl -n NAMESPACE get peerauthentications -o yaml',
        "kubectl -n istio-system get configmap istio-sidecar-injector -o jsonpath='{.data.values}'",
      ],
      change:
        'Let the probe be rewritten: annotation sidecar.istio.io/rewriteAppHTTPProbers: "true" in the pod template, or sidecarInjectorWebhook.rewriteAppHTTPProbe in the values of Istio. For a container that is injected after Istio: order the webhooks so that Istio comes last (reinvocation), or exclude the port of the probe with traffic.sidecar.istio.io/excludeInboundPorts if it serves nothing else.',
      never: 'Do not set the workload or the namespace to PERMISSIVE for a probe.',
    },
    cites: ['istio 86c9f01f pkg/kube/inject/app_probe.go', 'istio/istio#53786'],
  },
  on: ['kubernetes/connection'],
  match({ record }, mesh) {
    const failure = probeFailure(record);
    if (failure?.kind !== 'reset' || record.kind !== 'connection') return null;
    const { address, port } = record.destination;
    const pod = address === null ? null : mesh.podByIp(address);
    const seen = `The ${failure.probe.toLowerCase()} probe of ${destinationName(record)} was cut off (${failure.text})`;
    const strict = pod?.dataplane === 'sidecar' && port !== null ? refusesKubelet(pod, port, mesh) : [];
    if (pod !== null && pod.dataplane !== 'unknown' && strict.length === 0) {
      return {
        certainty: 'likely',
        category: 'application',
        cause: `${seen}. By the objects given no policy of the mesh refuses it: the application closed the connection.`,
        subject: ['application'],
      } satisfies Match;
    }
    return {
      certainty: strict.length > 0 ? 'likely' : 'possible',
      cause: `${seen}: the sidecar wants mutual TLS${strict.length > 0 ? ` (${strict.map(refText).join(', ')})` : ''}, which no kubelet speaks, and this probe was not rewritten to go to port 15020.`,
      policies: strict,
      enforcedBy: 'sidecar',
      intended: 'no',
      unchecked:
        strict.length > 0
          ? []
          : ['Whether the pod has a sidecar that is STRICT: give pods and PeerAuthentications with --mesh.'],
    } satisfies Match;
  },
  propose({ category, destination }) {
    const place = `kubectl -n ${wordOr(destination.namespace, 'NAMESPACE')}`;
    return [
      category === 'application'
        ? step('investigate', 'Look in the log of the application why it closes the connection of the probe.', {
            confirm: [`${place} get events --field-selector reason=Unhealthy`],
          })
        : step(
            'configuration',
            'Let Istio rewrite the probe: annotation sidecar.istio.io/rewriteAppHTTPProbers: "true" in the pod template; a container that is injected after Istio needs its webhook to come first.',
            {
              risk: 'The pods are made anew.',
              confirm: [`${place} get pods -o yaml`, `${place} get peerauthentications -o yaml`],
            },
          ),
    ];
  },
};
