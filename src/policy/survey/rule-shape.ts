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

/** Last segments of the paths that probes and scrapers ask for, with or without a star before them. */
const PROBE_PATH =
  /^\*?\/?(?:.*\/)?(?:healthz?|livez?|liveness|readyz?|readiness|startupz?|ping|metrics|prometheus|wait-for-drain|status|-\/healthy|-\/ready)\/?\*?$/i;

/** Whether every path is one that probes and scrapers ask for. */
export function areProbePaths(paths: readonly string[]): boolean {
  return paths.length > 0 && paths.every((path) => PROBE_PATH.test(path));
}

/** Paths for callers that cannot prove who they are yet, or need not: keys, sign-in, static files, documentation. */
const PUBLIC_PATH =
  /(?:^|[/*.])(?:well-known|jwks?|certs|log-?in|log-?out|sign-?in|sign-?up|register|auth|oauth2?|oidc|saml|sso|dex|callback|public|static|assets|favicon\.ico|robots\.txt|swagger(?:-ui)?|api-docs|openapi|docs|webhooks?|info|version)(?:[/*.]|$)/i;
/** Ports that are called from outside the mesh on purpose: webhooks by the API server, health and metrics of the proxy. */
const PUBLIC_PORTS: ReadonlySet<string> = new Set(['443', '8443', '9443', '10250', '15017', '15020', '15021', '15090']);

/** Whether all that a rule names is what manifests open to everybody on purpose. */
export function namesPublicOnly({ to }: PolicyRule): boolean {
  return to.length > 0 && to.every(isPublic);
}

/** Whether one operation of a rule is what manifests open to everybody on purpose. */
export function isPublic(operation: PolicyOperation | null): boolean {
  if (operation === null) return false;
  const { paths, ports, methods } = operation;
  return (
    (paths.length > 0 && paths.every((path) => areProbePaths([path]) || PUBLIC_PATH.test(path))) ||
    (ports.length > 0 && ports.every((port) => PUBLIC_PORTS.has(port))) ||
    // A browser asks so before it sends a token.
    (methods.length > 0 && methods.every((method) => method === 'OPTIONS'))
  );
}

/** Whether a rule knows its callers by their tokens alone: what is public stands beside such a rule. */
export function asksForTokenOnly({ from }: PolicyRule): boolean {
  return from.length > 0 && from.every((source) => fieldsOf(source).every((field) => /requestprincipals/i.test(field)));
}
