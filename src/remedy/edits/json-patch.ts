import type { JsonPatchOperation } from '../../model/remedy.ts';
import { pointer } from '../../text/json-pointer.ts';
import { isRecord } from '../../text/kube-object.ts';
import { valueAt } from '../../text/untyped.ts';

type Json = Readonly<Record<string, unknown>>;

/** A deep copy of plain data in which no two places share an object. */
export function deepCopy<T extends Json>(value: T): Json {
  const copy: unknown = JSON.parse(JSON.stringify(value));
  return isRecord(copy) ? copy : {};
}

/** True for equal plain data; the order of keys does not count. */
export function sameData(left: unknown, right: unknown): boolean {
  return canonical(left) === canonical(right);
}

function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_key, part: unknown) =>
    isRecord(part) ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1))) : part,
  );
}

/** One change in an object, by the keys that lead to its place. */
export type Edit =
  /** Puts a value at the end of a list, which is made where it is missing. */
  | { readonly op: 'append'; readonly at: readonly (string | number)[]; readonly value: unknown }
  /** Gives a field a value. Objects on the way to it are made where they are missing. */
  | { readonly op: 'set'; readonly at: readonly (string | number)[]; readonly value: unknown }
  /** Takes a field or an item away. */
  | { readonly op: 'unset'; readonly at: readonly (string | number)[] };

/**
 * The edit that puts a name into a list of names: at the end, or in the place where it stands with the scheme of SPIFFE,
 * which never matches anything.
 */
export function entryIn(list: readonly string[], at: readonly (string | number)[], name: string): Edit {
  const misspelt = list.indexOf(`spiffe://${name}`);
  return misspelt < 0 ? { op: 'append', at, value: name } : { op: 'set', at: [...at, misspelt], value: name };
}

/** What edits do to an object: forwards, backwards, and the object they end in. */
export interface Patch {
  readonly after: Json;
  readonly operations: readonly JsonPatchOperation[];
  readonly inverse: readonly JsonPatchOperation[];
}

/**
 * Makes a JSON Patch of edits. Its `test` operations come first and state what was found in every place that changes (or
 * in the nearest one above that existed), so that a stale patch fails as a whole. Edits that change nothing are dropped;
 * null: nothing is left, or a way leads through something that is neither object nor list. `before` is not changed. `bounds`
 * are places to test besides.
 */
export function makePatch(before: Json, edits: readonly Edit[], bounds: readonly Keys[] = []): Patch | null {
  const after = deepCopy(before);
  const tests = new Map<string, unknown>(bounds.map((keys) => [pointer(keys), valueAt(before, ...keys)]));
  const changes: JsonPatchOperation[] = [];
  const undo: JsonPatchOperation[] = [];
  const undoTests: JsonPatchOperation[] = [];
  for (const edit of edits) {
    const change = locate(after, edit);
    if (change === 'impossible') return null;
    if (change === 'nothing') continue;
    const guard = nearest(before, change.guard);
    tests.set(pointer(guard), valueAt(before, ...guard));
    const done = perform(after, change);
    changes.push(done.operation);
    undo.unshift(done.inverse);
    if (done.operation.op !== 'remove') {
      undoTests.push({ op: 'test', path: done.inverse.path, value: done.operation.value });
    }
  }
  if (changes.length === 0) return null;
  // What holds another place tests that too.
  const outer = [...tests].filter(([path]) => ![...tests.keys()].some((other) => path.startsWith(`${other}/`)));
  return {
    after,
    operations: [...outer.map(([path, value]) => ({ op: 'test' as const, path, value: copyOf(value) })), ...changes],
    inverse: [...undoTests, ...undo],
  };
}

type Keys = readonly (string | number)[];

/** An edit that was found to be possible: the container it acts on, and the key within. */
interface Located {
  readonly op: 'append' | 'add' | 'replace' | 'remove';
  /** Keys of the container. */
  readonly container: Keys;
  readonly key: string | number;
  readonly value: unknown;
  /** What must be unchanged. */
  readonly guard: Keys;
}

function locate(root: Json, edit: Edit): Located | 'nothing' | 'impossible' {
  const found = valueAt(root, ...edit.at);
  if (edit.op === 'append' && Array.isArray(found)) {
    if (found.some((item) => sameData(item, edit.value))) return 'nothing';
    return { op: 'append', container: edit.at, key: found.length, value: edit.value, guard: edit.at };
  }
  const [container, key] = [edit.at.slice(0, -1), edit.at.at(-1)];
  if (key === undefined) return 'impossible';
  if (edit.op === 'unset') {
    return found === undefined ? 'nothing' : { op: 'remove', container, key, value: found, guard: edit.at };
  }
  const value = edit.op === 'append' ? [edit.value] : edit.value;
  if (found === undefined) return locateMissing(root, edit.at, value);
  if (sameData(found, value)) return 'nothing';
  if (edit.op === 'append' && found !== null) return 'impossible';
  return { op: 'replace', container, key, value, guard: edit.at };
}

/** The field and perhaps some above it are missing: they are added as one value below the last that is there. */
function locateMissing(root: Json, at: Keys, value: unknown): Located | 'impossible' {
  const container = nearest(root, at.slice(0, -1));
  const [key, ...below] = at.slice(container.length);
  const parent = valueAt(root, ...container);
  if (key === undefined || typeof key === 'number' || !isRecord(parent)) return 'impossible';
  const nested = below.toReversed().reduce<unknown>((inner, name) => ({ [name]: inner }), value);
  const present = Object.hasOwn(parent, key);
  return { op: present ? 'replace' : 'add', container, key, value: nested, guard: guardOf(root, container) };
}

/** In metadata others write all the time, and not all of it is shown: its version stands for the whole where it is known. */
function guardOf(root: Json, container: Keys): Keys {
  const version = [...container, 'resourceVersion'];
  return container.at(-1) === 'metadata' && valueAt(root, ...version) !== undefined ? version : container;
}

/** The longest part of the way that leads to an object or a list. */
function nearest(root: Json, keys: Keys): Keys {
  let length = keys.length;
  while (length > 0 && (valueAt(root, ...keys.slice(0, length)) ?? null) === null) length -= 1;
  return keys.slice(0, length);
}

/** A copy of any plain data; null for what is absent. */
export function copyOf(value: unknown): unknown {
  return value === undefined ? null : JSON.parse(JSON.stringify(value));
}

/** Changes `root` in place, which is a copy of ours. */
function perform(root: Json, change: Located): { operation: JsonPatchOperation; inverse: JsonPatchOperation } {
  const container = valueAt(root, ...change.container);
  const path = pointer([...change.container, change.key]);
  // Later edits may change what is put in here: what the operation says must not change with it.
  const [value, kept] = [copyOf(change.value), copyOf(change.value)];
  if (change.op === 'append' && Array.isArray(container)) {
    container.push(kept);
    return {
      operation: { op: 'add', path: pointer([...change.container, '-']), value },
      inverse: { op: 'remove', path },
    };
  }
  const old = copyOf(valueAt(container, change.key));
  if (change.op === 'remove') {
    if (Array.isArray(container) && typeof change.key === 'number') container.splice(change.key, 1);
    else if (isRecord(container)) Reflect.deleteProperty(container, String(change.key));
    return { operation: { op: 'remove', path }, inverse: { op: 'add', path, value: old } };
  }
  if (Array.isArray(container) && typeof change.key === 'number') container[change.key] = kept;
  else if (isRecord(container)) define(container, String(change.key), kept);
  const replaces = change.op === 'replace';
  return {
    operation: { op: replaces ? 'replace' : 'add', path, value },
    inverse: replaces ? { op: 'replace', path, value: old } : { op: 'remove', path },
  };
}

/** Assignment that also works for the key `__proto__`. */
function define(object: Json, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}
