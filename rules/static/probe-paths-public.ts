import type { MeshView } from '../../src/model/mesh.ts';
import type { AuthorizationPolicy } from '../../src/model/policy.ts';
import type { Draft } from '../../src/model/remedy.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { authorizationPolicies, type Written } from '../../src/policy/survey/policies.ts';
import { areProbePaths, asksForNobody, onlyPaths } from '../../src/policy/survey/rule-shape.ts';
import { podsSelected } from '../../src/policy/survey/selection.ts';
import { draftOf, patchObject } from '../../src/remedy/edits/change.ts';
import { showPolicy, step } from '../../src/remedy/edits/index.ts';
import { nameOf } from '../../src/text/object-ref.ts';

/** Probe and metrics paths that everybody may ask for. */
export const rule: StaticRule = {
  meta: {
    id: 'probe-paths-public',
    category: 'authorization',
    level: 'note',
    title: 'Probe and metrics paths are open to every caller',
    page: {
      meaning:
        'A rule that names /healthz, /metrics and the like without from admits everybody to them, plain text included. Metrics tell names, versions and load of the workload. Manifests of Knative and Kubeflow have this form.',
      printedBy: 'Nobody: what it admits looks like any other request.',
      confirm: ['kubectl -n NAMESPACE get authorizationpolicies -o yaml'],
      change:
        'Put from beside the paths, in the same item: the namespace of the scraper, for Knative knative-serving. The kubelet needs no rule: its probes are rewritten or pass by.',
      never: 'Do not make two items of from and paths: either alone would then be enough.',
    },
    cites: [
      'knative/docs docs/versioned/serving/istio-authorization.md',
      'istio 86c9f01f pilot/pkg/security/authz/model/model.go',
    ],
  },
  check: (mesh) =>
    authorizationPolicies(mesh)
      .filter(({ policy }) => policy.action === 'ALLOW')
      .flatMap(({ object, policy }) =>
        policy.rules.flatMap((one, index): readonly StaticMatch[] => {
          const paths = onlyPaths(one);
          if (paths === null || !areProbePaths(paths) || !asksForNobody(one)) return [];
          return [
            {
              object,
              at: ['spec', 'rules', index],
              certainty: 'certain',
              cause: `Rule ${index} of ${nameOf(policy.ref)} opens ${paths.join(', ')} to everybody.`,
              drafts: [nameCallers({ object, policy }, index, mesh)],
            },
          ];
        }),
      ),
};

const KNATIVE = 'knative-serving';

/** Who probes and scrapes is known where the policy is for pods of Knative. */
function nameCallers({ object, policy }: Written<AuthorizationPolicy>, rule: number, mesh: MeshView): Draft {
  const summary = `Name who probes and scrapes in from of rule ${rule} of ${nameOf(policy.ref)}`;
  const isKnative =
    mesh.namespaces.some(({ name }) => name === KNATIVE) &&
    podsSelected(policy, mesh).some(({ labels }) => labels['serving.knative.dev/revision'] !== undefined);
  const planned = isKnative
    ? patchObject(object, [
        { op: 'set', at: ['spec', 'rules', rule, 'from'], value: [{ source: { namespaces: [KNATIVE] } }] },
      ])
    : null;
  if (planned === null) return step('policy-change', `${summary}.`);
  return draftOf([planned], {
    kind: 'policy-change',
    summary: `${summary}: activator and autoscaler of ${KNATIVE}.`,
    risk: 'Whoever else asks for these paths, a Prometheus for one, is refused then, and so is plain text.',
    decision: 'Only its owner knows who else scrapes these pods.',
    verify: [showPolicy(policy.ref)],
  });
}
