import type { MeshView } from '../../model/mesh.ts';
import type { LeftOut, Plan, PlannedObject, PlannedRemedy } from '../../model/plan.ts';
import type { JsonPatchOperation, ObjectChange, Remedy } from '../../model/remedy.ts';
import type { ReportedFinding } from '../../model/report.ts';
import { pointer } from '../../text/json-pointer.ts';
import { refText } from '../../text/object-ref.ts';
import { valueAt } from '../../text/untyped.ts';
import { applyPatch } from '../edits/apply-patch.ts';
import { editsBetween } from '../edits/edits-between.ts';
import { makePatch, sameData } from '../edits/json-patch.ts';
import { createFileCommand, deleteCommand, patchCommand, patchFileCommand } from '../edits/kubectl.ts';
import { NOTHING_TO_DO } from '../propose.ts';
import { withObject } from '../splice/home.ts';
import { documentOf, spliceChange } from '../splice/splice.ts';
import { diffPath, unifiedDiff } from '../splice/unified.ts';

/** A change of an object as it is after all remedies that were taken so far. */
interface Draft {
  readonly change: ObjectChange;
  readonly decision: string | null;
}

/**
 * One set of the first remedies of a report, as far as they are proved. A remedy goes in whole or not at all: where another
 * one, taken before, changes the same object, both are merged if each was proved for itself and neither widens the other;
 * else the later one is left for another run. The order is that of the findings, the worst first.
 */
export function planChanges(findings: readonly ReportedFinding[], mesh: MeshView): Plan {
  let drafts: ReadonlyMap<string, Draft> = new Map();
  const taken: { readonly finding: ReportedFinding; readonly remedy: Remedy }[] = [];
  const leftOut: LeftOut[] = [];
  for (const finding of findings) {
    const [remedy] = finding.remedies;
    if (remedy === undefined || remedy.changes.length === 0) continue;
    const { summary, verification } = remedy;
    const merged = verification.status === 'verified' ? withRemedy(drafts, remedy) : verification;
    if ('reason' in merged)
      leftOut.push({ summary, because: `${verification.status === 'verified' ? '' : 'not proved: '}${merged.reason}` });
    else {
      drafts = merged;
      taken.push({ finding, remedy });
    }
  }
  const names = fileNames([...drafts]);
  return {
    objects: [...drafts].map(([key, draft]) => plannedObject(draft, names.get(key) ?? '', mesh)),
    remedies: taken.map(({ finding, remedy }) => plannedRemedy(finding, remedy, names)),
    leftOut,
    unsolved: findings.filter(isUnsolved).length - taken.length,
    diffs: diffsOf(
      [...drafts.values()].filter(({ decision }) => decision === null),
      mesh,
    ),
  };
}

function isUnsolved({ level, remedies: [best] }: ReportedFinding): boolean {
  return level !== 'note' && best?.summary !== NOTHING_TO_DO;
}

function keyOf({ object }: ObjectChange): string {
  return JSON.stringify([object.apiVersion.split('/')[0], object.kind, object.namespace, object.name]);
}

type Drafts = ReadonlyMap<string, Draft>;

function withRemedy(drafts: Drafts, { changes, decision }: Remedy): Drafts | { readonly reason: string } {
  const next = new Map(drafts);
  for (const change of changes) {
    const earlier = next.get(keyOf(change));
    const merged = earlier === undefined ? change : merge(earlier, change, decision);
    if (merged === null || merged.op === 'delete') {
      return { reason: `${refText(change.object)} is changed by another remedy already: apply that, then run again` };
    }
    next.set(keyOf(change), { change: merged, decision: earlier?.decision ?? decision });
  }
  return next;
}

/** Two changes of one object as one; null: they contradict each other, or together they might allow more than each alone. */
function merge(earlier: Draft, change: ObjectChange, decision: string | null): ObjectChange | null {
  const known = earlier.change;
  if (known.op === change.op && sameData(known.after, change.after)) return known;
  if (earlier.decision !== null || decision !== null || known.before === null) return null;
  const [mine, others] = [known.jsonPatch, change.jsonPatch];
  if (mine === null || others === null) return null;
  const [changes, more] = [mine.filter(isChange), others.filter(isChange)];
  if (!changes.every((one) => more.every((other) => areIndependent(one, other)))) return null;
  const jsonPatch = distinct([...mine.filter(isTest), ...others.filter(isTest), ...changes, ...more]);
  const outcome = applyPatch(known.before, jsonPatch);
  return outcome.ok ? { ...known, jsonPatch, after: outcome.after } : null;
}

function isTest({ op }: JsonPatchOperation): boolean {
  return op === 'test';
}

function isChange({ op }: JsonPatchOperation): boolean {
  return op !== 'test';
}

function distinct(operations: readonly JsonPatchOperation[]): readonly JsonPatchOperation[] {
  return [...new Map(operations.map((operation) => [JSON.stringify(operation), operation])).values()];
}

/**
 * Items that both go to the end of one list, or into different rules, are alternatives: together they allow what each
 * allows alone. Items in two lists of one rule (a caller here, a port there) would multiply.
 */
function areIndependent(one: JsonPatchOperation, other: JsonPatchOperation): boolean {
  if (one.op !== 'add' || other.op !== 'add') return false;
  if (!one.path.endsWith('/-') || !other.path.endsWith('/-')) return false;
  return one.path === other.path || ruleOf(one.path) !== ruleOf(other.path);
}

/** `/spec/rules/0` of a path below a rule, `/spec/rules/-` for a new one. */
function ruleOf(path: string): string {
  return /^\/spec\/(?:rules|ingress|egress)\/(?:\d+|-)/.exec(path)?.[0] ?? '';
}

const MAX_NAME = 63;

function fileNames(drafts: readonly (readonly [string, Draft])[]): ReadonlyMap<string, string> {
  return new Map(
    drafts.map(([key, { change }], index) => {
      const { kind, namespace, name } = change.object;
      const parts = [kind, namespace, name].map(fileWord).filter((part) => part !== '');
      return [key, `${[index + 1, ...parts].join('-')}.${change.op === 'create' ? 'yaml' : 'json'}`] as const;
    }),
  );
}

/** A part of a file's name, of small letters, digits, dots and dashes. */
function fileWord(text: string): string {
  const clean = text
    .slice(0, MAX_NAME)
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, '-');
  return clean.replace(/\.{2,}/g, '.').replace(/^[.-]+|[.-]+$/g, '');
}

function plannedObject({ change, decision }: Draft, file: string, mesh: MeshView): PlannedObject {
  const { object, jsonPatch, op } = change;
  const planned = { object, file, decision };
  if (op === 'create' || jsonPatch === null) {
    const { trial, apply } = createFileCommand(file);
    return {
      ...planned,
      op: 'create',
      jsonPatch: null,
      yaml: change.yaml,
      asWritten: true,
      trial,
      apply,
      rollback: deleteCommand(object),
    };
  }
  const { trial, apply } = patchFileCommand(object, file);
  const guarded = [...identityTests(change), ...jsonPatch];
  const asWritten = sameData(mesh.object(object)?.raw ?? null, change.before);
  return {
    ...planned,
    op: 'patch',
    jsonPatch: guarded,
    yaml: null,
    asWritten,
    trial,
    apply,
    rollback: rollbackOf(change),
  };
}

/** So that a file tells which object it is for, and does nothing to another. */
function identityTests({ before }: ObjectChange): readonly JsonPatchOperation[] {
  return [['kind'], ['metadata', 'namespace'], ['metadata', 'name']].flatMap((keys) => {
    const value = valueAt(before, ...keys);
    return typeof value === 'string' ? [{ op: 'test' as const, path: pointer(keys), value }] : [];
  });
}

function rollbackOf({ object, before, after }: ObjectChange): string {
  const back = before === null || after === null ? null : makePatch(after, editsBetween(after, before));
  if (back === null || !sameData(back.after, before)) return `# undo the change of ${refText(object)} by hand`;
  return patchCommand(object, back.operations).apply;
}

function plannedRemedy(
  { fingerprint }: ReportedFinding,
  { summary, verification, risk, decision, changes, commands }: Remedy,
  names: ReadonlyMap<string, string>,
): PlannedRemedy {
  return {
    fingerprint,
    summary,
    proof: verification.reason,
    newlyAllows: verification.newlyAllows,
    risk,
    decision,
    files: changes.map((change) => names.get(keyOf(change)) ?? ''),
    confirm: commands.confirm,
    verify: commands.verify,
  };
}

/** The files that the objects come from, changed one object after the other, so that the diffs fit together. */
function diffsOf(drafts: readonly Draft[], mesh: MeshView): Plan['diffs'] {
  const texts = new Map<string, string>();
  for (const { change } of drafts) {
    const changed =
      change.file === null ? null : changedText(change, texts.get(change.file) ?? mesh.sourceText(change.file), mesh);
    if (change.file !== null && changed !== null) texts.set(change.file, changed);
  }
  const byRoot = new Map<string, string>();
  for (const [file, text] of [...texts].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const root = diffPath(file)?.root ?? '';
    const before = mesh.sourceText(file) ?? '';
    const diff = unifiedDiff(file, before, { from: 0, to: before.length, line: 0, after: text });
    if (diff !== null) byRoot.set(root, (byRoot.get(root) ?? '') + diff);
  }
  return [...byRoot].map(([root, text]) => ({ root, text }));
}

/** `text` null: the file is not there yet. */
function changedText(change: ObjectChange, text: string | null, mesh: MeshView): string | null {
  const spliced = text === null ? null : spliceChange(change, text, documentOf(change, mesh));
  return spliced ?? withObject(change, text, mesh);
}
