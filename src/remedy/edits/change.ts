import { stringify } from 'yaml';
import type { KubeObject, ObjectRef } from '../../model/mesh.ts';
import type { Draft, ObjectChange, RemedyKind } from '../../model/remedy.ts';
import { printable, printableJson } from '../../text/sanitize.ts';
import { recordOf } from '../../text/untyped.ts';
import { deepCopy, type Edit, makePatch, type Patch } from './json-patch.ts';
import { type Applied, createCommand, deleteCommand, listObjects, patchCommand, showPolicy } from './kubectl.ts';
import { asStored } from './stored.ts';

type Json = Readonly<Record<string, unknown>>;

/** A change and the commands that make it and take it back. */
export interface PlannedChange extends Applied {
  readonly change: ObjectChange;
  readonly rollback: string;
}

/** Names a new object of a kind that is written here. */
export interface NewObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly spec: Json;
}

/** Creates an object. It carries the label by which everything that this program proposed can be found. */
export function createObject({ apiVersion, kind, namespace, name, spec }: NewObject): PlannedChange {
  const labels = { 'app.kubernetes.io/managed-by': 'meshmend' };
  const after = deepCopy({ apiVersion, kind, metadata: { name, namespace, labels }, spec });
  const object = { apiVersion, kind, namespace, name };
  return {
    change: { op: 'create', object, before: null, after, jsonPatch: null, yaml: toYaml(after), file: null, diff: null },
    ...createCommand(after),
    rollback: deleteCommand(object),
  };
}

/**
 * Changes an object that was read; null: the edits would change nothing, or do not fit it. The object stays as it is; the
 * patch is for what an API server keeps of it.
 */
export function patchObject(object: KubeObject, edits: readonly Edit[]): PlannedChange | null {
  const before = asStored(object.raw);
  const patch = makePatch(before, edits, boundsOf(before));
  return patch === null ? null : plannedPatch(object, before, patch);
}

/**
 * What gives all rules of an AuthorizationPolicy their meaning: were it another since, a list that is made longer would do
 * the opposite, or that elsewhere. That there is no action cannot be tested, so the whole then is.
 */
function boundsOf(object: Json): readonly (readonly string[])[] {
  if (object['kind'] !== 'AuthorizationPolicy') return [];
  const spec = recordOf(object['spec']);
  if (!Object.hasOwn(spec, 'action')) return [['spec']];
  return ['action', 'selector', 'targetRefs', 'targetRef']
    .filter((key) => Object.hasOwn(spec, key))
    .map((key) => ['spec', key]);
}

function plannedPatch(object: KubeObject, before: Json, { after, operations, inverse }: Patch): PlannedChange {
  const ref = refOf(object);
  return {
    change: {
      op: 'patch',
      object: { ...ref, apiVersion: object.apiVersion },
      before: deepCopy(before),
      after,
      jsonPatch: operations,
      yaml: toYaml(withoutServerFields(after)),
      file: object.source.file === '' ? null : object.source.file,
      diff: null,
    },
    ...patchCommand(ref, operations),
    rollback: patchCommand(ref, inverse).apply,
  };
}

/** The name of an object. */
export function refOf({ kind, metadata }: KubeObject): ObjectRef {
  return { kind, namespace: metadata.namespace, name: metadata.name };
}

/** What a draft says beside its changes. */
export interface ChangeNotes {
  readonly kind: RemedyKind;
  readonly summary: string;
  readonly risk: string | null;
  /** Why an owner must decide first. Absent or null: nothing to decide. */
  readonly decision?: string | null;
  readonly verify: readonly string[];
}

/**
 * A draft of changes, with commands to look first at what they change (or stand beside), to make them in order after a
 * trial of all of them, and to take them back.
 */
export function draftOf(
  planned: readonly PlannedChange[],
  { kind, summary, risk, decision = null, verify }: ChangeNotes,
): Draft {
  const looks = planned.map(({ change }) =>
    change.op === 'patch' ? showPolicy(change.object) : listObjects(change.object),
  );
  return {
    kind,
    summary,
    risk,
    decision,
    changes: planned.map(({ change }) => change),
    commands: {
      confirm: [...new Set(looks)],
      apply: [...planned.map(({ trial }) => trial), ...planned.map(({ apply }) => apply)],
      verify,
      rollback: planned.map(({ rollback }) => rollback).toReversed(),
    },
  };
}

const SERVER_FIELDS: ReadonlySet<string> = new Set([
  'creationTimestamp',
  'deletionGracePeriodSeconds',
  'deletionTimestamp',
  'generation',
  'managedFields',
  'resourceVersion',
  'selfLink',
  'uid',
]);
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** The object as a person would write it: without what the API server and kubectl put into it. */
function withoutServerFields(object: Json): Json {
  const { status: _status, ...rest } = object;
  const metadata = Object.entries(recordOf(rest['metadata'])).filter(([key]) => !SERVER_FIELDS.has(key));
  const { annotations, ...others } = Object.fromEntries(metadata);
  const kept = Object.entries(recordOf(annotations)).filter(([key]) => key !== LAST_APPLIED);
  const written = kept.length > 0 ? { annotations: Object.fromEntries(kept) } : {};
  return { ...rest, metadata: { ...others, ...written } };
}

/**
 * YAML without folded lines and anchors; texts that YAML 1.1, which kubectl reads, would take for another type are quoted.
 * Where a text has characters that move a cursor, or end a line for some readers of YAML only, it is JSON, which is YAML too.
 */
export function toYaml(object: Json): string {
  const yaml = stringify(object, { lineWidth: 0, aliasDuplicateObjects: false, compat: 'yaml-1.1' });
  const isSafe = yaml.split('\n').every((line) => printable(line) === line);
  return isSafe ? yaml : `${printableJson(JSON.stringify(object, null, 2))}\n`;
}
