import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { requestName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';

/** NFCF and ext_proc errors: an extension that is missing or fails. */
export const rule: Rule = {
  meta: {
    id: 'envoy-filter-failed',
    category: 'platform',
    level: 'error',
    title: 'A filter of the proxy could not do its work',
    page: {
      meaning:
        'The proxy has a filter that it could not run: the code of a WasmPlugin has not arrived (NFCF), an external processor is unreachable, or a filter broke the request.',
      printedBy: 'The proxy with the filter.',
      confirm: [
        'kubectl get wasmplugins,envoyfilters -A',
        'kubectl -n NAMESPACE logs POD -c istio-proxy | grep -i wasm',
      ],
      change: 'Repair the download of the plugin (URL, pull secret) or the external processor.',
      never: 'Do not set the plugin to fail open if it checks who may call.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/ext_proc/ext_proc.cc',
      'envoy 1.37 source/common/http/filter_chain_helper.cc',
    ],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'filter-failed') return null;
    return {
      certainty: 'certain',
      cause: `${requestName(record)} failed because a filter of the proxy is missing or failing (${failure.text}).`,
      intended: 'no',
      subject: [failure.text],
    };
  },
  propose() {
    return [
      step('investigate', 'Find the WasmPlugin, EnvoyFilter or external processor and see why it cannot run.', {
        confirm: ['kubectl get wasmplugins,envoyfilters -A'],
      }),
    ];
  },
};
