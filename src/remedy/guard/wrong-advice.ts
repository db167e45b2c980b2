import { POLICY_KINDS } from '../../mesh/kinds.ts';
import type { Finding } from '../../model/finding.ts';
import type { MeshView, ObjectRef } from '../../model/mesh.ts';
import type { AuthorizationPolicy, PolicyRule, PolicySource } from '../../model/policy.ts';
import type { Draft, ObjectChange, Wishes } from '../../model/remedy.ts';
import { actionOf } from '../../policy/action.ts';
import { decodeAuthorizationPolicy, decodeRequestAuthentication } from '../../policy/decode.ts';
import { decodeKubeObject } from '../../text/kube-object.ts';
import { sameRef } from '../../text/object-ref.ts';
import { remembered } from '../../text/remembered.ts';
import { withDeducedCaller } from '../edits/deduced-caller.ts';
import { destinationOf } from '../edits/destination.ts';
import { callOf, sourceFits } from '../edits/fit.ts';
import { asksOfHttp } from '../edits/http-at-ztunnel.ts';
import { principalParts } from '../edits/names.ts';
import { policiesFor, selects } from '../edits/policies.ts';
import { isWaypointPrincipal } from '../edits/waypoint-only.ts';

/** A draft and all that its advice depends on. */
export interface Advice {
  readonly draft: Draft;
  readonly finding: Finding;
  readonly mesh: MeshView;
  readonly wishes: Wishes;
}

/** An AuthorizationPolicy before and after one change. Null: it is not there, or is no valid one. */
export interface PolicyChange {
  readonly ref: ObjectRef;
  readonly before: AuthorizationPolicy | null;
  readonly after: AuthorizationPolicy | null;
}

/** The changes of a draft in AuthorizationPolicies. */
const policyChanges: (draft: Draft) => readonly PolicyChange[] = remembered(({ changes }) =>
  changes
    .filter(({ object }) => object.kind === 'AuthorizationPolicy')
    .map(({ object, before, after }) => ({ ref: object, before: readPolicy(before), after: readPolicy(after) })),
);

function readPolicy(object: ObjectChange['after']): AuthorizationPolicy | null {
  const read = object === null ? 'nothing' : decodeKubeObject(object, { file: '', document: 0 });
  const decoded = typeof read === 'string' ? null : decodeAuthorizationPolicy(read);
  return decoded?.ok === true ? decoded.value : null;
}

/** Kinds whose change gives a caller an identity. */
const ENROLLING_KINDS: ReadonlySet<string> = new Set([
  'Namespace',
  'Pod',
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'Job',
  'CronJob',
]);

function enrols({ changes }: Draft): boolean {
  return changes.some(({ object }) => ENROLLING_KINDS.has(object.kind));
}

/**
 * A DENY refused, or a policy that nobody knows, and only ALLOW policies change. A caller that gets an identity may be one
 * whom the DENY lets pass.
 */
export function answersDenyWithAllow({ draft, finding, mesh }: Advice): boolean {
  const refusing = finding.policies.filter(
    (ref) => ref.kind === 'AuthorizationPolicy' && actionOf(ref, mesh) !== 'ALLOW',
  );
  const changed = policyChanges(draft);
  return (
    refusing.length > 0 &&
    !enrols(draft) &&
    changed.some(({ after }) => after?.action === 'ALLOW') &&
    !changed.some(({ ref }) => refusing.some((denial) => sameRef(denial, ref)))
  );
}

/** A caller of which no identity is known is admitted by one, and is not brought into the mesh. */
export function namesIdentityOfNobody({ draft, finding, mesh }: Advice): boolean {
  const isKnown = finding.source.principal !== null || withDeducedCaller(finding, mesh) !== null;
  if (isKnown || enrols(draft)) return false;
  return policyChanges(draft).some((change) => addedPrincipals(change).length > 0);
}

function addedPrincipals({ before, after }: PolicyChange): readonly string[] {
  const known = new Set(principalsOf(before));
  return principalsOf(after).filter((principal) => !known.has(principal));
}

function principalsOf(policy: AuthorizationPolicy | null): readonly string[] {
  return (policy?.rules ?? []).flatMap(({ from, when }) => [
    ...from.flatMap((source) => [...(source?.principals ?? []), ...(source?.notPrincipals ?? [])]),
    ...when
      .filter(({ key }) => key === 'source.principal')
      .flatMap(({ values, notValues }) => [...values, ...notValues]),
  ]);
}

/** Rules with HTTP fields that a change brings in where ztunnel enforces them, which leaves such fields out. */
export function asksZtunnelForHttp({ draft, finding }: Advice): boolean {
  if (finding.enforcedBy === 'sidecar' || finding.enforcedBy === 'gateway') return false;
  return policyChanges(draft).some(({ before, after }) => {
    const known = new Set((before?.rules ?? []).flatMap(asksOfHttp));
    const added = (after?.rules ?? []).flatMap(asksOfHttp).filter((asked) => !known.has(asked));
    return after?.targetRefs.length === 0 && added.length > 0;
  });
}

/** Tokens are asked for where no RequestAuthentication checks any. Without a mesh that is not known. */
export function asksForUncheckedToken(advice: Advice): boolean {
  const { draft, mesh } = advice;
  if (!mesh.known) return false;
  return policyChanges(draft).some(({ before, after }) => {
    if (after === null || tokensIn(after).every((asked) => tokensIn(before).includes(asked))) return false;
    return !checksTokens(after, advice);
  });
}

function tokensIn(policy: AuthorizationPolicy | null): readonly string[] {
  return (policy?.rules ?? []).flatMap(({ from, when }) => [
    ...from.flatMap((source) => source?.requestPrincipals ?? []),
    ...when.flatMap(({ key, values }) => (key.startsWith('request.auth.') ? [`${key} ${values.join(' ')}`] : [])),
  ]);
}

function checksTokens(policy: AuthorizationPolicy, { draft, finding, mesh }: Advice): boolean {
  const created = draft.changes
    .filter(({ object }) => object.kind === 'RequestAuthentication')
    .map(({ after }) => decodeKubeObject(after, { file: '', document: 0 }))
    .filter((object) => typeof object !== 'string');
  const { namespace } = policy.ref;
  const known = [namespace, mesh.rootNamespace].flatMap((place) => mesh.objectsOf('RequestAuthentication', place));
  const labels = destinationOf(finding, mesh)?.labels ?? null;
  return [...known, ...created].some((object) => {
    const decoded = decodeRequestAuthentication(object);
    if (!decoded.ok) return false;
    const { targetRefs, selector } = decoded.value;
    if (targetRefs.length === 0) return selects(selector, labels);
    return targetRefs.some((target) =>
      policy.targetRefs.some((own) => own.kind === target.kind && own.name === target.name),
    );
  });
}

/**
 * What should be one entry with several fields, all of which must hold, is two of which one suffices: in an ALLOW policy the
 * caller by name and beside that by something wider; in a DENY policy one more source or rule, which denies more.
 */
export function setsApartWhatBelongsTogether({ draft, finding }: Advice): boolean {
  return policyChanges(draft).some(({ before, after }) => {
    if (after === null) return false;
    const added = sourcesOf(after).filter((item) => !sourcesOf(before).some((old) => old.key === item.key));
    if (after.action === 'DENY') return before !== null && sourcesOf(after).length > sourcesOf(before).length;
    if (after.action !== 'ALLOW') return false;
    const call = callOf(finding, finding.destination.port, after.ref.namespace);
    const fitting = added.filter(({ source }) => source === null || sourceFits(source, call, 'ALLOW') !== false);
    const named = fitting.filter(({ source }) => source !== null && namesPrincipal(source, call.principal));
    return named.length > 0 && fitting.length > named.length;
  });
}

/** One way into a policy: an entry of `from` with the rest of its rule. Null: a rule without `from`, for everybody. */
interface SourceItem {
  readonly source: PolicySource | null;
  readonly key: string;
}

function sourcesOf(policy: AuthorizationPolicy | null): readonly SourceItem[] {
  return (policy?.rules ?? []).flatMap((rule: PolicyRule): readonly SourceItem[] => {
    const rest = JSON.stringify([rule.to, rule.when]);
    if (rule.from.length === 0) return [{ source: null, key: rest }];
    const sources = rule.from.filter((source) => source !== null);
    return sources.map((source) => ({ source, key: `${JSON.stringify(source)} ${rest}` }));
  });
}

function namesPrincipal({ principals, serviceAccounts }: PolicySource, principal: string | null): boolean {
  const parts = principal === null ? null : principalParts(principal);
  if (principal === null || parts === null) return false;
  const { namespace, serviceAccount } = parts;
  return (
    principals.includes(principal) ||
    serviceAccounts.some((account) => account === `${namespace}/${serviceAccount}` || account === serviceAccount)
  );
}

/** Failures in which nobody was refused. */
const NO_REFUSALS: ReadonlySet<string> = new Set(['upstream', 'application', 'client', 'traffic-control', 'none']);

/** Policies change, though what failed was no refusal: there was nobody to answer, or an answer of the application. */
export function changesPoliciesWithoutRefusal({ draft, finding }: Advice): boolean {
  return NO_REFUSALS.has(finding.category) && draft.changes.some(({ object }) => POLICY_KINDS.has(object.kind));
}

/**
 * A waypoint is admitted at the pods beside its clients, or where no policy at the waypoint says which clients it lets
 * through: then everybody behind it passes.
 */
export function admitsWaypointForAll({ draft, finding, mesh }: Advice): boolean {
  const atPods = policyChanges(draft).filter(({ after }) => after?.action === 'ALLOW' && after.targetRefs.length === 0);
  const admitting = atPods.filter((change) =>
    addedPrincipals(change).some((principal) => isWaypointPrincipal(principal, mesh)),
  );
  if (admitting.length === 0) return false;
  const areBeside = admitting.some(({ after }) =>
    principalsOf(after).some((principal) => !isWaypointPrincipal(principal, mesh)),
  );
  return areBeside || !decidesAtWaypoint(draft, finding, mesh);
}

function decidesAtWaypoint(draft: Draft, finding: Finding, mesh: MeshView): boolean {
  if (policyChanges(draft).some(({ after }) => (after?.targetRefs.length ?? 0) > 0)) return true;
  const destination = destinationOf(finding, mesh);
  const asked: Finding = { ...finding, enforcedBy: 'waypoint' };
  return (
    destination !== null &&
    (['ALLOW', 'DENY'] as const).some((action) => policiesFor(asked, mesh, destination, action).length > 0)
  );
}
