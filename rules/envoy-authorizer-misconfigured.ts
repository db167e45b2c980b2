import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { enforcerOf, requestName } from '../src/causes/envoy-record.ts';
import { parseRbacId } from '../src/causes/rbac-id.ts';
import type { Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { showPolicy, step } from '../src/remedy/edits/index.ts';

/** A CUSTOM policy whose provider is unknown or unusable denies all it matches. */
export const rule: Rule = {
  meta: {
    id: 'envoy-authorizer-misconfigured',
    category: 'external-authorization',
    level: 'error',
    title: 'The provider of a CUSTOM policy could not be used',
    page: {
      meaning:
        'A CUSTOM AuthorizationPolicy names an extension provider that the mesh configuration does not have, that is broken, or more providers than one workload may have. Istio then denies every request the policy matches, without asking anybody.',
      printedBy:
        'The proxy that enforces. The id ends in -deny-due-to-bad-CUSTOM-action. Without that ending the policy carries the dry-run annotation, which CUSTOM does not support.',
      confirm: [
        'kubectl -n istio-system get configmap istio -o yaml | grep -A5 extensionProviders # confirmed if the provider that the policy names is not among them',
        'kubectl -n NAMESPACE get authorizationpolicy NAME -o yaml',
        'kubectl -n istio-system logs deploy/istiod | grep -i "authorization\\|extension"',
      ],
      change:
        'Add the provider to meshConfig.extensionProviders, or correct spec.provider.name of the policy. Use one provider per workload.',
      never:
        'Do not delete the CUSTOM policy: the paths it guards would be open. Do not add an ALLOW policy: it does not override this.',
    },
    cites: ['istio 86c9f01f pilot/pkg/security/authz/builder/extauthz.go', 'istio/istio#40944'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match(flow) {
    const failure = envoyFailure(flow.record);
    if (failure?.kind !== 'authorizer-misconfigured') return null;
    const { policy, provider, id } = parseRbacId(failure.text);
    const name = policy === null ? 'a CUSTOM policy' : `the CUSTOM policy ${policy.namespace}/${policy.name}`;
    const which = provider === null ? 'its provider' : `its provider ${provider}`;
    const why = id.includes('bad-CUSTOM')
      ? `${which} is not in the mesh configuration or cannot be used`
      : 'it was not turned into a call to the authorizer, as happens with the dry-run annotation';
    return {
      certainty: 'certain',
      cause: `${requestName(flow.record)} was denied by ${name}, because ${why}. Everything it matches is denied.`,
      enforcedBy: enforcerOf(flow.record),
      policies: policy === null ? [] : [policy],
      intended: 'no',
      subject: [id],
    };
  },
  propose(finding, mesh) {
    return [
      step(
        'configuration',
        'Add the provider to meshConfig.extensionProviders, or correct the name of the provider in the policy.',
        {
          risk: 'From then on the external authorizer decides about these requests.',
          confirm: [...finding.policies.map(showPolicy), inRoot(mesh, 'get configmap istio -o yaml')],
        },
      ),
    ];
  },
};
