import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { readProviders } from '../../src/policy/envoy/mesh-config.ts';
import { authorizationPolicies } from '../../src/policy/survey/policies.ts';
import { step } from '../../src/remedy/edits/index.ts';
import { counted } from '../../src/text/counted.ts';
import { nearNames } from '../../src/text/near.ts';
import { nameOf } from '../../src/text/object-ref.ts';
import { valueAt } from '../../src/text/untyped.ts';

/** A CUSTOM policy names a provider that the meshConfig does not have: everything is denied. */
export const rule: StaticRule = {
  meta: {
    id: 'provider-missed',
    category: 'external-authorization',
    level: 'error',
    title: 'A CUSTOM policy names a provider that does not exist',
    page: {
      meaning:
        'A CUSTOM policy hands the decision to an extensionProvider of the meshConfig. If there is none of that name, or it is no external authorizer, the proxies deny every request of these workloads.',
      printedBy: 'The proxy of the destination: 403, matched policy default-deny-all-due-to-bad-CUSTOM-action.',
      confirm: ['kubectl -n istio-system get configmap istio -o yaml | grep -A5 extensionProviders'],
      change:
        'Write the name as it stands in the meshConfig, or add the provider there (envoyExtAuthzHttp or envoyExtAuthzGrpc).',
      never: 'Do not delete the policy to end the denials: what it guards would be open to everybody.',
    },
    cites: ['istio 86c9f01f pilot/pkg/security/authz/builder/extauthz.go', 'istio/istio#40944'],
  },
  check: (mesh) => {
    if (mesh.config === null) return [];
    const providers = readProviders(valueAt(mesh.config, 'extensionProviders'));
    const names = providers.filter(({ kind }) => kind !== null).map(({ name }) => name);
    return authorizationPolicies(mesh).flatMap(({ object, policy }): readonly StaticMatch[] => {
      const { action, provider, ref } = policy;
      if (action !== 'CUSTOM' || provider === null || names.includes(provider)) return [];
      const near = nearNames(provider, names);
      const hint = near.length === 0 ? '' : ` There is ${near.join(', ')}.`;
      return [
        {
          object,
          at: ['spec', 'provider', 'name'],
          certainty: 'certain',
          cause: `${nameOf(ref)} asks provider ${provider}, and the meshConfig has no external authorizer of that name: every request is denied.${hint}`,
          drafts: [
            step(
              'configuration',
              `Add provider ${provider} to extensionProviders of the meshConfig, or correct its name in ${nameOf(ref)}.${hint}`,
            ),
          ],
        },
      ];
    });
  },
  gaps: (mesh) => {
    const custom = authorizationPolicies(mesh).filter(({ policy }) => policy.action === 'CUSTOM');
    return mesh.config !== null || custom.length === 0
      ? []
      : [
          `whether the providers of ${counted(custom.length, 'CUSTOM policy', 'CUSTOM policies')} exist: the meshConfig is not known (kubectl -n istio-system get configmap istio -o yaml)`,
        ];
  },
};
