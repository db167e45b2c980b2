import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { inForceIn, unfinishedIn } from '../../src/policy/survey/policies.ts';
import { step } from '../../src/remedy/edits/index.ts';
import { counted } from '../../src/text/counted.ts';
import { refText } from '../../src/text/object-ref.ts';

/** A manifest that an API server with Istio would not take. */
export const rule: StaticRule = {
  meta: {
    id: 'object-refused',
    category: 'authorization',
    level: 'error',
    title: 'A policy would be refused when it is applied',
    page: {
      meaning:
        "The schema of the CRD or istiod's webhook refuses the object, so kubectl apply fails and what is in the cluster stays as it was. Here it counts as absent.",
      printedBy:
        'kubectl, when the manifest is applied: admission webhook "validation.istio.io" denied the request, or a schema error.',
      confirm: ['kubectl apply --dry-run=server -f FILE'],
      change: 'Correct the field that the reason names.',
      never: 'Do not switch the webhook off: what it refuses makes proxies or istiod fail.',
    },
    cites: [
      'istio 86c9f01f pkg/config/validation/validation.go',
      'istio 86c9f01f manifests/charts/base/files/crd-all.gen.yaml',
    ],
  },
  check: (mesh) =>
    inForceIn(mesh).refused.flatMap(({ ref, reason }): readonly StaticMatch[] => {
      const object = mesh.object(ref);
      if (object === null || unfinishedIn(mesh).includes(object)) return [];
      return [
        {
          object,
          at: ['spec'],
          certainty: 'certain',
          cause: `An API server with Istio refuses ${refText(ref)}: ${reason}.`,
          drafts: [step('configuration', `Correct ${refText(ref)}: ${reason}.`)],
        },
      ];
    }),
  gaps: (mesh) => {
    const unfinished = unfinishedIn(mesh).length;
    return unfinished === 0
      ? []
      : [
          `${counted(unfinished, 'template or patch', 'templates or patches')} of policies as such: render them first (helm template, kustomize build, envsubst)`,
        ];
  },
};
