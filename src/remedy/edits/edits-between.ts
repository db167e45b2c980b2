import { isRecord } from '../../text/kube-object.ts';
import { type Edit, sameData } from './json-patch.ts';

type Keys = readonly (string | number)[];

/**
 * The edits that lead from one object to another, both plain data: fields one by one, lists item by item as long as none
 * goes away, new items at the end of a list as such. Other lists are given anew as a whole. Empty: they are equal.
 */
export function editsBetween(before: unknown, after: unknown, at: Keys = []): readonly Edit[] {
  if (sameData(before, after)) return [];
  if (isRecord(before) && isRecord(after)) return fieldEdits(before, after, at);
  if (Array.isArray(before) && Array.isArray(after) && before.length > 0 && after.length >= before.length) {
    return [
      ...before.flatMap((item: unknown, index) => editsBetween(item, after[index], [...at, index])),
      ...after.slice(before.length).map((value: unknown): Edit => ({ op: 'append', at, value })),
    ];
  }
  return [{ op: 'set', at, value: after }];
}

function fieldEdits(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
  at: Keys,
): readonly Edit[] {
  const gone = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
  return [
    ...Object.entries(after).flatMap(([key, value]): readonly Edit[] =>
      Object.hasOwn(before, key)
        ? editsBetween(before[key], value, [...at, key])
        : [{ op: 'set', at: [...at, key], value }],
    ),
    ...gone.map((key): Edit => ({ op: 'unset', at: [...at, key] })),
  ];
}
