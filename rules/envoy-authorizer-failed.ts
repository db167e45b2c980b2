import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { enforcerOf, requestName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

/** The ext_authz service was unreachable, too slow or answered with an error. */
export const rule: Rule = {
  meta: {
    id: 'envoy-authorizer-failed',
    category: 'external-authorization',
    level: 'error',
    title: 'The external authorizer could not be asked',
    page: {
      meaning:
        'A CUSTOM AuthorizationPolicy applies, but the external authorizer could not be reached, did not answer in time or failed. Without failOpen the proxy then denies, with statusOnError (default 403).',
      printedBy: 'The proxy that asks, with the flag UAEX and the details ext_authz_error.',
      confirm: [
        'istioctl proxy-config endpoint POD.NAMESPACE | grep AUTHORIZER_HOST # confirmed if none is HEALTHY',
        'kubectl -n istio-system get configmap istio -o yaml',
        'kubectl -n AUTHORIZER_NAMESPACE get endpointslices',
        'istioctl proxy-config cluster POD.NAMESPACE --fqdn AUTHORIZER_HOST',
      ],
      change:
        'Repair the authorizer or the way to it: service and port of the extension provider, endpoints, NetworkPolicies, mutual TLS towards it, and its timeout.',
      never:
        'Do not set failOpen to get rid of the errors: then nobody is asked whenever the authorizer is down. Do not delete the CUSTOM policy.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/ext_authz/ext_authz.cc',
      'istio 86c9f01f pilot/pkg/security/authz/builder/extauthz.go',
    ],
  },
  on: ['envoy/request', 'envoy/connection'],
  match(flow) {
    const failure = envoyFailure(flow.record);
    if (failure?.kind !== 'authorizer-failed') return null;
    const waited =
      flow.maxDurationMs !== null && flow.maxDurationMs >= 100 ? ` It waited up to ${flow.maxDurationMs} ms.` : '';
    const what =
      failure.text === 'ext_authz_invalid'
        ? 'the external authorizer gave an answer that cannot be used'
        : 'the external authorizer is unreachable, too slow or failing';
    return {
      certainty: failure.certainty,
      cause: `${requestName(flow.record)} was refused because ${what}.${waited}`,
      enforcedBy: enforcerOf(flow.record),
      intended: 'no',
    };
  },
  propose(_finding, mesh) {
    return [
      step(
        'configuration',
        'Bring the external authorizer back: check its pods, the service, port and timeout of its provider, and the network to it.',
        {
          confirm: [
            inRoot(mesh, 'get configmap istio -o yaml'),
            'kubectl -n AUTHORIZER_NAMESPACE get pods,endpointslices',
            'istioctl proxy-config cluster POD.NAMESPACE --fqdn AUTHORIZER_HOST',
            'kubectl -n AUTHORIZER_NAMESPACE get networkpolicies -o yaml',
          ],
        },
      ),
    ];
  },
};
