import { sameData } from '../../src/remedy/edits/json-patch.ts';
import { isRecord } from '../../src/text/kube-object.ts';
import { recordOf } from '../../src/text/untyped.ts';

type Json = Readonly<Record<string, unknown>>;

/** Fields of `metadata` that the server writes; whatever a client sends in them is not kept. */
const SERVER_METADATA = ['creationTimestamp', 'generation', 'managedFields', 'resourceVersion', 'selfLink', 'uid'];

/** The object without what the server and controllers write. */
export function ownPart(object: Json): Json {
  const { status: _status, metadata, ...rest } = object;
  const kept = Object.entries(recordOf(metadata)).filter(([key]) => !SERVER_METADATA.includes(key));
  return { ...rest, metadata: Object.fromEntries(kept) };
}

/** Where what the server has is not what was expected, one line for each place. */
export function differences(expected: Json, actual: Json): readonly string[] {
  return differ(ownPart(expected), ownPart(actual), '');
}

function differ(left: unknown, right: unknown, path: string): readonly string[] {
  if (sameData(left, right)) return [];
  const bothHoldParts = (isRecord(left) && isRecord(right)) || (Array.isArray(left) && Array.isArray(right));
  if (!bothHoldParts) return [`${path}: ${textOf(right)} instead of ${textOf(left)}`];
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].flatMap((key) => differ(Reflect.get(left, key), Reflect.get(right, key), `${path}/${key}`));
}

/** Equal for equal data: kubectl sorts fields. */
function textOf(value: unknown): string | undefined {
  return JSON.stringify(value, (_key, part: unknown) =>
    isRecord(part) ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1))) : part,
  );
}
