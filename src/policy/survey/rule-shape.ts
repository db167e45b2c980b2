import type { PolicyOperation, PolicyRule, PolicySource } from '../../model/policy.ts';

/** Fields of `source` that say who may call: the values that are accepted. */
const CALLER_FIELDS = [
  'principals',
  'requestPrincipals',
  'namespaces',
  'serviceAccounts',
  'trustDomains',
  'ipBlocks',
  'remoteIpBlocks',
] as const;
/** Keys of `when` that do the same. */
const CALLER_KEYS = /^(?:source\.|remote\.ip$|request\.auth\.)/;

/** Whether every way through the rule asks who calls: something positive of each source, or of one condition. */
export function namesCaller({ from, when }: PolicyRule): boolean {
  const byCondition = when.some(({ key, values }) => CALLER_KEYS.test(key) && values.length > 0);
  return byCondition || (from.length > 0 && from.every((source) => source !== null && asksPositively(source)));
}

function asksPositively(source: PolicySource): boolean {
  return CALLER_FIELDS.some((field) => source[field].length > 0);
}

/** Whether the rule says nothing at all of who calls. */
export function asksForNobody({ from, when }: PolicyRule): boolean {
  return from.length === 0 && !when.some(({ key }) => CALLER_KEYS.test(key));
}

/** Whether the rule holds for everything. */
export function matchesAll({ from, to, when }: PolicyRule): boolean {
  return from.length === 0 && to.length === 0 && when.length === 0;
}

/** Fields of an entry of `from` or `to` that have values. */
export function fieldsOf(entry: PolicySource | PolicyOperation | null): readonly string[] {
  return Object.entries(entry ?? {})
    .filter(([, values]) => Array.isArray(values) && values.length > 0)
    .map(([field]) => field);
}

/** All paths that a rule accepts, if each of its operations is limited to paths; null: not all are. */
export function onlyPaths({ to }: PolicyRule): readonly string[] | null {
  if (to.length === 0 || to.some((operation) => operation === null || operation.paths.length === 0)) return null;
  return to.flatMap((operation) => operation?.paths ?? []);
}

/** The same of ports. */
export function onlyPorts({ to }: PolicyRule): readonly string[] | null {
  if (to.length === 0 || to.some((operation) => operation === null || operation.ports.length === 0)) return null;
  return to.flatMap((operation) => operation?.ports ?? []);
}

/** Last segments of the paths that probes and scrapers ask for, with or without a star before them. */
const PROBE_PATH =
  /^\*?\/?(?:.*\/)?(?:healthz?|livez?|liveness|readyz?|readiness|ping|metrics|prometheus|wait-for-drain|status|-\/healthy|-\/ready)\/?\*?$/i;

/** Whether every path is one that probes and scrapers ask for. */
export function areProbePaths(paths: readonly string[]): boolean {
  return paths.length > 0 && paths.every((path) => PROBE_PATH.test(path));
}
