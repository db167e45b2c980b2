import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { enforcerOf, requestName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

/** The ext_authz service said no. */
export const rule: Rule = {
  meta: {
    id: 'envoy-authorizer-denied',
    category: 'external-authorization',
    level: 'warning',
    title: 'The external authorizer denied the request',
    page: {
      meaning:
        "A CUSTOM AuthorizationPolicy sent the request to an external authorizer, and that answered no. Status and body are the authorizer's: 403 mostly, 401 or a redirect (302) to a login page where a session is missing.",
      printedBy:
        'The proxy that asks: mostly a gateway, else the sidecar or waypoint of the destination, with the flag UAEX.',
      confirm: [
        'kubectl get authorizationpolicies -A -o yaml',
        'kubectl -n istio-system get configmap istio -o yaml',
        'kubectl -n AUTHORIZER_NAMESPACE logs deploy/AUTHORIZER --since=10m',
      ],
      change:
        'The reason stands in the log of the authorizer. If it should not have been asked for this path at all, narrow the operations of the CUSTOM policy; if the caller should be admitted, change the rules of the authorizer or let the caller authenticate.',
      never:
        'Do not delete the CUSTOM policy and do not exempt whole prefixes such as /v1*: everything behind would be open without login.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/ext_authz/ext_authz.cc',
      'istio 86c9f01f pilot/pkg/security/authz/builder/extauthz.go',
    ],
  },
  on: ['envoy/request', 'envoy/connection'],
  match(flow) {
    const failure = envoyFailure(flow.record);
    if (failure?.kind !== 'authorizer-denied') return null;
    const { record } = flow;
    const status = record.kind === 'request' && record.status !== null ? ` with status ${record.status}` : '';
    const login = record.kind === 'request' && (record.status === 302 || record.status === 401);
    return {
      certainty: failure.certainty,
      cause: `${requestName(record)} was denied by the external authorizer${status}.${login ? ' The caller is not logged in.' : ''}`,
      enforcedBy: enforcerOf(record),
      intended: 'likely',
      unchecked: ['Why: only the log of the authorizer says it.'],
    };
  },
  propose(_finding, mesh) {
    return [
      step(
        'investigate',
        'Read the log of the external authorizer for this request; the provider of the CUSTOM policy says which it is.',
        {
          confirm: [
            'kubectl get authorizationpolicies -A -o jsonpath=\'{range .items[?(@.spec.action=="CUSTOM")]}{.metadata.namespace}/{.metadata.name} {.spec.provider.name}{"\\n"}{end}\'',
            inRoot(mesh, 'get configmap istio -o yaml'),
            'kubectl -n AUTHORIZER_NAMESPACE logs deploy/AUTHORIZER --since=10m',
          ],
        },
      ),
    ];
  },
};
