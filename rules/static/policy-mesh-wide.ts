import type { Pod } from '../../src/model/mesh.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { authorizationPolicies } from '../../src/policy/survey/policies.ts';
import { podsSelected, wantedLabels } from '../../src/policy/survey/selection.ts';
import { nameOf } from '../../src/text/object-ref.ts';

/** An AuthorizationPolicy in the root namespace reaches every namespace. */
export const rule: StaticRule = {
  meta: {
    id: 'policy-mesh-wide',
    category: 'authorization',
    level: 'note',
    title: 'A policy in the root namespace is for the whole mesh',
    page: {
      meaning:
        'An AuthorizationPolicy in the root namespace without a selector is enforced at every workload of the mesh. With a selector it is enforced at the pods with these labels in all namespaces, not only in its own (a PeerAuthentication with a selector there is ignored instead).',
      printedBy: 'Nobody. A denial by it names the root namespace.',
      confirm: ['kubectl -n istio-system get authorizationpolicies'],
      change: 'Nothing, if it is meant. Else move it to the namespace of its workloads.',
      never: 'Do not delete it to end one denial: it is the protection of every other workload.',
    },
    cites: ['istio 86c9f01f pilot/pkg/model/authorization.go'],
  },
  check: (mesh) =>
    authorizationPolicies(mesh)
      .filter(({ policy }) => policy.ref.namespace === mesh.rootNamespace && policy.targetRefs.length === 0)
      .flatMap(({ object, policy }): readonly StaticMatch[] => {
        const isForAll = Object.keys(wantedLabels(policy)).length === 0;
        const reached = isForAll
          ? []
          : namespacesOf(podsSelected(policy, mesh)).filter((name) => name !== mesh.rootNamespace);
        if (!isForAll && reached.length === 0) return [];
        const told = isForAll
          ? 'no selector and stands in the root namespace: it is for every workload of the mesh.'
          : `a selector and stands in the root namespace: it is for pods with these labels in ${reached.join(', ')} too.`;
        return [
          {
            object,
            at: ['metadata', 'namespace'],
            certainty: 'certain',
            cause: `${nameOf(policy.ref)} (${policy.action}) has ${told}`,
          },
        ];
      }),
};

function namespacesOf(pods: readonly Pod[]): readonly string[] {
  return [...new Set(pods.map(({ namespace }) => namespace))].sort();
}
