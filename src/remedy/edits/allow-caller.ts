import type { Finding } from '../../model/finding.ts';
import type { MeshView } from '../../model/mesh.ts';
import type { AuthorizationPolicy } from '../../model/policy.ts';
import type { Draft } from '../../model/remedy.ts';
import { shellWord } from '../../text/shell.ts';
import { allowRule, needsPattern, scopeWords } from './allow-rule.ts';
import { admitsAlready, conditionsFor, type Slot, slotsIn, wantsToken } from './allow-slots.ts';
import { callerIdentity, callerName, findIdentity, forwardedRemark } from './caller.ts';
import { identityProof, namesServer } from './caller-proof.ts';
import { draftOf, patchObject } from './change.ts';
import { type Destination, destinationOf } from './destination.ts';
import { enrolCaller } from './enrol.ts';
import { isLayer4, requestsOf } from './fit.ts';
import { bindToWaypoint, lossRemark, lostRules } from './http-at-ztunnel.ts';
import { showPolicy } from './kubectl.ts';
import { type Admission, newAllowPolicy } from './new-allow-policy.ts';
import { type AppliedPolicy, policiesFor, undecidedAllows } from './policies.ts';
import { scopeOf } from './scope.ts';
import { correctSelector } from './stale-selector.ts';
import { step } from './step.ts';
import { callThroughWaypoint, isBehindWaypoint, throughWaypoint } from './through-waypoint.ts';
import { watchLogs } from './watch.ts';
import { admitsOnlyWaypoints } from './waypoint-only.ts';

/**
 * Drafts that admit the caller where ALLOW policies apply and none of them did, the narrowest first: the caller is
 * appended to a list of callers that nearly matched, or gets a rule of its own in the workload's policy, or a policy of
 * its own; last, an entry in a policy that applies to more workloads, and a policy with a guessed selector. Without an
 * identity there is nothing that a policy could name: then a step that gives it one, or finds it out. A waypoint's identity
 * is never admitted beside its clients, nor a client beside its waypoint. Never empty.
 */
export function allowCaller(finding: Finding, mesh: MeshView): readonly Draft[] {
  const caller = callerIdentity(finding, mesh);
  if (caller === null) return withoutIdentity(finding, mesh);
  if (isBehindWaypoint(finding, mesh)) return throughWaypoint(finding, mesh);
  const destination = destinationOf(finding, mesh);
  if (destination === null) return [lookAtPolicies(finding, null)];
  const admission: Admission = { finding, mesh, destination, ...caller };
  const drafts = mesh.known ? byPolicies(admission) : withPattern(admission, newAllowPolicy(admission));
  return drafts.length > 0 ? drafts : [lookAtPolicies(finding, destination)];
}

/** A draft with a rule of the caller's own, behind the question what its requests have in common if the rule cannot list them. */
function withPattern({ finding, destination }: Admission, draft: Draft | null): readonly Draft[] {
  const ask = needsPattern(finding) ? [askForPattern(finding, destination)] : [];
  return draft === null ? ask : [...ask, draft];
}

function byPolicies(admission: Admission): readonly Draft[] {
  const { finding, mesh, destination } = admission;
  const policies = policiesFor(finding, mesh, destination, 'ALLOW');
  if (isGuardedByWaypoint(admission, policies)) return [callThroughWaypoint(finding)];
  if (policies.some((applied) => admitsAlready(finding, destination, applied))) return [outdated(admission, policies)];
  if (policies.some((applied) => wantsToken(finding, destination, applied))) return [sendToken(admission, policies)];
  const asked = policies.flatMap((applied) => conditionsFor(finding, destination, applied));
  if (asked.length > 0) return [meetConditions(admission, asked, policies)];
  // A first ALLOW policy would refuse everybody else; that there is one, and the mesh does not show it, the refusal proves.
  if (policies.length === 0 && destination.labels !== null) return [];
  const stale = correctSelector(finding, mesh, destination);
  if (stale.length > 0) return stale;
  const open = policies.filter(({ policy }) => !isLayer4(finding) || !admitsOnlyWaypoints(policy, mesh));
  const lost = lostRules(finding, destination, policies);
  const losing = { ...admission, shared: `${admission.shared}${lossRemark(lost)}` };
  const drafts = [...entries(losing, open), ...ownRule(losing, open)].toSorted((a, b) => a.reach - b.reach);
  const bind = lost.length > 0 ? [bindToWaypoint(lost, destination, mesh)] : [];
  return [...bind, ...drafts.flatMap((candidate) => candidate.drafts)];
}

/** All callers that the policies at the pods name are waypoints, or those that a policy names which may apply there. */
function isGuardedByWaypoint({ finding, mesh, destination }: Admission, policies: readonly AppliedPolicy[]): boolean {
  if (!isLayer4(finding)) return false;
  const naming = policies.map(({ policy }) => policy).filter(({ rules }) => rules.length > 0);
  const guarding = naming.length > 0 ? naming : undecidedAllows(mesh, destination);
  return naming.length > 0
    ? guarding.every((policy) => admitsOnlyWaypoints(policy, mesh))
    : guarding.some((policy) => admitsOnlyWaypoints(policy, mesh));
}

/** A draft with the step before it, if there is one, and how many workloads the policy it changes applies to. */
interface Candidate {
  readonly reach: number;
  readonly drafts: readonly Draft[];
}

/** A gateway's clients come from outside, and have an identity only where it asks for certificates; others can be enrolled. */
function withoutIdentity(finding: Finding, mesh: MeshView): readonly Draft[] {
  const proof = identityProof(finding);
  const mayHaveProven = finding.enforcedBy !== 'gateway' || namesServer(finding);
  if (proof === 'known' || !mayHaveProven) return [lookAtPolicies(finding, null)];
  return proof === 'unprinted' ? [findIdentity(finding, mesh, thenAdmit(finding, mesh))] : enrolCaller(finding, mesh);
}

/** What is to be added once the identity is known. */
function thenAdmit(finding: Finding, mesh: MeshView): string {
  const destination = destinationOf(finding, mesh);
  const scope = destination === null ? [] : scopeWords(finding, destination);
  const narrow = scope.length === 0 ? '' : `, for ${scope.join(' and ')} only`;
  return `Then exactly that identity (TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT) can be added to an ALLOW policy of the destination${narrow}.`;
}

/** Requests that are no list: what a policy should say of them is for a person to tell. */
function askForPattern(finding: Finding, destination: Destination): Draft {
  const paths = new Set(requestsOf(finding).map(({ path }) => path ?? 'paths that are not in the log'));
  const some = [...paths].toSorted().slice(0, 3).join(', ');
  return step(
    'investigate',
    `Ask the owner of ${destination.workload ?? destination.service?.name ?? 'the destination'} which pattern of paths ${callerName(finding)} needs: ${paths.size} different ones were refused (${some}${paths.size > 3 ? ', …' : ''}), and no rule can list them one by one.`,
    {
      risk: 'A pattern such as /api/* admits all that is below, with the methods given beside it.',
      confirm: [`kubectl -n ${shellWord(destination.namespace)} get authorizationpolicy -o yaml`],
    },
  );
}

/** Entries in lists that nearly matched, of at most two policies. */
function entries(admission: Admission, policies: readonly AppliedPolicy[]): readonly Candidate[] {
  const seen = new Set<string>();
  const slots = slotsIn(admission.finding, admission.destination, policies, admission.mesh).filter(({ applied }) => {
    const { name, namespace } = applied.policy.ref;
    return seen.size < 2 && !seen.has(`${namespace}/${name}`) && seen.add(`${namespace}/${name}`);
  });
  return slots.flatMap((slot) => {
    const draft = fill(admission, slot);
    return draft === null ? [] : [{ reach: slot.applied.reach, drafts: [draft] }];
  });
}

function fill({ finding, mesh, destination, principal, shared }: Admission, slot: Slot): Draft | null {
  const { object, policy } = slot.applied;
  const planned = patchObject(object, [slot.edit]);
  if (planned === null) return null;
  const ports = slot.portBound ? '' : ` The rule is for all ports${isLayer4(finding) ? '' : ', methods and paths'}.`;
  const lost =
    slot.replaced === null
      ? ''
      : ` ${slot.replaced}, under which no pod runs, is admitted no more: it may be of a job.`;
  const scope = scopeOf(slot.applied, mesh);
  const wide = scope === null ? '' : ` The policy applies to ${scope}: the caller may then call all of it.`;
  return draftOf([planned], {
    kind: 'policy-change',
    summary: `${editWords(slot, principal)} rule ${slot.rule} of AuthorizationPolicy ${policy.ref.namespace}/${policy.ref.name}.`,
    risk: `Admits every pod with the identity ${principal}.${lost}${shared}${ports}${wide}`,
    verify: watchLogs(finding, mesh, destination),
  });
}

function editWords({ edit, replaced }: Slot, principal: string): string {
  if (replaced !== null) return `Write ${principal} in place of ${replaced} in`;
  return edit.op === 'append' ? `Add ${principal} to` : `Take the scheme off ${principal} in`;
}

/** A rule of its own in a policy for this workload alone that lists callers already, else a policy of its own. */
function ownRule(admission: Admission, policies: readonly AppliedPolicy[]): readonly Candidate[] {
  const [home] = policies.filter(({ policy, reach }) => reach === 1 && policy.rules.length > 0 && isSelective(policy));
  const own = home === undefined ? null : addRule(admission, home);
  if (own !== null) return [{ reach: 1, drafts: withPattern(admission, own) }];
  const drafts = withPattern(admission, newAllowPolicy(admission));
  // What a guessed label selects is not known: a policy that surely applies goes first.
  const isGuess = admission.destination.labels === null && admission.finding.enforcedBy !== 'waypoint';
  return drafts.length === 0 ? [] : [{ reach: isGuess ? Number.MAX_SAFE_INTEGER : 1, drafts }];
}

function addRule({ finding, mesh, destination, principal, shared }: Admission, home: AppliedPolicy): Draft | null {
  const admitted = allowRule(finding, destination, principal);
  if (admitted === null) return null;
  const planned = patchObject(home.object, [{ op: 'append', at: ['spec', 'rules'], value: admitted.rule }]);
  if (planned === null) return null;
  const { namespace, name } = home.policy.ref;
  return draftOf([planned], {
    kind: 'policy-change',
    summary: `Add a rule for ${principal} to AuthorizationPolicy ${namespace}/${name}.`,
    risk: `Admits every pod with that identity.${shared}${admitted.remark}`,
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

/** The owner admits this caller under a condition: without it, it would be trusted with more than it was. */
function meetConditions({ principal }: Admission, asked: readonly string[], policies: readonly AppliedPolicy[]): Draft {
  return step(
    'investigate',
    `See what the request carried: the policies admit ${principal} only where ${[...new Set(asked)].join(', or ')}. If another value is legitimate, its owner can add a rule that names both the caller and that value.`,
    {
      risk: 'A rule that admits the caller by its identity alone drops the condition for all whom it forwards; a condition on a header alone can be forged by anybody.',
      confirm: policies.map(({ policy }) => showPolicy(policy.ref)),
    },
  );
}

function lookAtPolicies(finding: Finding, destination: Destination | null): Draft {
  const namespace = destination?.namespace ?? finding.destination.namespace;
  const place = namespace === null ? '--all-namespaces' : `-n ${shellWord(namespace)}`;
  return step(
    'investigate',
    `Read the ALLOW policies that apply to the destination, and decide whether ${callerName(finding)} belongs into one of them. ${forwardedRemark(finding)}`.trimEnd(),
    { confirm: [`kubectl ${place} get authorizationpolicy -o yaml`] },
  );
}
