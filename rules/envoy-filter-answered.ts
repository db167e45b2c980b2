import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { enforcerOf, requestName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';

/** Lua, Wasm and other filters answer with details of their own. */
export const rule: Rule = {
  meta: {
    id: 'envoy-filter-answered',
    category: 'application',
    level: 'warning',
    title: 'A filter of the proxy answered the request itself',
    page: {
      meaning:
        'A filter in the proxy answered the request, and it is none of the filters that Istio makes from policies: Lua or Wasm code, a CSRF or CORS check, a transcoder. The detail names it, if the log has that column.',
      printedBy: 'The proxy that runs the filter.',
      confirm: ['kubectl get envoyfilters,wasmplugins -A', 'istioctl proxy-config listener POD.NAMESPACE -o json'],
      change: 'Find the EnvoyFilter or WasmPlugin with that filter, and correct its code or settings.',
      never: 'Do not change AuthorizationPolicies: none denied this, and no ALLOW overrides what a filter answers.',
    },
    cites: ['envoy 1.37 source/extensions/filters/http/lua/lua_filter.cc'],
  },
  on: ['envoy/request'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (record.kind !== 'request' || failure?.kind !== 'filter-answered') return null;
    const [, known] = FILTERS.find(([detail]) => detail.test(failure.text)) ?? [null, null];
    const who = known ?? `a filter of this proxy (${failure.text})`;
    return {
      certainty: failure.certainty === 'certain' ? 'likely' : failure.certainty,
      cause: `${requestName(record)} was answered with ${record.status} by ${who}, not by a policy of Istio and not by the application.`,
      enforcedBy: enforcerOf(record),
      intended: 'unknown',
      unchecked:
        record.envoy.details === null
          ? ['Which filter: add %RESPONSE_CODE_DETAILS% to meshConfig.accessLogFormat.']
          : [],
      subject: [failure.text],
    };
  },
  propose() {
    return [
      step('investigate', 'Find the EnvoyFilter or WasmPlugin whose filter answers like this.', {
        confirm: ['kubectl get envoyfilters,wasmplugins -A -o yaml'],
      }),
    ];
  },
};

/** Details of filters that are not Istio's but well known (envoy 1.37 source/extensions/filters/http). */
const FILTERS: readonly (readonly [RegExp, string])[] = [
  [/^lua_response$/, 'Lua code of an EnvoyFilter (lua_response)'],
  [/^csrf_origin_mismatch$/, 'the CSRF filter, because the Origin of the request is none that it accepts'],
  [/^health_check_/, 'the health check filter, from what it remembers of the health of the application'],
  [
    /grpc_json_transcode/,
    'the filter that transcodes between JSON and gRPC, which could not read the request or the answer',
  ],
  [/^grpc_bridge_/, 'the filter that bridges gRPC to HTTP/1.1, which could not read the request or the answer'],
];
