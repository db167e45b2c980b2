import type { ObjectRef } from '../../model/mesh.ts';
import { nameOf } from '../../text/object-ref.ts';
import { matchRules, possibleRules, type RuleSet, type RuleSetMatch, ruleMatches } from './compile.ts';
import { type AuthorizerRefusal, type CustomFilter, judgeAnswer } from './custom.ts';
import type { Facts } from './facts.ts';
import type { RbacFilter } from './filters.ts';
import { type Known, UNKNOWN } from './known.ts';
import { nearMisses } from './near-miss.ts';
import type { AuthorizerAnswer } from './request.ts';
import type { Verdict } from './verdict.ts';

/** What the filters leave behind: dynamic metadata (null: it cannot be told), and whether an AUDIT rule matched. */
export interface Notes {
  metadata: Record<string, string> | null;
  audit: boolean;
}

/**
 * A refusal without what is printed. `answer`: the id that stands in the brackets of the access log, or what an authorizer
 * made of it; null: not known which.
 */
export type Refusal = Omit<Verdict, 'printed'> & { readonly answer: string | AuthorizerRefusal | null };

/** Refusals that are possible. `final`: the last of them is certain. */
interface FilterResult {
  readonly refusals: readonly Refusal[];
  readonly final: boolean;
  /** The policy whose ALLOW rule matched. */
  readonly allowedBy: ObjectRef | null;
}

const GOES_ON: FilterResult = { refusals: [], final: false, allowedBy: null };

/** Runs filters one after the other until one refuses for certain. */
function runAll<T>(filters: readonly T[], run: (filter: T) => FilterResult): FilterResult {
  let refusals: readonly Refusal[] = GOES_ON.refusals;
  let allowedBy: ObjectRef | null = null;
  for (const filter of filters) {
    const result = run(filter);
    if (result.refusals.length > 0) refusals = [...refusals, ...result.refusals];
    if (result.final) return { refusals, final: true, allowedBy: null };
    allowedBy = result.allowedBy ?? allowedBy;
  }
  return { refusals, final: false, allowedBy };
}

/** Names of a result and of the rule behind it, in the metadata. */
type ResultKeys = readonly [string, string];

const keysOf = (prefix: string): ResultKeys => [`${prefix}engine_result`, `${prefix}effective_policy_id`];

const ENFORCED = keysOf('enforced_');
const CUSTOM = keysOf('istio_ext_authz_shadow_');
const SHADOW = {
  AUDIT: keysOf('shadow_'),
  DENY: keysOf('istio_dry_run_deny_shadow_'),
  ALLOW: keysOf('istio_dry_run_allow_shadow_'),
};

/**
 * Runs AUDIT, DENY and ALLOW (envoy 1.40 source/extensions/filters/{http,network}/rbac). Each filter leaves its result in
 * the metadata over that of the one before; on TCP only shadow rules do.
 */
export function runRbac(filters: readonly RbacFilter[], facts: Facts, tcp: boolean, notes: Notes): FilterResult {
  return runAll(filters, (filter) => {
    const { action, enforced, shadow } = filter;
    if (shadow !== null) leaveResult(notes, SHADOW[action], action, matchRules(shadow, facts));
    if (enforced === null) return GOES_ON;
    switch (action) {
      case 'AUDIT':
        return runAudit(enforced, facts, tcp, notes);
      case 'DENY':
        return runDeny(enforced, facts, tcp, notes);
      case 'ALLOW':
        return runAllow(filter, enforced, facts, tcp, notes);
    }
  });
}

/** Runs CUSTOM: what a trigger rule matches is sent to the authorizer. */
export function runCustom(
  filters: readonly CustomFilter[],
  facts: Facts,
  authorizer: Known<AuthorizerAnswer>,
  tcp: boolean,
  notes: Notes,
): FilterResult {
  return runAll(filters, (filter) => {
    const triggered = filter.triggers === null ? null : matchRules(filter.triggers, facts);
    if (triggered !== null) leaveResult(notes, CUSTOM, 'DENY', triggered);
    const refused = filter.enforced === null ? GOES_ON : runDeny(filter.enforced, facts, tcp, notes);
    if (refused.final || triggered === null) return refused;
    const asked = askAuthorizer(filter, triggered, authorizer);
    return { ...asked, refusals: [...refused.refusals, ...asked.refusals] };
  });
}

function runDeny(rules: RuleSet, facts: Facts, tcp: boolean, notes: Notes): FilterResult {
  const match = matchRules(rules, facts);
  if (!tcp) leaveResult(notes, ENFORCED, 'DENY', match);
  return match.matched === false ? GOES_ON : refuse(denied(rules, match, facts), match.matched === true);
}

function runAllow({ policies }: RbacFilter, rules: RuleSet, facts: Facts, tcp: boolean, notes: Notes): FilterResult {
  const match = matchRules(rules, facts);
  if (!tcp) leaveResult(notes, ENFORCED, 'ALLOW', match);
  if (match.matched !== true) return refuse(noAllow(policies, rules, facts), match.matched === false);
  return { ...GOES_ON, allowedBy: match.rule === UNKNOWN ? null : (match.rule?.policy ?? null) };
}

function runAudit(rules: RuleSet, facts: Facts, tcp: boolean, notes: Notes): FilterResult {
  const match = matchRules(rules, facts);
  if (!tcp) leaveResult(notes, ENFORCED, 'AUDIT', match);
  if (match.matched === true) notes.audit = true;
  return GOES_ON;
}

function askAuthorizer(
  { provider, triggers }: CustomFilter,
  { matched }: RuleSetMatch,
  authorizer: Known<AuthorizerAnswer>,
): FilterResult {
  if (provider === null || matched === false) return GOES_ON;
  const answer = authorizer === UNKNOWN ? null : judgeAnswer(provider, authorizer);
  if (answer === null && authorizer !== UNKNOWN) return GOES_ON;
  const refusal: Refusal = {
    outcome: 'deny',
    stage: 'external-authorization',
    because: `authorizer ${provider.name} ${answer === null ? 'may refuse' : 'refuses'}`,
    determining: uniquePolicies(triggers?.rules.map(({ policy }) => policy) ?? []),
    explain: null,
    answer,
  };
  return refuse(refusal, answer !== null && matched === true);
}

function refuse(refusal: Refusal, final: boolean): FilterResult {
  return { refusals: [refusal], final, allowedBy: null };
}

/** Writes the result and, if one matched, the rule. */
function leaveResult(
  notes: Notes,
  [resultKey, ruleKey]: ResultKeys,
  action: RbacFilter['action'],
  { matched, rule }: RuleSetMatch,
): void {
  if (notes.metadata === null) return;
  if (matched === null || rule === UNKNOWN) {
    notes.metadata = null;
    return;
  }
  const allowed = action === 'AUDIT' || matched === (action === 'ALLOW');
  notes.metadata[resultKey] = allowed ? 'allowed' : 'denied';
  if (rule !== null) notes.metadata[ruleKey] = rule.id;
}

/** A rule that refuses matches, or may. */
function denied(set: RuleSet, match: RuleSetMatch, facts: Facts): Refusal {
  const matching = possibleRules(set, facts).filter((rule) => ruleMatches(rule, facts) === match.matched);
  const determining = uniquePolicies(matching.map(({ policy }) => policy));
  const matches = match.matched === true ? 'matches' : 'may match';
  return {
    outcome: 'deny',
    stage: 'authorization',
    because: `a rule that denies ${matches}: ${determining.map(nameOf).join(', ')}`,
    determining,
    explain: null,
    answer: match.rule === UNKNOWN || match.rule === null ? null : match.rule.id,
  };
}

function noAllow(policies: readonly ObjectRef[], set: RuleSet, facts: Facts): Refusal {
  return {
    outcome: 'deny',
    stage: 'authorization',
    because: noAllowText(policies),
    determining: policies,
    explain: () => nearMisses(set, facts),
    answer: 'none',
  };
}

/** The same for every request that a filter refuses. */
const NO_ALLOW = new WeakMap<readonly ObjectRef[], string>();

function noAllowText(policies: readonly ObjectRef[]): string {
  const known = NO_ALLOW.get(policies);
  if (known !== undefined) return known;
  const text = `ALLOW policies are in force and no rule of them matches: ${policies.map(nameOf).join(', ')}`;
  NO_ALLOW.set(policies, text);
  return text;
}

function uniquePolicies(policies: readonly ObjectRef[]): readonly ObjectRef[] {
  if (policies.length < 2) return policies;
  return [...new Map(policies.map((policy) => [nameOf(policy), policy])).values()];
}

/** A refusal with what is printed of it. */
export function verdictOf(refusal: Refusal, printed: Verdict['printed']): Verdict {
  const { stage, because, determining, explain } = refusal;
  return { outcome: 'deny', stage, because, determining, printed, explain };
}

/** The verdict on what no filter refused. */
export function passed(allowedBy: ObjectRef | null, printed: Verdict['printed']): Verdict {
  return {
    outcome: 'allow',
    stage: 'upstream',
    because: allowedBy === null ? 'no policy refuses it' : `a rule of ALLOW policy ${nameOf(allowedBy)} matches`,
    determining: allowedBy === null ? [] : [allowedBy],
    printed,
    explain: null,
  };
}

/** The access log's text for a rule id; blanks become `_` (envoy 1.40 source/extensions/filters/common/rbac/utility.cc). */
export function deniedText(id: string): string {
  return `rbac_access_denied_matched_policy[${id.replace(/\s/g, '_')}]`;
}
