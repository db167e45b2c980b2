import { type ProbeFailureKind, probeFailure } from '../src/causes/probe-failure.ts';
import type { Rule } from '../src/model/finding.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName } from '../src/text/ends.ts';

/** A probe reached the application, and that was not healthy. */
export const rule: Rule = {
  meta: {
    id: 'kubelet-probe-failed',
    category: 'application',
    level: 'note',
    title: 'A health probe of the kubelet found the application unhealthy',
    page: {
      meaning:
        'The probe arrived, and the application is not healthy: nothing listens on the port yet, it answered with an error, or the command that was run in the container failed. While a pod starts this is usual. Mesh and policies have no part in it.',
      printedBy: 'The kubelet, as an event of the pod and in its log.',
      confirm: ['kubectl -n NAMESPACE describe pod POD', 'kubectl -n NAMESPACE logs POD --since=10m'],
      change:
        'If it goes on: see that the application listens on the port of the probe and answers at its path. A status 500 or 503 on port 15020 or 15021 comes from the sidecar, whose own log says why.',
      never:
        'Do not change a policy of the mesh: the probe reached the application, and that answered. Do not remove the probe: traffic would go to a pod that cannot serve it.',
    },
    cites: ['k8s.io/kubernetes pkg/kubelet/prober/prober.go', 'k8s.io/kubernetes pkg/probe/http/http.go'],
  },
  on: ['kubernetes/connection'],
  match({ record }) {
    const failure = probeFailure(record);
    const why = failure === null ? undefined : WHY[failure.kind];
    if (failure === null || why === undefined) return null;
    return {
      certainty: 'certain',
      cause: `The ${failure.probe.toLowerCase()} probe of ${destinationName(record)} failed: ${why} (${failure.text}).`,
      intended: 'no',
      subject: [failure.kind],
    };
  },
  propose({ destination }) {
    const place = `kubectl -n ${wordOr(destination.namespace, 'NAMESPACE')}`;
    return [
      step(
        'investigate',
        'If it goes on, look why the application is not healthy; no policy of the mesh is involved.',
        {
          confirm: [`${place} get pods`, `${place} get events --field-selector reason=Unhealthy`],
        },
      ),
    ];
  },
};

const WHY: Readonly<Partial<Record<ProbeFailureKind, string>>> = {
  refused: 'nothing listens on that port',
  answered: 'the application answered that it is not healthy',
  command: 'the command in the container failed',
};
