import type { Finding } from '../../model/finding.ts';
import type { MeshView } from '../../model/mesh.ts';
import type { Draft, ObjectChange } from '../../model/remedy.ts';
import { isAtLeast } from '../../policy/envoy/settings.ts';
import { validateForApply } from '../../policy/validate.ts';
import { decodeKubeObject } from '../../text/kube-object.ts';
import { refText } from '../../text/object-ref.ts';
import { shortened } from '../../text/shortened.ts';
import { listOf, recordOf, textOf, textsOf, valueAt } from '../../text/untyped.ts';
import { allowRule, needsPattern } from '../edits/allow-rule.ts';
import { callerIdentity } from '../edits/caller.ts';
import { createObject, draftOf, type PlannedChange, patchObject } from '../edits/change.ts';
import { destinationOf } from '../edits/destination.ts';
import { editsBetween } from '../edits/edits-between.ts';
import { principalParts } from '../edits/names.ts';
import { isBehindWaypoint } from '../edits/through-waypoint.ts';
import { forNamespace, type NamedCaller } from './namespace-rules.ts';
import { type TemplateOperation, templatesOf } from './path-templates.ts';

type Json = Readonly<Record<string, unknown>>;

/** Path templates came with this release (istio 1.22 release notes; older ones take the braces for letters). */
const TEMPLATES_SINCE = [1, 22, 0] as const;
/** Service accounts told of. */
const MAX_ACCOUNTS = 6;

/**
 * A draft that admits more than was seen, for an operator who asks for it: the caller's whole namespace instead of the
 * caller, or path templates (`/users/{*}/orders`) in a new rule for the caller instead of single paths. The summary says
 * that it is wider, the risk what it adds. Null: there is nothing of that sort in the draft. A text: why what there is
 * cannot be widened, a sentence without a period.
 */
export function widenDraft(
  draft: Draft,
  finding: Finding,
  mesh: MeshView,
  how: 'namespace' | 'path-template',
): Draft | string | null {
  const caller = callerOf(finding, mesh);
  if (caller === null) return null;
  return how === 'namespace' ? toNamespace(draft, finding, mesh, caller) : toTemplates(draft, finding, mesh, caller);
}

/**
 * Drafts with path templates for a finding whose requests are too many, or too odd, to be listed in a rule, so that nothing
 * else admits them. `propose` makes drafts for a finding. Empty: its requests can be listed. A text: why there are no such
 * drafts, a sentence without a period.
 */
export function templatedDrafts(
  finding: Finding,
  mesh: MeshView,
  propose: (finding: Finding) => readonly Draft[],
): readonly Draft[] | string {
  const caller = callerOf(finding, mesh);
  if (caller === null || !needsPattern(finding)) return [];
  const example = finding.flows
    .map((flow): Finding => ({ ...finding, flows: [flow] }))
    .find((one) => !needsPattern(one));
  if (example === undefined || templatesOf(finding.flows) === null)
    return 'the paths have too little in common for a few templates, or hold what no template can: name a pattern to their owner';
  const widened = propose(example)
    .filter(({ changes }) => changes.length > 0)
    .map((draft) => toTemplates(draft, finding, mesh, caller, example));
  const drafts = widened.filter((draft) => draft !== null && typeof draft !== 'string');
  return drafts.length > 0 ? drafts : (widened.find((draft) => typeof draft === 'string') ?? []);
}

interface Caller extends NamedCaller {
  /** Who else has the identity, as sentences with a blank in front; may be empty. */
  readonly shared: string;
}

function callerOf(finding: Finding, mesh: MeshView): Caller | null {
  const identity = callerIdentity(finding, mesh);
  const parts = identity === null ? null : principalParts(identity.principal);
  return identity === null || parts === null ? null : { ...identity, ...parts };
}

function toNamespace(draft: Draft, finding: Finding, mesh: MeshView, caller: Caller): Draft | string | null {
  const widened = draft.changes.map((change) =>
    isPolicyChange(change) ? forNamespace(change.before, change.after ?? {}, caller) : null,
  );
  if (widened.every((after) => after === null)) return null;
  if (isBehindWaypoint(finding, mesh)) {
    return 'the caller is a waypoint, which belongs into no namespace of clients';
  }
  const planned = replanned(draft.changes, widened, mesh);
  if (typeof planned === 'string') return planned;
  const { namespace, principal } = caller;
  const accounts = [...mesh.serviceAccounts]
    .filter((name) => name.startsWith(`${namespace}/`) && name !== `${namespace}/${caller.serviceAccount}`)
    .toSorted();
  const known =
    accounts.length === 0 ? '' : ` Beside the caller that is now: ${shortened(accounts, MAX_ACCOUNTS).join(', ')}.`;
  return draftOf(planned, {
    kind: draft.kind,
    summary: `Let all of namespace ${namespace} through instead of ${principal} alone, which is wider than what was seen, in ${namesOf(draft.changes, widened)}.`,
    risk: `Holds for every service account of namespace ${namespace}, of every trust domain that the mesh trusts, and for those to come.${known}${behind(draft.risk)}`,
    decision: draft.decision,
    verify: draft.commands.verify,
  });
}

/** `listed`: the finding that the draft was made for, whose paths stand in it. */
function toTemplates(
  draft: Draft,
  finding: Finding,
  mesh: MeshView,
  caller: Caller,
  listed: Finding = finding,
): Draft | string | null {
  const operations = templatesOf(finding.flows);
  if (operations === null) return null;
  const widened = draft.changes.map((change) =>
    isPolicyChange(change) ? withTemplates(change.before, change.after ?? {}, operations, caller) : null,
  );
  if (widened.every((after) => after === null)) return null;
  const { istioVersion } = mesh;
  if (!isAtLeast(istioVersion, TEMPLATES_SINCE))
    return `Istio ${istioVersion} has no path templates: they came with 1.22`;
  const planned = replanned(draft.changes, widened, mesh);
  if (typeof planned === 'string') return planned;
  const forms = operations.map(({ methods, paths }) => `${methods.join(', ')} ${paths.join(', ')}`).join(' and ');
  const since = istioVersion === null ? ' It needs Istio 1.22 or later.' : '';
  return draftOf(planned, {
    kind: draft.kind,
    summary: `Let ${caller.principal} call ${forms}, forms of paths and so wider than what was seen, in ${namesOf(draft.changes, widened)}.`,
    risk: `{*} stands for any text within a segment: also for what nobody asked for yet.${since}${behind(withoutRemark(draft, listed, mesh, caller))}`,
    decision: draft.decision,
    verify: draft.commands.verify,
  });
}

/** The risk without what it says of paths, which is no longer so. */
function withoutRemark({ risk }: Draft, finding: Finding, mesh: MeshView, { principal }: Caller): string | null {
  const destination = destinationOf(finding, mesh);
  const admitted = destination === null ? null : allowRule(finding, destination, principal);
  return admitted === null || risk === null ? risk : risk.replace(admitted.remark, '');
}

function behind(risk: string | null): string {
  return risk === null ? '' : ` ${risk}`;
}

function isPolicyChange({ object, op, after }: ObjectChange): boolean {
  return object.kind === 'AuthorizationPolicy' && op !== 'delete' && after !== null;
}

function namesOf(changes: readonly ObjectChange[], widened: readonly (Json | null)[]): string {
  return changes
    .filter((_change, index) => widened[index] !== null)
    .map(({ object }) => refText(object))
    .join(' and ');
}

/**
 * The policy with templates in its new rules for the caller alone; null: there is none. Rules that were there before are
 * somebody else's, and rules that ask for more than ports, methods and paths are left as they are.
 */
function withTemplates(
  before: Json | null,
  after: Json,
  operations: readonly TemplateOperation[],
  { principal }: Caller,
): Json | null {
  const action = textOf(valueAt(after, 'spec', 'action')) ?? 'ALLOW';
  const known = listOf(valueAt(before, 'spec', 'rules')).length;
  const rules = listOf(valueAt(after, 'spec', 'rules')).map(recordOf);
  const isOwn = (rule: Json, index: number): boolean =>
    index >= known &&
    listOf(rule['from']).length > 0 &&
    listOf(rule['from']).every((entry) => textsOf(valueAt(entry, 'source', 'principals')).includes(principal)) &&
    listOf(rule['to']).length > 0 &&
    listOf(rule['to']).every((entry) => Object.keys(recordOf(valueAt(entry, 'operation'))).every(isPlainField));
  if (action !== 'ALLOW' || !rules.some(isOwn)) return null;
  const widened = rules.map((rule, index) => {
    if (!isOwn(rule, index)) return rule;
    const ports = textsOf(valueAt(rule, 'to', 0, 'operation', 'ports'));
    const to = operations.map((operation) => ({
      operation: { ...(ports.length > 0 ? { ports } : {}), ...operation },
    }));
    return { ...rule, to };
  });
  return { ...after, spec: { ...recordOf(after['spec']), rules: widened } };
}

function isPlainField(field: string): boolean {
  return field === 'ports' || field === 'methods' || field === 'paths';
}

/** The changes with what was widened in its place, made anew from the objects of the mesh. A text: why they cannot be. */
function replanned(
  changes: readonly ObjectChange[],
  widened: readonly (Json | null)[],
  mesh: MeshView,
): readonly PlannedChange[] | string {
  const planned: PlannedChange[] = [];
  for (const [index, change] of changes.entries()) {
    const next = plannedAgain(change, widened[index] ?? change.after, mesh);
    if (next === null) return `${refText(change.object)} is not known as it must be to be changed otherwise`;
    const object = decodeKubeObject(next.change.after, { file: '', document: 0 });
    const { valid, errors } =
      typeof object === 'string' ? { valid: false, errors: [object] } : validateForApply(object);
    if (!valid) return `${refText(change.object)} would be refused: ${errors[0] ?? 'it is not valid'}`;
    planned.push(next);
  }
  return planned;
}

function plannedAgain({ op, object }: ObjectChange, after: Json | null, mesh: MeshView): PlannedChange | null {
  if (after === null || op === 'delete') return null;
  if (op === 'create') return createObject({ ...object, spec: recordOf(after['spec']) });
  const known = mesh.object(object);
  return known === null ? null : patchObject(known, editsBetween(known.raw, after));
}
