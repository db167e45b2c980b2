import type { MeshView } from '../../src/model/mesh.ts';
import type { AuthorizationPolicy, PolicyRule } from '../../src/model/policy.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { authorizationPolicies, requestAuthentications } from '../../src/policy/survey/policies.ts';
import { podsAreLive, podsSelected, shareWorkload } from '../../src/policy/survey/selection.ts';
import { step } from '../../src/remedy/edits/index.ts';
import { counted } from '../../src/text/counted.ts';
import { nameOf } from '../../src/text/object-ref.ts';

/** A rule asks for a token's identity where no RequestAuthentication checks tokens. */
export const rule: StaticRule = {
  meta: {
    id: 'token-unchecked',
    category: 'authentication',
    level: 'warning',
    title: 'A rule asks for a token that no RequestAuthentication checks',
    page: {
      meaning:
        'requestPrincipals and request.auth.* have a value only at a proxy where a RequestAuthentication has checked a token. Elsewhere an ALLOW that asks for them never matches, and a DENY for requests without one denies all. What a gateway has checked does not travel on: the proxy of the workload needs a RequestAuthentication of its own.',
      printedBy: 'The proxy of the destination, once a request is denied: 403, rbac_access_denied_matched_policy.',
      confirm: ['kubectl get requestauthentications -A', 'istioctl x describe pod POD -n NAMESPACE'],
      change:
        'Add a RequestAuthentication for the same workloads, or let the rule ask for what is known there: the principal of the gateway, and a header that the gateway sets.',
      never: 'Do not ask for a header alone instead: everybody can send one.',
    },
    cites: [
      'istio 86c9f01f pilot/pkg/security/authn/policy_applier.go',
      'envoy 1.37 source/extensions/filters/http/jwt_authn',
    ],
  },
  check: (mesh) => {
    if (!checksAreKnown(mesh)) return [];
    return authorizationPolicies(mesh).flatMap(({ object, policy }) => {
      const asking = policy.rules.flatMap((one, index) => (asksForToken(one) ? [index] : []));
      if (asking.length === 0 || isChecked(policy, mesh)) return [];
      const isLive = podsSelected(policy, mesh).some(({ namespace }) => podsAreLive(namespace, mesh));
      const effect = policy.action === 'DENY' ? 'denies every request' : 'never matches';
      return asking.map((index): StaticMatch => {
        const positive = policy.action === 'DENY' ? 'where it asks for a missing token, it' : 'it';
        return {
          object,
          at: ['spec', 'rules', index],
          certainty: isLive ? 'likely' : 'possible',
          level: isLive ? 'warning' : 'note',
          cause: `Rule ${index} of ${nameOf(policy.ref)} asks for a token, and no RequestAuthentication among the objects is for the same workloads: ${positive} ${effect}.`,
          drafts: [
            step(
              'configuration',
              `Add a RequestAuthentication for the workloads of ${nameOf(policy.ref)}, or ask there for what its proxy knows.`,
            ),
          ],
        };
      });
    });
  },
  gaps: (mesh) => {
    if (checksAreKnown(mesh)) return [];
    const asking = authorizationPolicies(mesh).filter(({ policy }) => policy.rules.some(asksForToken));
    return asking.length === 0
      ? []
      : [
          `whether a RequestAuthentication checks the tokens that rules of ${counted(asking.length, 'policy', 'policies')} ask for: none is known (kubectl get requestauthentications -A -o yaml)`,
        ];
  },
};

/** A mesh without any may just not have been given them, unless it was read from a cluster. */
function checksAreKnown(mesh: MeshView): boolean {
  return requestAuthentications(mesh).length > 0 || mesh.pods.some(({ ips }) => ips.length > 0);
}

function asksForToken({ from, when }: PolicyRule): boolean {
  const bySource = from.some(
    (source) => source !== null && source.requestPrincipals.length + source.notRequestPrincipals.length > 0,
  );
  return bySource || when.some(({ key }) => key.startsWith('request.auth.'));
}

function isChecked(policy: AuthorizationPolicy, mesh: MeshView): boolean {
  return requestAuthentications(mesh).some(
    ({ policy: checks }) =>
      shareWorkload(policy, checks, mesh) ||
      (checks.ref.namespace === mesh.rootNamespace && checks.selector === null && checks.targetRefs.length === 0) ||
      (policy.targetRefs.length > 0 && checks.targetRefs.length > 0),
  );
}
