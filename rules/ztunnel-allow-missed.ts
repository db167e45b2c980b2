import { waypointSign } from '../src/causes/waypoint.ts';
import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Finding, Match, Rule } from '../src/model/finding.ts';
import type { MeshView, ObjectRef } from '../src/model/mesh.ts';
import type { Decision } from '../src/model/policy.ts';
import type { ConnectionRecord } from '../src/model/record.ts';
import type { Draft } from '../src/model/remedy.ts';
import { decideObserved } from '../src/policy/ambient/observed.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { allowCaller, callThroughWaypoint, step } from '../src/remedy/edits/index.ts';
import { nearPrincipals } from '../src/remedy/edits/near-principal.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';
import { parseSpiffeId, principalOf } from '../src/text/spiffe.ts';

/** ALLOW policies apply to the destination and none of them admits the caller. ztunnel does not name them. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-allow-missed',
    category: 'authorization',
    level: 'error',
    title: 'No ALLOW policy admitted the caller',
    page: {
      meaning:
        'At least one ALLOW AuthorizationPolicy applies to the destination pod, and no rule of any of them matches this caller and port. As soon as one ALLOW policy applies, everything that none admits is denied.',
      printedBy:
        'The ztunnel on the node of the destination (direction inbound). It does not name the policies. The ztunnel of the caller prints only "http status: 401 Unauthorized".',
      confirm: [
        'kubectl -n DESTINATION_NAMESPACE get authorizationpolicies -o yaml',
        'kubectl get authorizationpolicies -A -o wide',
        'istioctl ztunnel-config policies',
        'istioctl ztunnel-config workloads',
      ],
      change:
        'Add the caller to one of the ALLOW policies, or add an ALLOW policy of its own: ALLOW policies are OR-ed. Write the identity without spiffe://, and the port of the pod, not of the Service. A caller without identity must join the mesh first; a caller behind a waypoint belongs into a policy with targetRefs at the waypoint.',
      never:
        'Do not admit everybody (rules: [{}]), do not use a wildcard principal, and do not add a principal when the line has no src.identity: plain text never matches one.',
    },
    cites: ['istio/ztunnel 62d82653 src/state.rs', 'istio/ztunnel 62d82653 src/rbac.rs', 'istio/ztunnel#1273'],
  },
  on: ['ztunnel/connection'],
  match(flow, mesh) {
    const { record } = flow;
    if (ztunnelErrorOf(record)?.kind !== 'allow-missed' || record.kind !== 'connection') return null;
    const decision = decideObserved(record, mesh);
    const isMiss = decision?.outcome === 'deny' && decision.error?.endsWith('none allowed') === true;
    const avoided = isMiss && onlyWaypoints(decision, mesh);
    return {
      certainty: 'certain',
      cause: avoided ? avoidsWaypoint(record) : causeOf(record, isMiss ? decision.determining : [], mesh),
      level: avoided ? 'note' : 'error',
      enforcedBy: 'ztunnel',
      policies: isMiss ? decision.determining : [],
      nearMiss: isMiss ? decision.nearMiss : [],
      intended: avoided ? 'likely' : 'unknown',
      unchecked: isMiss ? [] : [uncheckedBy(decision)],
    } satisfies Match;
  },
  propose(finding, mesh) {
    return finding.level === 'note'
      ? [callThroughWaypoint(finding), findPolicies(finding)]
      : [...allowCaller(finding, mesh), findPolicies(finding)];
  },
};

/** Every caller that the policies name is a waypoint: whoever else comes was meant to come through it. */
function onlyWaypoints({ nearMiss }: Decision, mesh: MeshView): boolean {
  const isWaypoint = (principal: string): boolean =>
    waypointSign(parseSpiffeId(`spiffe://${principal}`), mesh) !== null;
  return (
    nearMiss.length > 0 && nearMiss.every(({ field, wanted }) => field.endsWith('.principals') && isWaypoint(wanted))
  );
}

function avoidsWaypoint(record: ConnectionRecord): string {
  return `${sourceName(record)} called ${destinationName(record)} directly, and the ALLOW policies there admit its waypoint only.`;
}

function uncheckedBy(decision: Decision | null): string {
  if (decision === null)
    return 'which ALLOW policies apply: ztunnel does not name them; give policies and pods of the mesh with --mesh';
  return 'which ALLOW policies applied: by the objects given ztunnel would decide otherwise, so they are newer or older than the log';
}

function causeOf(record: ConnectionRecord, policies: readonly ObjectRef[], mesh: MeshView): string {
  const { identity } = record.source;
  const source = sourceName(record);
  const destination = destinationName(record);
  if (identity === null) {
    return `${source} reached ${destination} in plain text and so has no identity. ALLOW policies apply there, and none admits a caller without one.`;
  }
  const sign = waypointSign(identity, mesh);
  if (sign !== null) {
    const who = sign === 'known' ? 'is a waypoint' : 'has the name of a waypoint';
    return `The caller ${principalOf(identity)} ${who}: ztunnel at the pod sees the waypoint, not the client behind it. ALLOW policies apply to ${destination}, and none admits the waypoint.`;
  }
  const principal = principalOf(identity);
  return `ALLOW policies apply to ${destination}, and no rule of any of them admits ${principal} (${source}).${nearPrincipals(policies, principal, mesh)}`;
}

function findPolicies(finding: Finding): Draft {
  const namespace = wordOr(finding.destination.namespace, 'DESTINATION_NAMESPACE');
  return step(
    'investigate',
    'List the ALLOW policies that apply to the destination and decide which should name the caller.',
    {
      confirm: [
        `kubectl -n ${namespace} get authorizationpolicies -o yaml`,
        'kubectl get authorizationpolicies -A',
        'istioctl ztunnel-config policies',
      ],
    },
  );
}
