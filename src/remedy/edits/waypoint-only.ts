import { waypointSign } from '../../causes/waypoint.ts';
import type { MeshView } from '../../model/mesh.ts';
import type { AuthorizationPolicy, PolicyRule } from '../../model/policy.ts';
import { parseSpiffeId } from '../../text/spiffe.ts';

/**
 * True for a policy that names callers, and every one of them is a waypoint: it is there so that nobody gets past the
 * waypoint, and any other caller in it would.
 */
export function admitsOnlyWaypoints(policy: AuthorizationPolicy, mesh: MeshView): boolean {
  return policy.rules.length > 0 && policy.rules.every((rule) => isForWaypoints(rule, policy.ref.namespace, mesh));
}

/** True for a principal that is a waypoint's, by the mesh or by its name. */
export function isWaypointPrincipal(principal: string, mesh: MeshView): boolean {
  return waypointSign(parseSpiffeId(`spiffe://${principal}`), mesh) !== null;
}

/** All sources of a rule, or one of its conditions, name waypoints. */
function isForWaypoints(rule: PolicyRule, policyNamespace: string, mesh: MeshView): boolean {
  const areWaypoints = (principals: readonly string[]): boolean =>
    principals.length > 0 && principals.every((principal) => isWaypointPrincipal(principal, mesh));
  const bySource =
    rule.from.length > 0 &&
    rule.from.every(
      (source) =>
        source !== null &&
        (areWaypoints(source.principals) ||
          areWaypoints(source.serviceAccounts.map((account) => principalOf(account, policyNamespace, mesh)))),
    );
  return bySource || rule.when.some(({ key, values }) => key === 'source.principal' && areWaypoints(values));
}

/** The principal of an entry of `serviceAccounts`, which may leave out the namespace. */
function principalOf(account: string, policyNamespace: string, { trustDomain }: MeshView): string {
  const [name = '', namespace = policyNamespace] = account.split('/').toReversed();
  return `${trustDomain}/ns/${namespace}/sa/${name}`;
}
