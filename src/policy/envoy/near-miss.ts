import type { NearMiss } from '../../model/finding.ts';
import { type Clause, type CompiledRule, clauseHolds, type RuleSet } from './compile.ts';
import type { Facts } from './facts.ts';

/** Most near misses that are told. */
const MAX_NEAR_MISSES = 5;

/**
 * The ALLOW rules that came closest to matching: those with the fewest fields that failed, each of these fields with what
 * it wanted and what the request had. Rules that istiod left out count as one field short.
 */
export function nearMisses(set: RuleSet, facts: Facts): readonly NearMiss[] {
  const candidates = [
    ...set.rules.map((rule) => ({ rule, failed: failedClauses(rule, facts) })),
    ...set.dropped.map(({ policy, index, field, wanted, reason }) => ({
      rule: { policy, index },
      failed: [{ field, wanted: wanted.join(', '), seen: reason }],
    })),
  ].filter(({ failed }) => failed.length > 0);
  const fewest = Math.min(...candidates.map(({ failed }) => failed.length));
  return candidates
    .filter(({ failed }) => failed.length === fewest)
    .flatMap(({ rule, failed }) => failed.map((miss) => ({ policy: rule.policy, rule: rule.index, ...miss })))
    .slice(0, MAX_NEAR_MISSES);
}

type Failed = Pick<NearMiss, 'field' | 'wanted' | 'seen'>;

/** The fields that must change for the rule to match; of several entries of `from` or `to` those of the closest. */
function failedClauses(rule: CompiledRule, facts: Facts): readonly Failed[] {
  const failedIn = (clauses: readonly Clause[]): readonly Clause[] =>
    clauses.filter((clause) => clauseHolds(clause, facts) !== true);
  const closest = (lists: readonly (readonly Clause[])[]): readonly Clause[] =>
    lists.map(failedIn).reduce<readonly Clause[]>((best, failed, index) => {
      return index === 0 || failed.length < best.length ? failed : best;
    }, []);
  const failed = [...closest(rule.from), ...closest(rule.to), ...failedIn(rule.when)];
  return failed.map(({ field, wanted, negated, attribute }) => ({
    field,
    wanted: negated ? `none of ${wanted.join(', ')}` : wanted.join(', '),
    seen: attribute.seen(facts),
  }));
}
