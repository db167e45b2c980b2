import type { MeshView } from '../../src/model/mesh.ts';
import type { StaticRule } from '../../src/model/static.ts';
import { meantLabels } from '../../src/policy/survey/meant-labels.ts';
import {
  authorizationPolicies,
  peerAuthentications,
  requestAuthentications,
  type Written,
} from '../../src/policy/survey/policies.ts';
import {
  podsAreKnown,
  podsAreLive,
  podsSelected,
  type Scoped,
  wantedLabels,
} from '../../src/policy/survey/selection.ts';
import { step } from '../../src/remedy/edits/index.ts';
import { labelText, selectBy } from '../../src/remedy/edits/stale-selector.ts';
import { counted } from '../../src/text/counted.ts';
import { nameOf, refText } from '../../src/text/object-ref.ts';
import { shellWord } from '../../src/text/shell.ts';

/** A selector that no pod of its namespace answers: the policy is in force nowhere. */
export const rule: StaticRule = {
  meta: {
    id: 'policy-selector-missed',
    category: 'authorization',
    level: 'warning',
    title: 'The selector of a policy matches no pod',
    page: {
      meaning:
        'No pod of the namespace has all the labels that the policy selects by, so no proxy enforces it: what a DENY or an ALLOW should keep out comes in, and a STRICT asks nobody for mutual TLS. It is usual after a chart renamed its labels.',
      printedBy: 'Nobody: what comes in looks like any other connection. istioctl analyze says IST0127.',
      confirm: ['kubectl -n NAMESPACE get pods -l KEY=VALUE', 'kubectl -n NAMESPACE get pods --show-labels'],
      change:
        'Select by labels that the pods have and that their owner keeps: take them from the selector of the Service or Deployment.',
      never:
        'Do not remove the selector (the policy would then hold for every pod of the namespace), and do not relabel the pods by hand: their owner makes them anew without it.',
    },
    cites: [
      'istio 86c9f01f pilot/pkg/model/policyattachment.go',
      'istio 86c9f01f pkg/config/analysis/analyzers/authz/authorizationpolicies.go',
    ],
  },
  check: (mesh) =>
    policiesWithSelector(mesh).flatMap(({ object, policy }) => {
      const isIgnored = policy.ref.kind === 'PeerAuthentication' && policy.ref.namespace === mesh.rootNamespace;
      if (isIgnored || !podsAreKnown(policy, mesh) || podsSelected(policy, mesh).length > 0) return [];
      const wanted = wantedLabels(policy);
      const meant = meantLabels(policy.ref, wanted, mesh);
      const isLive = podsAreLive(policy.ref.namespace, mesh);
      const mayBeAsleep = Object.keys(wanted).some((key) => SLEEPERS.test(key)) && meant.length === 0;
      const certain = isLive && !mayBeAsleep;
      return [
        {
          object,
          at: ['spec', 'selector', 'matchLabels'],
          certainty: certain ? 'certain' : 'possible',
          level: certain ? 'warning' : 'note',
          cause: `${refText(policy.ref)} selects pods with ${labelText(wanted)}, and none that is known has these labels: it is in force nowhere.`,
          unchecked: certain ? [] : [GIVE_PODS],
          drafts: draftsFor({ object, policy }, meant),
        } as const,
      ];
    }),
  gaps: (mesh) => {
    const unknown = policiesWithSelector(mesh).filter(({ policy }) => !podsAreKnown(policy, mesh));
    const namespaces = [...new Set(unknown.map(({ policy }) => policy.ref.namespace || 'the one they are applied to'))];
    if (namespaces.length === 0) return [];
    const told = namespaces.sort().slice(0, 5).join(', ');
    return [
      `whether the selectors of ${counted(unknown.length, 'policy', 'policies')} match pods: none is known in ${namespaces.length === 1 ? 'namespace' : 'namespaces'} ${told}${namespaces.length > 5 ? ', …' : ''} (kubectl get pods -A -o yaml)`,
    ];
  },
};

/** Pods of these may be absent because nobody asks for them: they are scaled to zero. */
const SLEEPERS = /^serving\.(?:knative|kserve)\./;
const GIVE_PODS = 'Whether pods are missing from what was given: kubectl get pods -A -o yaml shows those that run.';

function policiesWithSelector(mesh: MeshView): readonly Written<Scoped>[] {
  const all: readonly Written<Scoped>[] = [
    ...authorizationPolicies(mesh),
    ...peerAuthentications(mesh),
    ...requestAuthentications(mesh),
  ];
  return all.filter(({ policy }) => Object.keys(wantedLabels(policy)).length > 0);
}

function draftsFor(
  { object, policy }: Written<Scoped>,
  meant: readonly Readonly<Record<string, string>>[],
): NonNullable<ReturnType<StaticRule['check']>[number]['drafts']> {
  const [labels] = meant;
  const look = `kubectl -n ${shellWord(policy.ref.namespace)} get pods --show-labels`;
  if (labels === undefined || meant.length > 1) {
    const hint = meant.length > 1 ? ` Perhaps ${meant.map((one) => labelText(one)).join(', or ')}.` : '';
    return [
      step('investigate', `Look up the labels of the pods that ${nameOf(policy.ref)} is for.${hint}`, {
        confirm: [look],
      }),
    ];
  }
  const draft = selectBy(
    object,
    policy.ref,
    labels,
    'The policy begins to be enforced: callers that it does not admit are refused from then on.',
  );
  return draft === null ? [] : [draft];
}
