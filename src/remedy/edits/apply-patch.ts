import type { JsonPatchOperation } from '../../model/remedy.ts';
import { pointerKeys } from '../../text/json-pointer.ts';
import { isRecord } from '../../text/kube-object.ts';
import { copyOf, deepCopy, sameData } from './json-patch.ts';

type Json = Readonly<Record<string, unknown>>;

/** What a JSON Patch makes of an object, or the first operation that does not fit it and what stands in its place (undefined: nothing). */
export type PatchOutcome =
  | { readonly ok: true; readonly after: Json }
  | { readonly ok: false; readonly failed: JsonPatchOperation; readonly found: unknown };

/**
 * Applies a JSON Patch (RFC 6902; `move` and `copy` are never written here) as an API server does, which answers a failure
 * without saying which operation it was. The object stays as it is. Never throws.
 */
export function applyPatch(object: Json, operations: readonly JsonPatchOperation[]): PatchOutcome {
  const after = deepCopy(object);
  for (const operation of operations) {
    if (!perform(after, operation))
      return { ok: false, failed: operation, found: below(after, pointerKeys(operation.path)) };
  }
  return { ok: true, after };
}

function below(root: unknown, keys: readonly string[]): unknown {
  let here = root;
  for (const key of keys) {
    if (Array.isArray(here)) here = INDEX.test(key) ? here[Number(key)] : undefined;
    else here = isRecord(here) && Object.hasOwn(here, key) ? here[key] : undefined;
  }
  return here;
}

const INDEX = /^(?:0|[1-9]\d{0,8})$/;

/** Changes `root` in place, which is a copy of ours; false: the operation does not fit. */
function perform(root: Json, operation: JsonPatchOperation): boolean {
  const keys = pointerKeys(operation.path);
  if (operation.op === 'test') {
    const found = below(root, keys);
    return found !== undefined && sameData(found, operation.value);
  }
  const key = keys.at(-1);
  if (key === undefined) return false;
  const container = below(root, keys.slice(0, -1));
  if (Array.isArray(container)) return changeList(container, key, operation);
  return isRecord(container) && changeField(container, key, operation);
}

function changeList(list: unknown[], key: string, operation: JsonPatchOperation): boolean {
  const index = key === '-' ? list.length : INDEX.test(key) ? Number(key) : -1;
  if (operation.op === 'add') {
    if (index < 0 || index > list.length) return false;
    list.splice(index, 0, copyOf(operation.value));
    return true;
  }
  if (index < 0 || index >= list.length) return false;
  list.splice(index, 1, ...(operation.op === 'remove' ? [] : [copyOf(operation.value)]));
  return true;
}

function changeField(object: Json, key: string, operation: JsonPatchOperation): boolean {
  if (operation.op !== 'add' && !Object.hasOwn(object, key)) return false;
  if (operation.op === 'remove') return Reflect.deleteProperty(object, key);
  const value = copyOf(operation.value);
  return Reflect.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

/** True if an object has already all that the operations would bring; what they test is not asked. */
export function isDone(object: Json, operations: readonly JsonPatchOperation[]): boolean {
  return operations.every((operation) => {
    if (operation.op === 'test') return true;
    const keys = pointerKeys(operation.path);
    const container = below(object, keys.slice(0, -1));
    if (operation.op === 'add' && Array.isArray(container)) {
      return container.some((item) => sameData(item, operation.value));
    }
    const found = below(object, keys);
    // An item that is gone and one that moved up look the same.
    if (operation.op === 'remove') return found === undefined && !Array.isArray(container);
    return found !== undefined && sameData(found, operation.value);
  });
}

/** A patch as it was written to a file; null: it is none, or one that is never written here. Untrusted. */
export function decodePatch(value: unknown): readonly JsonPatchOperation[] | null {
  if (!Array.isArray(value) || value.length === 0) return null;
  const operations = value.map(decodeOperation);
  return operations.every((operation) => operation !== null) ? operations : null;
}

function decodeOperation(entry: unknown): JsonPatchOperation | null {
  if (!isRecord(entry)) return null;
  const { op, path, value } = entry;
  if (typeof path !== 'string' || !path.startsWith('/')) return null;
  if (op === 'remove') return { op, path };
  if (op !== 'test' && op !== 'add' && op !== 'replace') return null;
  return value === undefined ? null : { op, path, value };
}
