import { jsonText, parseJsonObject } from '../../src/text/json-line.ts';
import { isRecord } from '../../src/text/kube-object.ts';
import { aliasOf } from './aliases.ts';
import { assignColumns } from './assign.ts';
import { operatorOf } from './classes.ts';
import { INFERRED, type Inference, isOwnLine } from './inferred.ts';
import { envoyJsonParser } from './json.ts';

type Json = Readonly<Record<string, unknown>>;

/** A value of an object, by the keys that lead to it. */
interface Leaf {
  readonly path: readonly string[];
  /** As printed; '' where it is absent. Untrusted. */
  readonly text: string;
}

const MIN_LINES = 3;
const MIN_SHARE = 0.95;
const MAX_DEPTH = 4;
const MAX_LEAVES = 200;

/** The JSON format of lines that no parser knows, by their keys and values, as a text; null: they have no certain one. */
export function inferJsonFormat(lines: readonly string[]): Inference | null {
  const groups = new Map<string, Json[]>();
  for (const line of lines) {
    const object = parseJsonObject(line);
    if (object === null) continue;
    const signature = Object.keys(object).sort().join('\u0000');
    const group = groups.get(signature) ?? [];
    groups.set(signature, group);
    group.push(object);
  }
  for (const objects of [...groups.values()].sort((a, b) => b.length - a.length)) {
    const inference = objects.length < MIN_LINES ? null : inferObjects(objects);
    if (inference !== null) return inference;
  }
  return null;
}

function inferObjects(objects: readonly Json[]): Inference | null {
  const values = new Map<string, { readonly path: readonly string[]; readonly texts: string[] }>();
  for (const [index, object] of objects.entries()) {
    for (const { path, text } of leavesOf(object, [])) {
      const id = path.join('\u0000');
      const known = values.get(id) ?? { path, texts: objects.map(() => '') };
      values.set(id, known);
      known.texts[index] = text;
    }
  }
  if (values.size > MAX_LEAVES) return null;
  const leaves = [...values.values()];
  const candidates = leaves.map(({ path, texts }) => ({
    hint: hintOf(path),
    values: texts,
    isQuoted: true,
  }));
  const columns = assignColumns(candidates);
  if (columns === null) return null;
  const format: Record<string, unknown> = {};
  leaves.forEach(({ path, texts }, index) => {
    put(format, path, operatorOf(columns[index] ?? null, texts, true));
  });
  const parser = envoyJsonParser(INFERRED.id, INFERRED.title, format, isOwnLine);
  if ('error' in parser) return null;
  const read = objects.filter((object) => {
    const parsed = parser.parse({ ...INFERRED.envelope, payload: JSON.stringify(object) });
    return parsed?.kind === 'request' || parsed?.kind === 'connection';
  }).length;
  if (read < objects.length * MIN_SHARE) return null;
  return { format: JSON.stringify(format), parser, known: columns.filter((column) => column !== null).length };
}

/** What the keys say: all of them, else the last. */
function hintOf(path: readonly string[]): ReturnType<typeof aliasOf>['column'] {
  return aliasOf(path.join('.')).column ?? aliasOf(path.at(-1) ?? '').column;
}

function leavesOf(object: Json, path: readonly string[]): readonly Leaf[] {
  return Object.entries(object).flatMap(([key, value]) => {
    const here = [...path, key];
    if (isRecord(value) && here.length < MAX_DEPTH) return leavesOf(value, here);
    return [{ path: here, text: jsonText(value) ?? '' }];
  });
}

/** Puts a value where the keys lead. Keys are the lines' own: none of an object's prototype is touched. */
function put(object: Record<string, unknown>, [key, ...rest]: readonly string[], value: string): void {
  if (key === undefined) return;
  if (rest.length === 0) {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
    return;
  }
  const known = Object.hasOwn(object, key) ? object[key] : undefined;
  const inner: Record<string, unknown> = isRecord(known) ? { ...known } : {};
  put(inner, rest, value);
  Object.defineProperty(object, key, { value: inner, enumerable: true, configurable: true, writable: true });
}
