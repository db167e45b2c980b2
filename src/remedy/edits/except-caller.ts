import type { Finding } from '../../model/finding.ts';
import type { MeshView, ObjectRef } from '../../model/mesh.ts';
import type { PolicyRule, PolicySource } from '../../model/policy.ts';
import type { Draft } from '../../model/remedy.ts';
import { matchesString, readStringMatch } from '../../policy/match-string.ts';
import { distinctRefs, nameOf, sameRef } from '../../text/object-ref.ts';
import { callerIdentity, callerName, findIdentity } from './caller.ts';
import { identityProof } from './caller-proof.ts';
import { draftOf, type PlannedChange, patchObject } from './change.ts';
import { type Denial, deniesFor, denyingRules } from './denial.ts';
import { destinationOf } from './destination.ts';
import { enrolCaller } from './enrol.ts';
import { type Call, sourceFits } from './fit.ts';
import { asksOfHttp, bindToWaypoint, type LostRule } from './http-at-ztunnel.ts';
import { type Edit, entryIn } from './json-patch.ts';
import { showPolicy } from './kubectl.ts';
import { principalParts } from './names.ts';
import { scopeOf } from './scope.ts';
import { step } from './step.ts';
import { watchLogs } from './watch.ts';

/**
 * Drafts that except the caller from the DENY policies which matched: those the finding names, and others that apply and
 * match too, as the proxy names one only. In a list of those who are not denied (`notPrincipals`) the caller is appended;
 * a rule that denies by other things gets such a list with the caller alone, and where it names the caller, the name is taken
 * out of its list: both need a decision of the owner. The only name of a list stays: then a step that says so. Never an
 * ALLOW policy: DENY is asked first.
 * A policy that denies requests without a token wants one, and gets no exception: then a step as well.
 * Rules that ztunnel widens, as it leaves out what they ask of HTTP, belong to a waypoint: then a step that says so.
 * Where a policy that was named is not among the objects, nothing else is touched in its place: then a step to fetch it.
 * Without identity no list can name the caller: then a step that gives it one, or finds it out. Never empty.
 */
export function exceptCaller(finding: Finding, mesh: MeshView): readonly Draft[] {
  const asking = policiesAskingForToken(finding, mesh);
  if (asking.length > 0) return [sendToken(finding, asking)];
  const caller = callerIdentity(finding, mesh);
  if (caller === null) return withoutIdentity(finding, mesh);
  const missing = finding.policies.filter((ref) => mesh.object(ref) === null);
  if (missing.length > 0) return [fetchNamed(finding, missing, mesh)];
  const policies = deniesFor(finding, mesh);
  const reduced = reducedOnly(policies, finding, mesh);
  const destination = destinationOf(finding, mesh);
  if (reduced.length > 0 && destination !== null) return [bindToWaypoint(reduced, destination, mesh)];
  const exceptions = policies.map((denial) => exceptionsIn(denial, finding, mesh));
  const named = policies.filter((_denial, index) =>
    exceptions[index]?.some(({ kind, edits }) => kind === 'named' && edits.length === 0),
  );
  if (named.length > 0) return [namedOnPurpose(finding, named)];
  const planned = policies.map(({ object }, index) =>
    patchObject(
      object,
      (exceptions[index] ?? []).flatMap(({ edits }) => edits),
    ),
  );
  const changes = planned.filter((change) => change !== null);
  if (changes.length === 0) return [editByHand(finding)];
  const kinds = exceptions.flat().map(({ kind }) => kind);
  const names = changes.map(({ change }) => nameOf(change.object)).join(' and ');
  return [
    draftOf(changes, {
      kind: 'policy-change',
      summary: `${wordsOf(caller.principal, kinds)} in AuthorizationPolicy ${names}.`,
      decision: kinds.every((kind) => kind === 'listed') ? null : DECISION,
      risk: `Every pod with that identity is no longer denied.${widthOf(policies, changes, mesh)}${caller.shared}`,
      verify: destination === null ? [] : watchLogs(finding, mesh, destination),
    }),
  ];
}

/** The policies that matched, if all their rules that did are about requests without a token; empty: one denies others. */
function policiesAskingForToken(finding: Finding, mesh: MeshView): readonly ObjectRef[] {
  const matched = deniesFor(finding, mesh).flatMap((denial) =>
    denyingRules(denial, finding, mesh).map(({ rule, call }) => ({ ref: denial.policy.ref, rule, call })),
  );
  const areAsking = matched.every(({ rule, call }) => {
    const sources = rule.from.filter((source) => source !== null && sourceFits(source, call, 'DENY') !== false);
    return sources.length > 0 && sources.every((source) => (source?.notRequestPrincipals.length ?? 0) > 0);
  });
  return areAsking && finding.enforcedBy !== 'ztunnel' ? distinctRefs(matched.map(({ ref }) => ref)) : [];
}

/** Whoever is excepted by its identity is excused from the token. */
function sendToken(finding: Finding, policies: readonly ObjectRef[]): Draft {
  return step(
    'configuration',
    `Let ${callerName(finding)} send a valid token: ${namesOf(policies)} denies every request without one.`,
    {
      risk: 'An exception from the policy would admit the caller, or the path, without any token.',
      confirm: policies.map(showPolicy),
    },
  );
}

/** The rules that matched, if they all did only because ztunnel leaves out what they ask of HTTP; empty: one denies as it is. */
function reducedOnly(policies: readonly Denial[], finding: Finding, mesh: MeshView): readonly LostRule[] {
  const matched = policies.flatMap((denial) =>
    denyingRules(denial, finding, mesh).map((denying) => ({ ref: denial.policy.ref, denying })),
  );
  if (finding.enforcedBy !== 'ztunnel' || !matched.every(({ denying }) => denying.reduced)) return [];
  return matched.map(({ ref, denying }) => ({ ref, rule: denying.index, asks: asksOfHttp(denying.rule) }));
}

/** A DENY policy that matched a caller of which no identity is known: by hand, as what to except is not known either. */
function withoutIdentity(finding: Finding, mesh: MeshView): readonly Draft[] {
  const proof = identityProof(finding);
  if (proof === 'known') return [editByHand(finding)];
  if (proof === 'plaintext') return enrolCaller(finding, mesh);
  return [
    findIdentity(
      finding,
      mesh,
      `Then, if it should not be denied, exactly that identity can be added to notPrincipals of the rule that matched in ${namesOf(finding.policies)}.`,
    ),
  ];
}

/** What else the caller is no longer denied by the policies that change, with a blank in front. */
function widthOf(policies: readonly Denial[], changes: readonly PlannedChange[], mesh: MeshView): string {
  const scopes = policies
    .filter(({ policy }) => changes.some(({ change }) => sameRef(change.object, policy.ref)))
    .map(({ object, policy }) => scopeOf({ object, policy, reach: 1 }, mesh))
    .filter((scope) => scope !== null);
  return scopes.length === 0 ? '' : ` That is so at ${[...new Set(scopes)].join(' and ')}.`;
}

const DECISION =
  'Needs a decision of its owner: the policy denies this caller by what it says, not for lack of an entry in a list.';

/** How one rule that denies the caller can stop to. */
interface Exception {
  /** `listed`: it lists those not denied; `other`: it denies by something else; `named`: it names this very caller. */
  readonly kind: 'listed' | 'other' | 'named';
  /** Empty: nothing would be left of what it says. */
  readonly edits: readonly Edit[];
}

/** What is done, as the beginning of a sentence. */
function wordsOf(principal: string, kinds: readonly Exception['kind'][]): string {
  if (kinds.includes('named')) return `Take ${principal} out of those denied by name`;
  const list = kinds.includes('other') ? 'an exception' : 'the callers that are not denied';
  return `Add ${principal} to ${list}`;
}

function exceptionsIn(denial: Denial, finding: Finding, mesh: MeshView): readonly Exception[] {
  return denyingRules(denial, finding, mesh).flatMap(({ rule, index, call }) =>
    exceptionsOf(rule, ['spec', 'rules', index], call),
  );
}

type Place = readonly (string | number)[];

function exceptionsOf(rule: PolicyRule, at: Place, call: Call): readonly Exception[] {
  const { principal } = call;
  if (principal === null) return [];
  const byCondition = exceptionByCondition(rule, at, principal);
  if (byCondition !== null) return [byCondition];
  if (rule.from.length === 0) {
    const from = [{ source: { notPrincipals: [principal] } }];
    return [{ kind: 'other', edits: [{ op: 'set', at: [...at, 'from'], value: from }] }];
  }
  return rule.from.flatMap((source, index) => {
    if (source === null || sourceFits(source, call, 'DENY') === false) return [];
    return [exceptionFrom(source, [...at, 'from', index, 'source'], principal)];
  });
}

/** Conditions on the principal count for all sources of the rule. Null: it has none that could be changed. */
function exceptionByCondition({ when }: PolicyRule, at: Place, principal: string): Exception | null {
  const index = when.findIndex(
    ({ key, values, notValues }) => key === 'source.principal' && (notValues.length > 0 || values.includes(principal)),
  );
  const condition = when[index];
  if (condition === undefined) return null;
  const place = [...at, 'when', index];
  return condition.notValues.length > 0
    ? { kind: 'listed', edits: [entryIn(condition.notValues, [...place, 'notValues'], principal)] }
    : takenOut(condition.values, [...place, 'values'], principal, []);
}

function exceptionFrom(source: PolicySource, at: Place, principal: string): Exception {
  const parts = principalParts(principal);
  const account = `${parts?.namespace}/${parts?.serviceAccount}`;
  const beside = entryIn(source.notPrincipals, [...at, 'notPrincipals'], principal);
  if (source.principals.includes(principal))
    return takenOut(source.principals, [...at, 'principals'], principal, [beside]);
  if (source.serviceAccounts.includes(account))
    return takenOut(source.serviceAccounts, [...at, 'serviceAccounts'], account, []);
  if (source.notServiceAccounts.length > 0) {
    return { kind: 'listed', edits: [entryIn(source.notServiceAccounts, [...at, 'notServiceAccounts'], account)] };
  }
  return { kind: source.notPrincipals.length > 0 ? 'listed' : 'other', edits: [beside] };
}

/** The name leaves the list that denies by name, unless it is the only one; `otherwise` is added where another entry matches it as well. */
function takenOut(list: readonly string[], at: Place, name: string, otherwise: readonly Edit[]): Exception {
  const rest = list.filter((entry) => entry !== name);
  const stillMatches = rest.some((entry) => matchesString(readStringMatch(entry), name));
  if (rest.length === 0) return { kind: 'named', edits: [] };
  return { kind: 'named', edits: [{ op: 'set', at, value: rest }, ...(stillMatches ? otherwise : [])] };
}

function namedOnPurpose(finding: Finding, denials: readonly Denial[]): Draft {
  const names = denials.map(({ policy }) => `${policy.ref.namespace}/${policy.ref.name}`);
  return step(
    'none',
    `AuthorizationPolicy ${names.join(' and ')} denies ${callerName(finding)} by name: it works as it was written, and only its owner can take the name out.`,
    { confirm: denials.map(({ policy }) => showPolicy(policy.ref)) },
  );
}

function namesOf(refs: readonly ObjectRef[]): string {
  const names = refs.map(({ namespace, name }) => `${namespace}/${name}`);
  return names.length === 0 ? 'the DENY policy' : `AuthorizationPolicy ${names.join(', ')}`;
}

/** The policy that denied is not known here; another one in its place would be the wrong one. */
function fetchNamed(finding: Finding, missing: readonly ObjectRef[], mesh: MeshView): Draft {
  if (!mesh.known) return editByHand(finding);
  return step(
    'investigate',
    `Fetch ${namesOf(missing)}, which the log names and the objects given do not hold, and give it with --mesh: without it no change can be proposed.`,
    {
      risk: 'Other DENY policies did not refuse this call: leave them as they are.',
      confirm: missing.map(showPolicy),
    },
  );
}

function editByHand(finding: Finding): Draft {
  return step(
    'investigate',
    `Read ${namesOf(finding.policies)} that matched and decide whether ${callerName(finding)} should be denied; if not, add it without spiffe:// to the notPrincipals list of the rule that matched, and to no other rule.`,
    {
      risk: 'Add no ALLOW policy: DENY is asked first, and the first ALLOW policy of a workload refuses everybody else.',
      confirm: finding.policies.map(showPolicy),
    },
  );
}
