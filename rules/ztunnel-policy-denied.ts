import { waypointSign } from '../src/causes/waypoint.ts';
import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Finding, Match, Rule } from '../src/model/finding.ts';
import type { MeshView, ObjectRef } from '../src/model/mesh.ts';
import type { PolicyRule } from '../src/model/policy.ts';
import type { SpiffeId } from '../src/model/record.ts';
import { decideObserved } from '../src/policy/ambient/observed.ts';
import { decodeAuthorizationPolicy } from '../src/policy/decode.ts';
import { ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { asksOfHttp } from '../src/remedy/edits/http-at-ztunnel.ts';
import { exceptCaller, showPolicy, step } from '../src/remedy/edits/index.ts';
import { nearPrincipals } from '../src/remedy/edits/near-principal.ts';
import { denyAtWaypoint } from '../src/remedy/edits/through-waypoint.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';
import { sameRef } from '../src/text/object-ref.ts';
import { principalOf } from '../src/text/spiffe.ts';

/** An AuthorizationPolicy with action DENY matched. ztunnel names it. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-policy-denied',
    category: 'authorization',
    level: 'error',
    title: 'An AuthorizationPolicy denied the caller',
    page: {
      meaning:
        'A DENY AuthorizationPolicy matched the connection; the log names it. DENY is evaluated before ALLOW, and one matching DENY is enough. Often that is exactly what the policy is for.',
      printedBy:
        'The ztunnel on the node of the destination (direction inbound). The ztunnel of the caller prints only "http status: 401 Unauthorized", or a success without data for plain text.',
      confirm: [
        'kubectl -n POLICY_NAMESPACE get authorizationpolicy POLICY_NAME -o yaml # confirmed if a rule of it fits the caller',
        'istioctl ztunnel-config policies',
      ],
      change:
        'If the denial is wanted, nothing. If not: a policy of the form "deny all but these" (notPrincipals) needs the identity of the caller in the same list; a policy that names the caller or the port must be narrowed. Only the first matching DENY is printed, another one may follow.',
      never:
        'Do not add an ALLOW policy: DENY wins, and a first ALLOW policy locks out everybody else. Do not delete the policy, and do not add a second rule to a notPrincipals policy: rules are OR-ed and it would deny more.',
    },
    cites: ['istio/ztunnel 62d82653 src/state.rs', 'istio/ztunnel 62d82653 src/rbac.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow, mesh) {
    const { record } = flow;
    const error = ztunnelErrorOf(record);
    if (error?.kind !== 'policy-denied' || record.kind !== 'connection') return null;
    const policy = policyOf(error.values);
    return {
      certainty: 'certain',
      cause: `AuthorizationPolicy ${policy.namespace}/${policy.name} denies ${sourceName(record)} access to ${destinationName(record)}.${hintOf(mesh, policy)}${spellingOf(record.source.identity, policy, mesh)}`,
      enforcedBy: 'ztunnel',
      policies: [policy],
      nearMiss: (decideObserved(record, mesh)?.nearMiss ?? []).filter((miss) => sameRef(miss.policy, policy)),
      intended: 'unknown',
      unchecked: mesh.known ? [] : [`what the policy says: ${showPolicy(policy)}, or give it with --mesh`],
      subject: [policy.namespace, policy.name],
    } satisfies Match;
  },
  propose(finding, mesh) {
    const read = finding.policies.map(showPolicy);
    if (finding.policies.some((policy) => deniesEverything(mesh, policy))) {
      return [
        ...(mayBeExcepted(finding, mesh) ? exceptCaller(finding, mesh) : []),
        step(
          'none',
          'The policy denies everything. If it is a temporary probe it works as intended; remove it when done.',
          {
            confirm: read,
            verify: [ztunnelLogs(mesh, 'explicitly denied by')],
          },
        ),
      ];
    }
    return [
      ...(mayBeExcepted(finding, mesh) ? exceptCaller(finding, mesh) : denyAtWaypoint(finding, mesh)),
      step(
        'investigate',
        'Read the policy and decide whether the denial is wanted. If it is, change the caller, not the policy.',
        {
          confirm: [...read, ztunnelLogs(mesh, 'explicitly denied by')],
        },
      ),
    ];
  },
};

function policyOf([namespace = '', name = '']: readonly string[]): ObjectRef {
  return { kind: 'AuthorizationPolicy', namespace, name };
}

/** An exception for a waypoint would except everybody behind it. */
function mayBeExcepted(finding: Finding, mesh: MeshView): boolean {
  return waypointSign(finding.source.identity, mesh) === null;
}

function hintOf(mesh: MeshView, policy: ObjectRef): string {
  if (deniesEverything(mesh, policy)) return ' It has an empty rule and denies everything: this may be a probe.';
  if (mesh.known && mesh.object(policy) === null) {
    return ' The policy is not among the objects given: it is newer or older than they are.';
  }
  const asks = decodedRules(mesh, policy).flatMap(asksOfHttp);
  return asks.length === 0
    ? ''
    : ` It asks about HTTP (${asks.join(', ')}), which ztunnel leaves out, so that it denies more than it says.`;
}

function spellingOf(identity: SpiffeId | null, policy: ObjectRef, mesh: MeshView): string {
  return identity === null ? '' : nearPrincipals([policy], principalOf(identity), mesh);
}

/** A DENY with an empty rule, as it is used to prove that a selector selects what it should. */
function deniesEverything(mesh: MeshView, ref: ObjectRef): boolean {
  return decodedRules(mesh, ref).some(({ from, to, when }) => from.length + to.length + when.length === 0);
}

/** The rules of a DENY policy; empty: it is not known, or is another. */
function decodedRules(mesh: MeshView, ref: ObjectRef): readonly PolicyRule[] {
  const object = mesh.object(ref);
  const policy = object === null ? null : decodeAuthorizationPolicy(object);
  return policy?.ok === true && policy.value.action === 'DENY' ? policy.value.rules : [];
}
