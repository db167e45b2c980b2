/** One accepted value of a list of principals or namespaces. `value` is empty for `presence`. */
export interface StringMatch {
  readonly kind: 'exact' | 'prefix' | 'suffix' | 'presence';
  readonly value: string;
}

/**
 * Reads a value with Istio's star: `*` any text but the empty one, `*end` a suffix, `start*` a prefix, else the text
 * itself. A leading star wins, and the rest is literal: `*a*` is the suffix `a*` (istio 86c9f01f
 * pilot/pkg/serviceregistry/ambient/authorization.go).
 */
export function readStringMatch(written: string): StringMatch {
  if (written === '*') return { kind: 'presence', value: '' };
  if (written.startsWith('*')) return { kind: 'suffix', value: written.slice(1) };
  if (written.endsWith('*')) return { kind: 'prefix', value: written.slice(0, -1) };
  return { kind: 'exact', value: written };
}

/** Compares case-sensitively, byte by byte (istio/ztunnel 62d82653 src/rbac.rs). */
export function matchesString(match: StringMatch, seen: string): boolean {
  switch (match.kind) {
    case 'exact':
      return seen === match.value;
    case 'prefix':
      return startsWith(seen, match.value);
    case 'suffix':
      return endsWith(seen, match.value);
    case 'presence':
      return seen !== '';
  }
}

/** As the method: but most texts differ in the last character already, which is much cheaper to compare. */
export function startsWith(text: string, start: string): boolean {
  const last = start.length - 1;
  return text.charCodeAt(last) === start.charCodeAt(last) ? text.startsWith(start) : start === '';
}

/** As the method, the first character before the others. */
export function endsWith(text: string, end: string): boolean {
  return text.charCodeAt(text.length - end.length) === end.charCodeAt(0) ? text.endsWith(end) : end === '';
}

/** A list of values of which one must match: plain texts are looked up, only patterns are tried one by one. */
export interface StringList {
  readonly exact: ReadonlySet<string>;
  readonly patterns: readonly StringMatch[];
}

/** Reads each value as `readStringMatch` does. */
export function readStringList(written: readonly string[]): StringList {
  const matches = written.map(readStringMatch);
  return {
    exact: new Set(matches.filter(({ kind }) => kind === 'exact').map(({ value }) => value)),
    patterns: matches.filter(({ kind }) => kind !== 'exact'),
  };
}

/** Whether one of the values matches. */
export function matchesList(list: StringList, seen: string): boolean {
  if (list.exact.has(seen)) return true;
  for (const pattern of list.patterns) if (matchesString(pattern, seen)) return true;
  return false;
}
