import { isRecord } from '../../text/kube-object.ts';
import { sameData } from '../edits/json-patch.ts';

type Keys = readonly (string | number)[];

/** One small step from one value to another: what changes at a place, which is told by the keys that lead there. */
export type Difference =
  /** Another value stands there. Lists and objects are replaced only by what is of another kind, or if one of the two is empty. */
  | { readonly op: 'replace'; readonly at: Keys; readonly was: unknown; readonly value: unknown }
  /** A new field, or a new item before which the others of the list move up. */
  | { readonly op: 'insert'; readonly at: Keys; readonly value: unknown }
  /** A field or item that goes. */
  | { readonly op: 'remove'; readonly at: Keys; readonly was: unknown };

/**
 * The first small step from one value to another, both plain data; null: they are equal. Done again and again it leads
 * there. Changes and additions come before removals, so that nothing is emptied on the way that is not empty in the end.
 */
export function firstDifference(before: unknown, after: unknown, at: Keys = []): Difference | null {
  if (sameData(before, after)) return null;
  if (Array.isArray(before) && Array.isArray(after) && before.length > 0 && after.length > 0) {
    return listDifference(before, after, at);
  }
  if (isRecord(before) && isRecord(after) && Object.keys(before).length > 0 && Object.keys(after).length > 0) {
    return fieldDifference(before, after, at);
  }
  return { op: 'replace', at, was: before, value: after };
}

function fieldDifference(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
  at: Keys,
): Difference | null {
  for (const [key, value] of Object.entries(before)) {
    const found = Object.hasOwn(after, key) ? firstDifference(value, after[key], [...at, key]) : null;
    if (found !== null) return found;
  }
  const added = Object.keys(after).find((key) => !Object.hasOwn(before, key));
  if (added !== undefined) return { op: 'insert', at: [...at, added], value: after[added] };
  const removed = Object.keys(before).find((key) => !Object.hasOwn(after, key));
  return removed === undefined ? null : { op: 'remove', at: [...at, removed], was: before[removed] };
}

/** What two lists share at their beginnings and ends is left alone. */
function listDifference(before: readonly unknown[], after: readonly unknown[], at: Keys): Difference | null {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && sameData(before[head], after[head])) head += 1;
  let tail = 0;
  while (tail < shorter - head && sameData(before.at(-1 - tail), after.at(-1 - tail))) tail += 1;
  if (head + tail === before.length) return { op: 'insert', at: [...at, head], value: after[head] };
  if (head + tail === after.length) return { op: 'remove', at: [...at, head], was: before[head] };
  return firstDifference(before[head], after[head], [...at, head]);
}
