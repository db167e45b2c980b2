import type { Finding } from '../../model/finding.ts';
import type { KubeObject, MeshView, ObjectRef } from '../../model/mesh.ts';
import type { AuthorizationPolicy, PolicyRule, PolicySource } from '../../model/policy.ts';
import type { Draft } from '../../model/remedy.ts';
import { decodeAuthorizationPolicy } from '../../policy/decode.ts';
import { allOf } from '../../policy/network-match.ts';
import { callerIdentity, callerName, findIdentity } from './caller.ts';
import { identityProof } from './caller-proof.ts';
import { draftOf, type PlannedChange, patchObject } from './change.ts';
import { type Destination, destinationOf } from './destination.ts';
import { enrolCaller } from './enrol.ts';
import { type Call, callOf, fromFits, restFits, sourceFits } from './fit.ts';
import { type Edit, entryIn } from './json-patch.ts';
import { showPolicy } from './kubectl.ts';
import { principalParts } from './names.ts';
import { policiesFor } from './policies.ts';
import { scopeOf } from './scope.ts';
import { step } from './step.ts';
import { watchLogs } from './watch.ts';

/**
 * Drafts that except the caller from the DENY policies which matched: those the finding names, and others that apply and
 * match too, as the proxy names one only. In a list of those who are not denied (`notPrincipals`) the caller is appended;
 * a rule that denies by other things gets such a list with the caller alone. Never an ALLOW policy: DENY is asked first.
 * Where a policy that was named is not among the objects, nothing else is touched in its place: then a step to fetch it.
 * Without identity no list can name the caller: then a step that gives it one, or finds it out. Never empty.
 */
export function exceptCaller(finding: Finding, mesh: MeshView): readonly Draft[] {
  const caller = callerIdentity(finding, mesh);
  if (caller === null) return withoutIdentity(finding, mesh);
  const missing = finding.policies.filter((ref) => mesh.object(ref) === null);
  if (missing.length > 0) return [fetchNamed(finding, missing, mesh)];
  const policies = deniesFor(finding, mesh);
  const exceptions = policies.map((denial) => exceptionsIn(denial, finding, mesh));
  const named = policies.filter((_denial, index) => exceptions[index]?.some(({ kind }) => kind === 'named'));
  if (named.length > 0) return [namedOnPurpose(finding, named)];
  const planned = policies.map(({ object }, index) =>
    patchObject(
      object,
      (exceptions[index] ?? []).flatMap(({ edits }) => edits),
    ),
  );
  const changes = planned.filter((change) => change !== null);
  if (changes.length === 0) return [editByHand(finding)];
  const decided = exceptions.flat().every(({ kind }) => kind === 'listed');
  const names = changes.map(({ change }) => `${change.object.namespace}/${change.object.name}`);
  const list = decided ? 'the callers that are not denied' : 'an exception';
  const destination = destinationOf(finding, mesh);
  return [
    draftOf(changes, {
      kind: 'policy-change',
      summary: `Add ${caller.principal} to ${list} in AuthorizationPolicy ${names.join(' and ')}.`,
      decision: decided ? null : DECISION,
      risk: `Every pod with that identity is no longer denied.${widthOf(policies, changes, mesh)}${caller.shared}`,
      verify: destination === null ? [] : watchLogs(finding, mesh, destination),
    }),
  ];
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

const DECISION = 'The policy denies this caller by what it says, not for lack of an entry in a list.';

/** A DENY policy that matched the call. */
interface Denial {
  readonly object: KubeObject;
  readonly policy: AuthorizationPolicy;
}

function deniesFor(finding: Finding, mesh: MeshView): readonly Denial[] {
  const named = finding.policies.flatMap((ref) => {
    const object = mesh.object(ref);
    const decoded = object === null ? null : decodeAuthorizationPolicy(object);
    return object !== null && decoded?.ok && decoded.value.action === 'DENY' ? [{ object, policy: decoded.value }] : [];
  });
  const destination = destinationOf(finding, mesh);
  const applied = destination === null ? [] : policiesFor(finding, mesh, destination, 'DENY');
  const others = applied.filter(({ object }) => !named.some((denial) => denial.object === object));
  return [...named, ...others];
}

/** How one rule that denies the caller can stop to. */
interface Exception {
  /** `listed`: it lists those not denied; `other`: it denies by something else; `named`: it names this very caller. */
  readonly kind: 'listed' | 'other' | 'named';
  readonly edits: readonly Edit[];
}

function exceptionsIn({ policy }: Denial, finding: Finding, mesh: MeshView): readonly Exception[] {
  const call = callOf(finding, portOf(finding, mesh), policy.ref.namespace);
  const isNamed = finding.policies.some((ref) => sameRef(ref, policy.ref));
  return policy.rules.flatMap((rule, index) => {
    const fits = allOf([restFits(rule, call, 'DENY'), fromFits(rule, call, 'DENY')]);
    // What the log names did match; of the others only what surely matches is touched.
    return fits === true || (isNamed && fits === null) ? exceptionsOf(rule, ['spec', 'rules', index], call) : [];
  });
}

function portOf(finding: Finding, mesh: MeshView): number | null {
  const destination: Destination | null = destinationOf(finding, mesh);
  return destination === null ? finding.destination.port : destination.port;
}

function sameRef(left: ObjectRef, right: ObjectRef): boolean {
  return left.kind === right.kind && left.namespace === right.namespace && left.name === right.name;
}

function exceptionsOf(rule: PolicyRule, at: readonly (string | number)[], call: Call): readonly Exception[] {
  const { principal } = call;
  if (principal === null) return [];
  const listing = rule.when.findIndex(({ key, notValues }) => key === 'source.principal' && notValues.length > 0);
  if (listing >= 0)
    return [
      {
        kind: 'listed',
        edits: [entryIn(rule.when[listing]?.notValues ?? [], [...at, 'when', listing, 'notValues'], principal)],
      },
    ];
  if (rule.from.length === 0) {
    const from = [{ source: { notPrincipals: [principal] } }];
    return [{ kind: 'other', edits: [{ op: 'set', at: [...at, 'from'], value: from }] }];
  }
  return rule.from.flatMap((source, index) => {
    if (source === null || sourceFits(source, call, 'DENY') === false) return [];
    return [exceptionFrom(source, [...at, 'from', index, 'source'], principal)];
  });
}

function exceptionFrom(source: PolicySource, at: readonly (string | number)[], principal: string): Exception {
  const parts = principalParts(principal);
  const account = `${parts?.namespace}/${parts?.serviceAccount}`;
  if (source.principals.includes(principal) || source.serviceAccounts.includes(account))
    return { kind: 'named', edits: [] };
  if (source.notServiceAccounts.length > 0) {
    return { kind: 'listed', edits: [entryIn(source.notServiceAccounts, [...at, 'notServiceAccounts'], account)] };
  }
  const kind = source.notPrincipals.length > 0 ? 'listed' : 'other';
  return { kind, edits: [entryIn(source.notPrincipals, [...at, 'notPrincipals'], principal)] };
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
