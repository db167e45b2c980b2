import type { Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';

/** KServe was told to make VirtualServices in a cluster that does not know them. */
export const rule: Rule = {
  meta: {
    id: 'kserve-routes-skipped',
    category: 'platform',
    level: 'note',
    title: 'KServe made no VirtualService: the cluster has no such kind',
    page: {
      meaning:
        'KServe makes a VirtualService of Istio for each InferenceService unless it is told not to, and this cluster does not know that kind: Istio is not installed, or not yet. InferenceServices work; routes by path and the short host do not.',
      printedBy: "KServe's controller, as event VirtualServiceCRDNotFound of the InferenceService.",
      confirm: [
        'kubectl get crd virtualservices.networking.istio.io',
        'kubectl -n kserve get configmap inferenceservice-config -o jsonpath={.data.ingress}',
      ],
      change:
        'Without Istio: add "disableIstioVirtualHost": true to the JSON in key ingress of ConfigMap inferenceservice-config, and keep the other settings. With Istio: install its CRDs.',
      never: 'Do not replace the whole JSON of that key: the controller needs the other settings.',
    },
    cites: ['kserve/kserve pkg/controller/v1beta1/inferenceservice/controller.go', 'kserve/kserve#2380'],
  },
  on: ['kserve/diagnostic'],
  match({ record }) {
    if (record.kind !== 'diagnostic' || record.scope !== 'virtual-service') return null;
    return {
      certainty: 'certain',
      cause:
        'KServe is set to make VirtualServices, and this cluster has no such kind: routes by path and the short host of an InferenceService are not there.',
      intended: 'unknown',
    };
  },
  propose() {
    return [
      step(
        'configuration',
        'If there is to be no Istio, add "disableIstioVirtualHost": true to the JSON in key ingress of ConfigMap inferenceservice-config, beside what is there.',
        {
          confirm: [
            'kubectl get crd virtualservices.networking.istio.io',
            'kubectl -n kserve get configmap inferenceservice-config -o jsonpath={.data.ingress}',
          ],
        },
      ),
    ];
  },
};
