import type { Finding } from '../model/finding.ts';
import type { MeshView } from '../model/mesh.ts';
import type { AuthorizationPolicy, Condition, PolicyOperation, PolicyRule, PolicySource } from '../model/policy.ts';
import { type DenyingRule, deniesFor, denyingRules } from '../remedy/edits/denial.ts';
import { sourceFits } from '../remedy/edits/fit.ts';
import { principalParts } from '../remedy/edits/names.ts';
import { shortened } from '../text/shortened.ts';

/**
 * Why a DENY rule matched. `everything`: it is empty; `name`: it names this very caller; `stated`: by what else it says of
 * the caller or the request; `unlisted`: for lack of an entry among those not denied; `reduced`: because the proxy left out
 * what it asks of HTTP, so nobody wrote this denial.
 */
export type Reason = 'everything' | 'name' | 'stated' | 'unlisted' | 'reduced';

/** A DENY rule that matched the calls of a finding. */
export interface Ground {
  readonly policy: AuthorizationPolicy;
  readonly rule: PolicyRule;
  readonly reason: Reason;
}

/** The DENY rules that matched. Where some surely did, those which only may have are left out. */
export function groundsOf(finding: Finding, mesh: MeshView): readonly Ground[] {
  const matched = deniesFor(finding, mesh).flatMap((denial) =>
    denyingRules(denial, finding, mesh).map((denying) => ({ policy: denial.policy, denying })),
  );
  const sure = matched.filter(({ denying }) => denying.fits === true);
  return (sure.length > 0 ? sure : matched).map(({ policy, denying }) => ({
    policy,
    rule: denying.rule,
    reason: reasonOf(denying),
  }));
}

function reasonOf({ rule, call, reduced }: DenyingRule): Reason {
  const { from, to, when } = rule;
  if (from.length + to.length + when.length === 0) return 'everything';
  if (reduced) return 'reduced';
  const sources = from.filter((source) => source !== null);
  const matching = sources.filter((source) => sourceFits(source, call, 'DENY') !== false);
  if (namesCaller(matching, when, call.principal)) return 'name';
  const exempts = when.some(({ key, notValues }) => CALLER_KEYS.has(key) && notValues.length > 0);
  return exempts || (matching.length > 0 && matching.every(listsOthers)) ? 'unlisted' : 'stated';
}

const CALLER_KEYS: ReadonlySet<string> = new Set(['source.principal', 'source.namespace', 'source.ip']);

function listsOthers(source: PolicySource): boolean {
  const { notPrincipals, notNamespaces, notServiceAccounts, notIpBlocks, notTrustDomains } = source;
  return [notPrincipals, notNamespaces, notServiceAccounts, notIpBlocks, notTrustDomains].some(
    (list) => list.length > 0,
  );
}

function namesCaller(sources: readonly PolicySource[], when: readonly Condition[], principal: string | null): boolean {
  if (principal === null) return false;
  const parts = principalParts(principal);
  const account = `${parts?.namespace}/${parts?.serviceAccount}`;
  return (
    sources.some((source) => source.principals.includes(principal) || source.serviceAccounts.includes(account)) ||
    when.some(({ key, values }) => key === 'source.principal' && values.includes(principal))
  );
}

/** Fields of a rule, and values of a field, told in a sentence. */
const MAX_TOLD = 4;

/** What a rule asks for, the first of it: `namespaces dev, ports 8080`. */
export function saidBy({ from, to, when }: PolicyRule): string {
  const fields = [
    ...[...from, ...to].flatMap((part) => fieldsOf(part)),
    ...when.flatMap(({ key, values, notValues }) => [...told(key, values), ...told(`${key} not`, notValues)]),
  ];
  return shortened(fields, MAX_TOLD).join(', ');
}

function fieldsOf(part: PolicySource | PolicyOperation | null): readonly string[] {
  const lists: readonly (readonly [string, readonly string[]])[] = Object.entries(part ?? {});
  return lists.flatMap(([field, values]) => told(field, values));
}

function told(field: string, values: readonly string[]): readonly string[] {
  return values.length === 0 ? [] : [`${field} ${shortened(values, MAX_TOLD).join(' ')}`];
}
