import type { KubeObject, MeshView } from '../../model/mesh.ts';
import type { Fit } from '../../model/plan.ts';
import type { JsonPatchOperation } from '../../model/remedy.ts';
import { fieldPath, pointerKeys } from '../../text/json-pointer.ts';
import { refText } from '../../text/object-ref.ts';
import { clip } from '../../text/sanitize.ts';
import { applyPatch, isDone } from '../edits/apply-patch.ts';
import { refOf } from '../edits/change.ts';
import { asStored } from '../edits/stored.ts';
import { firstDifference } from '../splice/difference.ts';

type Verdict = Omit<Fit, 'file'>;

/** Characters of a value in a sentence. */
const MAX_VALUE = 100;

/**
 * Whether a patch, as it was written to a file, still fits the object that it was made for, as that is in the mesh. An API
 * server refuses a patch that does not fit with an empty answer; here the first operation that fails is named. Null: the patch
 * does not tell its object, as those of a plan do by `test`. Never throws.
 */
export function checkPatch(operations: readonly JsonPatchOperation[], mesh: MeshView): Verdict | null {
  const kind = tested(operations, '/kind');
  const name = tested(operations, '/metadata/name');
  if (kind === null || name === null) return null;
  const namespace = tested(operations, '/metadata/namespace') ?? '';
  // A manifest that names no namespace is read as one of `default`; what has none at all is found at once.
  const unnamed = namespace === '' ? mesh.object({ kind, namespace: 'default', name }) : null;
  const object = mesh.object({ kind, namespace, name }) ?? unnamed;
  const about = refText({ kind, namespace, name });
  if (object === null) return { about, state: 'stale', because: 'there is no such object in the mesh' };
  const stored = asStored(object.raw);
  if (isDone(stored, operations)) return { about, state: 'done', because: null };
  const outcome = applyPatch(stored, operations);
  if (outcome.ok) return { about, state: 'fits', because: null };
  return { about, state: 'stale', because: reasonOf(outcome.failed, outcome.found) };
}

/** Whether an object that is to be created is not there yet. */
export function checkCreation(object: KubeObject, mesh: MeshView): Verdict {
  const about = refText(refOf(object));
  const present = mesh.object(refOf(object));
  if (present === null) return { about, state: 'fits', because: null };
  const difference = differenceText(asStored(object.raw)['spec'], asStored(present.raw)['spec'], ['spec']);
  if (difference === null) return { about, state: 'done', because: null };
  return { about, state: 'stale', because: `there is another one of this name: ${difference}` };
}

function tested(operations: readonly JsonPatchOperation[], path: string): string | null {
  const operation = operations.find((candidate) => candidate.op === 'test' && candidate.path === path);
  return operation?.op === 'test' && typeof operation.value === 'string' ? operation.value : null;
}

function reasonOf(operation: JsonPatchOperation, found: unknown): string {
  const keys = pointerKeys(operation.path);
  const place = fieldPath(keys);
  if (operation.op !== 'test') return `${place} cannot be changed (${operation.op}): what it belongs to is not there`;
  if (found === undefined) return `${place} is gone, was ${valueText(operation.value)} when the logs were read`;
  return `${differenceText(operation.value, found, keys) ?? place} when the logs were read`;
}

/** The first difference, as a sentence that `when …` may follow; null: there is none. */
function differenceText(was: unknown, now: unknown, keys: readonly string[]): string | null {
  const difference = firstDifference(was ?? null, now ?? null, keys);
  if (difference === null) return null;
  const place = fieldPath(difference.at);
  switch (difference.op) {
    case 'insert':
      return `${place} is now ${valueText(difference.value)}, was not there`;
    case 'remove':
      return `${place} is gone, was ${valueText(difference.was)}`;
    case 'replace':
      return `${place} is now ${valueText(difference.value)}, was ${valueText(difference.was)}`;
  }
}

function valueText(value: unknown): string {
  return clip(typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing'), MAX_VALUE);
}
