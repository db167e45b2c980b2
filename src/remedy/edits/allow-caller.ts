import type { Finding } from '../../model/finding.ts';
import type { MeshView } from '../../model/mesh.ts';
import type { AuthorizationPolicy } from '../../model/policy.ts';
import type { Draft } from '../../model/remedy.ts';
import { shellWord } from '../../text/shell.ts';
import { allowRule } from './allow-rule.ts';
import { admitsAlready, type Slot, slotsIn, wantsToken } from './allow-slots.ts';
import { callerIdentity, callerName, enrolCaller } from './caller.ts';
import { draftOf, patchObject } from './change.ts';
import { type Destination, destinationOf } from './destination.ts';
import { showPolicy } from './kubectl.ts';
import { type Admission, newAllowPolicy } from './new-allow-policy.ts';
import { type AppliedPolicy, policiesFor } from './policies.ts';
import { step } from './step.ts';
import { isBehindWaypoint, throughWaypoint } from './through-waypoint.ts';
import { watchLogs } from './watch.ts';

/**
 * Drafts that admit the caller where ALLOW policies apply and none of them did, the narrowest first: the caller is
 * appended to a list of callers that nearly matched, or gets a rule of its own in the workload's policy, or a policy of
 * its own; last, an entry in a policy that applies to more workloads. Without an identity there is nothing that a policy
 * could name: then a step that gives it one. A waypoint's identity is never admitted beside its clients. Never empty.
 */
export function allowCaller(finding: Finding, mesh: MeshView): readonly Draft[] {
  const caller = callerIdentity(finding, mesh);
  if (caller === null) return [withoutIdentity(finding, mesh)];
  if (isBehindWaypoint(finding, mesh)) return throughWaypoint(finding, mesh);
  const destination = destinationOf(finding, mesh);
  if (destination === null) return [lookAtPolicies(finding, null)];
  const admission: Admission = { finding, mesh, destination, ...caller };
  if (!mesh.known) return [newAllowPolicy(admission) ?? lookAtPolicies(finding, destination)];
  const policies = policiesFor(finding, mesh, destination, 'ALLOW');
  if (policies.some((applied) => admitsAlready(finding, destination, applied))) return [outdated(admission, policies)];
  if (policies.some((applied) => wantsToken(finding, destination, applied))) return [sendToken(admission, policies)];
  // A first ALLOW policy would refuse everybody else; that there is one, and the mesh does not show it, the refusal proves.
  if (policies.length === 0 && destination.labels !== null) return [lookAtPolicies(finding, destination)];
  const drafts = [...entries(admission, policies), ...ownRule(admission, policies)].toSorted(
    (a, b) => a.reach - b.reach,
  );
  return drafts.length > 0 ? drafts.map(({ draft }) => draft) : [lookAtPolicies(finding, destination)];
}

/** A draft, and how many workloads the policy it changes applies to. */
interface Candidate {
  readonly reach: number;
  readonly draft: Draft;
}

/** A gateway's clients come from outside; others can be enrolled. */
function withoutIdentity(finding: Finding, mesh: MeshView): Draft {
  if (finding.source.principal !== null || finding.enforcedBy === 'gateway') return lookAtPolicies(finding, null);
  return enrolCaller(finding, mesh);
}

/** Entries in lists that nearly matched, of at most two policies. */
function entries(admission: Admission, policies: readonly AppliedPolicy[]): readonly Candidate[] {
  const seen = new Set<string>();
  const slots = slotsIn(admission.finding, admission.destination, policies).filter(({ applied }) => {
    const { name, namespace } = applied.policy.ref;
    return seen.size < 2 && !seen.has(`${namespace}/${name}`) && seen.add(`${namespace}/${name}`);
  });
  return slots.flatMap((slot) => {
    const draft = fill(admission, slot);
    return draft === null ? [] : [{ reach: slot.applied.reach, draft }];
  });
}

function fill({ finding, mesh, destination, principal, shared }: Admission, slot: Slot): Draft | null {
  const { object, policy, reach } = slot.applied;
  const planned = patchObject(object, [slot.edit]);
  if (planned === null) return null;
  const [verb, place] = slot.edit.op === 'append' ? ['Add', 'to'] : ['Take the scheme off', 'in'];
  const ports = slot.portBound ? '' : ' The rule is for all ports.';
  const wide = reach > 1 ? ' The policy applies to more than this workload: the caller may then call all of them.' : '';
  return draftOf([planned], {
    kind: 'policy-change',
    summary: `${verb} ${principal} ${place} rule ${slot.rule} of AuthorizationPolicy ${policy.ref.namespace}/${policy.ref.name}.`,
    risk: `Admits every pod with the identity ${principal}.${shared}${ports}${wide}`,
    verify: watchLogs(finding, mesh, destination),
  });
}

/** A rule of its own in a policy for this workload alone that lists callers already, else a policy of its own. */
function ownRule(admission: Admission, policies: readonly AppliedPolicy[]): readonly Candidate[] {
  const [home] = policies.filter(({ policy, reach }) => reach === 1 && policy.rules.length > 0 && isSelective(policy));
  const draft = (home === undefined ? null : addRule(admission, home)) ?? newAllowPolicy(admission);
  return draft === null ? [] : [{ reach: 1, draft }];
}

function addRule({ finding, mesh, destination, principal, shared }: Admission, home: AppliedPolicy): Draft | null {
  const rule = allowRule(finding, destination, principal);
  const planned = patchObject(home.object, [{ op: 'append', at: ['spec', 'rules'], value: rule }]);
  if (planned === null) return null;
  const { namespace, name } = home.policy.ref;
  return draftOf([planned], {
    kind: 'policy-change',
    summary: `Add a rule for ${principal} to AuthorizationPolicy ${namespace}/${name}.`,
    risk: `Admits every pod with that identity.${shared}`,
    verify: watchLogs(finding, mesh, destination),
  });
}

/** Selects its workload by labels or by reference, and not merely because the namespace has no other. */
function isSelective({ selector, targetRefs }: AuthorizationPolicy): boolean {
  return targetRefs.length > 0 || Object.keys(selector?.matchLabels ?? {}).length > 0;
}

/** The mesh that was given admits the call, so it is not the one that refused it. */
function outdated({ principal }: Admission, policies: readonly AppliedPolicy[]): Draft {
  return step(
    'investigate',
    `The policies given already admit ${principal}: see whether they are the ones in force, and whether they are accepted.`,
    { confirm: policies.map(({ policy }) => showPolicy(policy.ref)) },
  );
}

/** To admit the caller by its identity would excuse it from the token that the policy asks for. */
function sendToken({ principal }: Admission, policies: readonly AppliedPolicy[]): Draft {
  return step(
    'investigate',
    `See whether ${principal} sent a valid token: an ALLOW policy would admit it with one, and refuses it without.`,
    {
      risk: 'A rule that admits the caller by its identity alone excuses it from the token.',
      confirm: policies.map(({ policy }) => showPolicy(policy.ref)),
    },
  );
}

function lookAtPolicies(finding: Finding, destination: Destination | null): Draft {
  const namespace = destination?.namespace ?? finding.destination.namespace;
  const place = namespace === null ? '--all-namespaces' : `-n ${shellWord(namespace)}`;
  return step(
    'investigate',
    `Read the ALLOW policies that apply to the destination, and decide whether ${callerName(finding)} belongs into one of them.`,
    { confirm: [`kubectl ${place} get authorizationpolicy -o yaml`] },
  );
}
