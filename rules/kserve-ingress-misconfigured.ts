import type { Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';

/** Key ingress of inferenceservice-config lacks what the controller needs. */
export const rule: Rule = {
  meta: {
    id: 'kserve-ingress-misconfigured',
    category: 'platform',
    level: 'error',
    title: 'KServe cannot use its ingress settings',
    page: {
      meaning:
        'The key ingress of ConfigMap inferenceservice-config is one JSON text, and a setting that KServe needs is not in it. That happens when the text is replaced by the few lines of a page instead of being completed by them. Until it is put right no InferenceService is reconciled.',
      printedBy:
        "KServe's controller (kserve-controller-manager), in its log and in the conditions of InferenceServices.",
      confirm: [
        'kubectl -n kserve get configmap inferenceservice-config -o jsonpath={.data.ingress}',
        'kubectl -n kserve logs deploy/kserve-controller-manager --since=10m',
      ],
      change:
        "Add the missing setting to the JSON of key ingress and keep the others; the release's own manifest has all of them. In Kubeflow the ConfigMap is in namespace kubeflow. Then restart the controller.",
      never:
        'Do not replace the value by the keys that are to be added: what is not in it any more falls back to nothing. Do not change policies, nothing was denied.',
    },
    cites: [
      'kserve/kserve pkg/apis/serving/v1beta1/configmap.go',
      'kserve/website docs/admin-guide/serverless/servicemesh',
    ],
  },
  on: ['kserve/diagnostic'],
  match({ record }) {
    if (record.kind !== 'diagnostic' || record.scope !== 'ingress-config') return null;
    const missing = record.fields['missing'] ?? '';
    return {
      certainty: 'certain',
      cause: `KServe's controller found no ${missing} in key ingress of ConfigMap inferenceservice-config: most likely the JSON there was replaced and not completed.`,
      intended: 'no',
      subject: [missing],
    };
  },
  propose({ flows }) {
    const [flow] = flows;
    const missing = flow?.record.kind === 'diagnostic' ? (flow.record.fields['missing'] ?? '') : '';
    return [
      step(
        'configuration',
        `Add ${missing} to the JSON in key ingress of ConfigMap inferenceservice-config, and keep the others; then restart kserve-controller-manager.`,
        {
          risk: 'A patch of the key replaces all of its text: write down the whole JSON, with what is there now.',
          confirm: [
            'kubectl -n kserve get configmap inferenceservice-config -o jsonpath={.data.ingress}',
            'kubectl -n kserve logs deploy/kserve-controller-manager --since=10m',
          ],
          verify: ['kubectl -n kserve rollout status deploy/kserve-controller-manager'],
        },
      ),
    ];
  },
};
