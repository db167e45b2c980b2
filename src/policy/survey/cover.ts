import type { Condition, PolicyOperation, PolicyRule, PolicySource } from '../../model/policy.ts';
import { matchesString, readStringMatch } from '../match-string.ts';

/** An entry of `from` or `to`: lists by the names of their fields. */
type Entry = PolicySource | PolicyOperation | null;

/**
 * Whether a rule matches everything that another one matches, as far as their texts show: false where that is not plain.
 * Both are of one namespace.
 */
export function covers(wide: PolicyRule, narrow: PolicyRule): boolean {
  return (
    entriesCover(wide.from, narrow.from) &&
    entriesCover(wide.to, narrow.to) &&
    wide.when.every((condition) => narrow.when.some((other) => conditionCovers(condition, other)))
  );
}

/** No entry asks for nothing. */
function entriesCover(wide: readonly Entry[], narrow: readonly Entry[]): boolean {
  if (wide.length === 0) return true;
  return narrow.length > 0 && narrow.every((entry) => wide.some((other) => entryCovers(other, entry)));
}

function entryCovers(wide: Entry, narrow: Entry): boolean {
  const lists = Object.entries(narrow ?? {});
  return Object.entries(wide ?? {}).every(([field, values]: [string, readonly string[]]) => {
    if (values.length === 0) return true;
    const own: readonly string[] = lists.find(([name]) => name === field)?.[1] ?? [];
    const others = field === 'namespaces' && own.length === 0 ? namespacesOf(narrow) : own;
    return field.startsWith('not') ? isWithin(values, others) : others.length > 0 && isWithin(others, values);
  });
}

/** The namespaces of the principals that an entry names; empty: it names none, or one that may be of any. */
function namespacesOf(entry: Entry): readonly string[] {
  if (entry === null || !('principals' in entry)) return [];
  const names = entry.principals.map((principal) => /^[^/*]+\/ns\/([^/*]+)\/sa\//.exec(principal)?.[1] ?? null);
  return names.includes(null) ? [] : names.filter((name) => name !== null);
}

/** Whether an entry of `from` matches everything that another one does, as far as their texts show. */
export function sourceCovers(wide: PolicySource | null, narrow: PolicySource | null): boolean {
  return entryCovers(wide, narrow);
}

function conditionCovers(wide: Condition, narrow: Condition): boolean {
  if (wide.key !== narrow.key) return false;
  const accepts = wide.values.length === 0 || (narrow.values.length > 0 && isWithin(narrow.values, wide.values));
  return accepts && isWithin(wide.notValues, narrow.notValues);
}

/** Whether each text is matched by one of the others, read with Istio's star. */
function isWithin(texts: readonly string[], patterns: readonly string[]): boolean {
  return texts.every((text) => patterns.some((pattern) => pattern === text || fits(text, pattern)));
}

/** A text with a star of its own fits only what begins or ends like it. */
function fits(text: string, pattern: string): boolean {
  return matchesString(readStringMatch(pattern), text);
}
