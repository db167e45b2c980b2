import { knativeFailure } from '../src/causes/knative-failure.ts';
import type { Rule } from '../src/model/finding.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

/** Activator or autoscaler got no answer, or an error of another kind. */
export const rule: Rule = {
  meta: {
    id: 'knative-revision-unreached',
    category: 'network',
    level: 'warning',
    title: 'Knative could not reach a revision',
    page: {
      meaning:
        "Knative's activator or autoscaler called a revision and got no answer in time, or an error that no proxy makes. The revision may be starting, down, or cut off by a NetworkPolicy.",
      printedBy: 'The activator or the autoscaler in knative-serving.',
      confirm: ['kubectl -n NAMESPACE get pods,revisions', 'kubectl -n NAMESPACE get networkpolicies -o yaml'],
      change:
        'Look whether the pods of the revision are ready; admit knative-serving (and, in ambient, TCP 15008) in the NetworkPolicies of the namespace.',
      never: 'Do not change AuthorizationPolicies: a denial would be a 403.',
    },
    cites: ['knative/serving pkg/activator/net/revision_backends.go', 'knative/serving pkg/autoscaler/metrics'],
  },
  on: ['knative/diagnostic'],
  match({ record }) {
    const failure = record.kind === 'diagnostic' ? knativeFailure(record) : null;
    if (failure !== 'unreached' && failure !== 'failed') return null;
    return {
      certainty: 'possible',
      category: failure === 'unreached' ? 'network' : 'upstream',
      cause:
        failure === 'unreached'
          ? 'A revision did not answer Knative in time: it is starting, down, or a NetworkPolicy cuts it off.'
          : 'A revision answered Knative with an error of its own.',
      intended: 'unknown',
      subject: [failure],
    };
  },
  propose({ destination }) {
    const place = `kubectl -n ${wordOr(destination.namespace, 'NAMESPACE')}`;
    return [
      step('investigate', 'See whether the pods of the revision are ready and reachable from knative-serving.', {
        confirm: [`${place} get pods,revisions`, `${place} get networkpolicies -o yaml`],
      }),
    ];
  },
};
