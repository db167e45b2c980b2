import type { MeshView, Pod } from '../../src/model/mesh.ts';
import type { AuthorizationPolicy, PolicyRule } from '../../src/model/policy.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { authorizationPolicies } from '../../src/policy/survey/policies.ts';
import { tcpPortsOf } from '../../src/policy/survey/ports.ts';
import { podsSelected } from '../../src/policy/survey/selection.ts';
import { asksOfHttp } from '../../src/remedy/edits/http-at-ztunnel.ts';
import { showPolicy, step } from '../../src/remedy/edits/index.ts';
import { nameOf } from '../../src/text/object-ref.ts';

/** A DENY with HTTP fields at a sidecar that has TCP ports: there the fields are taken out, and the rest denies. */
export const rule: StaticRule = {
  meta: {
    id: 'deny-http-on-tcp',
    category: 'authorization',
    level: 'warning',
    title: 'A DENY rule with HTTP fields denies whole TCP ports',
    page: {
      meaning:
        'On a port that is declared as TCP a sidecar sees no requests. It takes the HTTP fields out of a DENY rule and applies the rest: a rule with nothing else denies every connection to that port. notRequestPrincipals, which asks for a token, is such a field.',
      printedBy:
        'The sidecar of the destination: a TCP line with rbac_access_denied_matched_policy in the termination details.',
      confirm: [
        'kubectl -n NAMESPACE get services -o yaml',
        'kubectl -n NAMESPACE get authorizationpolicy NAME -o yaml',
      ],
      change:
        'Write the HTTP ports of the pod into ports beside the HTTP fields, in the same item. If the port speaks HTTP, name it http-… or set appProtocol.',
      never: 'Do not put an ALLOW against it: DENY is asked first.',
    },
    cites: ['istio 86c9f01f pilot/pkg/security/authz/model/model.go', 'istio/istio#25832'],
  },
  check: (mesh) =>
    authorizationPolicies(mesh)
      .filter(({ policy }) => policy.action === 'DENY')
      .flatMap(({ object, policy }) => {
        const asking = policy.rules.flatMap((one, index) => (asksOfHttp(one).length > 0 ? [{ one, index }] : []));
        const ports = asking.length === 0 ? [] : tcpPortsBehind(policy, mesh);
        return asking.flatMap(({ one, index }): readonly StaticMatch[] => {
          const hit = ports.filter((port) => mayHit(one, port));
          if (hit.length === 0) return [];
          return [
            {
              object,
              at: ['spec', 'rules', index],
              certainty: 'likely',
              enforcedBy: 'sidecar',
              cause: `Rule ${index} of ${nameOf(policy.ref)} asks for ${asksOfHttp(one).join('; ')}. Its workloads have TCP ${hit.length === 1 ? 'port' : 'ports'} ${hit.join(', ')}, where the sidecar takes that out of the rule and denies every connection that fits what is left.`,
              drafts: [
                step(
                  'policy-change',
                  `Write the HTTP ports that rule ${index} of ${nameOf(policy.ref)} is for into its operation, as ports.`,
                  {
                    confirm: [showPolicy(policy.ref)],
                  },
                ),
              ],
            },
          ];
        });
      }),
};

function tcpPortsBehind(policy: AuthorizationPolicy, mesh: MeshView): readonly number[] {
  const pods: readonly Pod[] = podsSelected(policy, mesh).filter(({ dataplane }) => dataplane === 'sidecar');
  return [...new Set(pods.flatMap((pod) => tcpPortsOf(pod, mesh)))].sort((one, other) => one - other);
}

/** Whether the ports that the rule names leave this one in. A port is all that is asked of here: who is denied may be few. */
function mayHit({ from, to, when }: PolicyRule, port: number): boolean {
  const named = when.filter(({ key }) => key === 'destination.port');
  const isBound =
    named.length > 0 || from.some((source) => (source?.principals.length ?? 0) + (source?.namespaces.length ?? 0) > 0);
  if (isBound) return false;
  const text = String(port);
  return (
    to.length === 0 ||
    to.some((operation) => {
      const { ports = [], notPorts = [] } = operation ?? {};
      return (ports.length === 0 || ports.includes(text)) && !notPorts.includes(text);
    })
  );
}
