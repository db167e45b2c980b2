import type { Actual, ProbeResult, SuiteTally } from '../model/suite.ts';

/** What a part of a file came to. `skipped`: probes without an expectation, which were not run. */
export interface SuiteResults {
  readonly results: readonly ProbeResult[];
  readonly skipped: number;
}

/** The sum of a tally and further results. */
export function addResults({ passed, failed, skipped }: SuiteTally, more: SuiteResults): SuiteTally {
  const good = more.results.filter(({ pass }) => pass).length;
  return { passed: passed + good, failed: failed + more.results.length - good, skipped: skipped + more.skipped };
}

/** A part of a file that cannot be run: a failure that names its place and the reason. */
export function malformed(file: string, place: string, reason: string): ProbeResult {
  const actual: Actual = { outcome: 'malformed', error: null, because: reason };
  return { file, case: place, probe: '', expected: {}, actual, pass: false };
}

/** Whether two JSON values are equal; the order of keys does not count. Absent and undefined are the same. */
export function isSame(one: unknown, other: unknown): boolean {
  return one === other || JSON.stringify(one, sortKeys) === JSON.stringify(other, sortKeys);
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
