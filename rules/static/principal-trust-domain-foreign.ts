import type { MeshView } from '../../src/model/mesh.ts';
import type { AuthorizationPolicy } from '../../src/model/policy.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { entriesNaming, type NamedCaller } from '../../src/policy/survey/callers.ts';
import { enforcersOf } from '../../src/policy/survey/enforcers.ts';
import { authorizationPolicies, type Written } from '../../src/policy/survey/policies.ts';
import { draftOf, patchObject } from '../../src/remedy/edits/change.ts';
import { showPolicy, step } from '../../src/remedy/edits/index.ts';
import { principalParts } from '../../src/remedy/edits/names.ts';
import { nameOf, refText } from '../../src/text/object-ref.ts';

/** A principal in a trust domain that this mesh does not have. */
export const rule: StaticRule = {
  meta: {
    id: 'principal-trust-domain-foreign',
    category: 'authorization',
    level: 'warning',
    title: 'A principal is of a trust domain that the mesh does not have',
    page: {
      meaning:
        'A principal begins with the trust domain of the mesh that issued the certificate. One of another domain matches no caller of this mesh. For sidecars istiod reads cluster.local as the domain of the mesh and its aliases; for ztunnel it does not.',
      printedBy: 'Nobody at this place. The denial that follows shows the identity with its own trust domain.',
      confirm: ['kubectl -n istio-system get configmap istio -o yaml | grep -i -A3 trustDomain'],
      change:
        'Write the trust domain as it stands in the meshConfig (and in the log), or add the other one to trustDomainAliases if its callers are meant.',
      never: 'Do not put a star before the namespace: it admits that namespace of every mesh that is trusted.',
    },
    cites: [
      'istio 86c9f01f pilot/pkg/security/trustdomain/bundle.go',
      'istio 86c9f01f pilot/pkg/serviceregistry/ambient/authorization.go',
      'istio/istio#47027',
    ],
  },
  check: (mesh) =>
    mesh.config === null
      ? []
      : authorizationPolicies(mesh).flatMap((written) => {
          const { ztunnel } = enforcersOf(written.policy, mesh);
          return entriesNaming(written.policy, 'principal').flatMap((caller) => {
            const parts = principalParts(caller.value);
            return parts === null || isOwn(parts.trustDomain, ztunnel, mesh)
              ? []
              : [matchOf(written, caller, parts, mesh)];
          });
        }),
};

type Parts = NonNullable<ReturnType<typeof principalParts>>;

function matchOf(
  { object, policy: { ref } }: Written<AuthorizationPolicy>,
  { at, value }: NamedCaller,
  { trustDomain, namespace, serviceAccount }: Parts,
  mesh: MeshView,
): StaticMatch {
  const isDefault = trustDomain === DEFAULT;
  const meant = `${mesh.trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
  const planned = isDefault ? patchObject(object, [{ op: 'set', at, value: meant }]) : null;
  const summary = `Write the principal in ${refText(ref)} as ${meant}, if a caller of this mesh is meant.`;
  const verify = [showPolicy(ref)];
  const risk = 'The rule begins to match this caller.';
  const cause = `${nameOf(ref)} names ${value}, and the mesh is ${mesh.trustDomain}${isDefault ? ': ztunnel takes cluster.local literally' : ''}. No caller of this mesh matches.`;
  const draft =
    planned === null
      ? step('policy-change', summary, { confirm: verify })
      : draftOf([planned], { kind: 'policy-change', summary, risk, verify });
  return { object, at, certainty: 'likely', cause, drafts: [draft] };
}

const DEFAULT = 'cluster.local';

function isOwn(trustDomain: string, ztunnel: boolean | null, mesh: MeshView): boolean {
  if (trustDomain.includes('*') || trustDomain === mesh.trustDomain) return true;
  if (trustDomain === DEFAULT) return ztunnel !== true;
  return mesh.trustDomainAliases.includes(trustDomain);
}
