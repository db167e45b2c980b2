import type { ObjectRef } from '../../model/mesh.ts';
import type { AuthorizationPolicy, PolicyRule } from '../../model/policy.ts';
import type { Attribute, Scope } from './attributes.ts';
import type { Facts, Matcher } from './facts.ts';
import { attributeOf, OPERATION_FIELDS, SOURCE_FIELDS } from './fields.ts';
import { type Known, not, type Tri, UNKNOWN } from './known.ts';

/** One field of a rule, compiled: some value matches, or for a `not…` field none does. */
export interface Clause {
  /** Path below the rule: `from[0].source.principals`. */
  readonly field: string;
  readonly wanted: readonly string[];
  readonly negated: boolean;
  readonly attribute: Attribute;
  readonly matchers: readonly Matcher[];
}

/** One rule. A request matches if all clauses of one entry of `from`, of one of `to`, and all of `when` hold. */
export interface CompiledRule {
  /** As Envoy prints it: `ns[shop]-policy[web]-rule[0]`. */
  readonly id: string;
  readonly policy: ObjectRef;
  readonly index: number;
  /** No entry at all: never matches. */
  readonly from: readonly (readonly Clause[])[];
  readonly to: readonly (readonly Clause[])[];
  readonly when: readonly Clause[];
}

/** A rule that istiod left out, and the field that made it do so. */
export interface DroppedRule {
  readonly policy: ObjectRef;
  readonly index: number;
  readonly field: string;
  readonly wanted: readonly string[];
  readonly reason: string;
}

/** All rules of one action. */
export interface RuleSet {
  /** Sorted by id: Envoy keeps them in a sorted map, and the first that matches is the one it prints. */
  readonly rules: readonly CompiledRule[];
  readonly dropped: readonly DroppedRule[];
  /** A memory of `possibleRules`. */
  readonly possible: Map<string, readonly CompiledRule[]>;
}

/** How rules are turned into matchers. */
export interface RuleContext extends Omit<Scope, 'namespace'> {
  /** A TCP filter chain. */
  readonly tcp: boolean;
  /** Prefix of the ids, for CUSTOM. */
  readonly idPrefix: (policy: AuthorizationPolicy) => string;
  readonly idSuffix: string;
}

/**
 * Compiles the rules of policies of one action (istio 86c9f01f pilot/pkg/security/authz/{builder,model}). What no matcher
 * can be made from drops the rule of an ALLOW, and is left out of the rule of any other action.
 */
export function compileRules(policies: readonly AuthorizationPolicy[], context: RuleContext): RuleSet {
  const rules: CompiledRule[] = [];
  const dropped: DroppedRule[] = [];
  for (const policy of policies) {
    const idOf = (index: number): string =>
      `${context.idPrefix(policy)}ns[${policy.ref.namespace}]-policy[${policy.ref.name}]-rule[${index}]${context.idSuffix}`;
    if (policy.rules.length === 0) {
      rules.push({ id: idOf(0), policy: policy.ref, index: 0, from: [], to: ANY, when: [] });
    }
    for (const [index, rule] of policy.rules.entries()) {
      const compiled = new RuleCompiler(policy, index, context).compile(rule);
      if ('reason' in compiled) dropped.push(compiled);
      else rules.push({ id: idOf(index), policy: policy.ref, index, ...compiled });
    }
  }
  rules.sort((one, other) => (one.id < other.id ? -1 : one.id > other.id ? 1 : 0));
  return { rules, dropped, possible: new Map() };
}

/** An absent `from` or `to`: everything. */
const ANY: readonly (readonly Clause[])[] = [[]];

type Body = Pick<CompiledRule, 'from' | 'to' | 'when'>;

class RuleCompiler {
  readonly #policy: AuthorizationPolicy;
  readonly #index: number;
  readonly #context: RuleContext;
  #dropped: DroppedRule | null = null;

  constructor(policy: AuthorizationPolicy, index: number, context: RuleContext) {
    this.#policy = policy;
    this.#index = index;
    this.#context = context;
  }

  compile(rule: PolicyRule): Body | DroppedRule {
    const when = rule.when.flatMap((condition, at) => {
      const attribute = attributeOf(condition.key);
      const path = `when[${at}]`;
      if (attribute === null) return this.#drop(`${path}.key`, [condition.key], 'Istio does not know this key');
      return this.#pair(path, 'values', condition.values, 'notValues', condition.notValues, attribute);
    });
    const from = rule.from.map((source, at) =>
      SOURCE_FIELDS.flatMap(([field, notField, attribute]) =>
        source === null
          ? []
          : this.#pair(`from[${at}].source`, field, source[field], notField, source[notField], attribute),
      ),
    );
    const to = rule.to.map((operation, at) =>
      OPERATION_FIELDS.flatMap(([field, notField, attribute]) =>
        operation === null
          ? []
          : this.#pair(`to[${at}].operation`, field, operation[field], notField, operation[notField], attribute),
      ),
    );
    if (this.#dropped !== null) return this.#dropped;
    return { from: from.length === 0 ? ANY : from, to: to.length === 0 ? ANY : to, when };
  }

  #pair(
    path: string,
    field: string,
    values: readonly string[],
    notField: string,
    notValues: readonly string[],
    attribute: Attribute,
  ): readonly Clause[] {
    return [
      ...this.#clause(`${path}.${field}`, values, false, attribute),
      ...this.#clause(`${path}.${notField}`, notValues, true, attribute),
    ];
  }

  /** Nothing for an empty list, and for one of which no value is left. */
  #clause(field: string, wanted: readonly string[], negated: boolean, attribute: Attribute): readonly Clause[] {
    const matchers: Matcher[] = [];
    const scope = { ...this.#context, namespace: this.#policy.ref.namespace };
    const tcp = attribute.httpOnly && this.#context.tcp;
    for (const value of wanted) {
      const matcher = tcp ? null : attribute.compile(value, scope);
      if (matcher !== null) matchers.push(matcher);
      else if (this.#policy.action === 'ALLOW') {
        return this.#drop(field, wanted, tcp ? 'TCP traffic has no such attribute' : `${value} is not valid here`);
      }
    }
    return matchers.length === 0 ? [] : [{ field, wanted, negated, attribute, matchers }];
  }

  #drop(field: string, wanted: readonly string[], reason: string): readonly Clause[] {
    this.#dropped ??= { policy: this.#policy.ref, index: this.#index, field, wanted, reason };
    return [];
  }
}

/** Whether one field holds. */
export function clauseHolds(clause: Clause, facts: Facts): Tri {
  let truth: Tri = false;
  for (const matcher of clause.matchers) {
    const matched = matcher(facts);
    if (matched === true) return !clause.negated;
    if (matched === null) truth = null;
  }
  return clause.negated ? not(truth) : truth;
}

/** Whether a rule matches. */
export function ruleMatches(rule: CompiledRule, facts: Facts): Tri {
  const to = rule.to === ANY || someHold(rule.to, facts);
  if (to === false) return false;
  const from = rule.from === ANY || someHold(rule.from, facts);
  if (from === false) return false;
  const when = rule.when.length === 0 || allHold(rule.when, facts);
  if (when === false) return false;
  return to === null || from === null || when === null ? null : true;
}

// Loops and no callbacks: this is where the time of a decision goes.

function someHold(lists: readonly (readonly Clause[])[], facts: Facts): Tri {
  let result: Tri = false;
  for (const list of lists) {
    const truth = allHold(list, facts);
    if (truth === true) return true;
    if (truth === null) result = null;
  }
  return result;
}

function allHold(clauses: readonly Clause[], facts: Facts): Tri {
  let result: Tri = true;
  for (const clause of clauses) {
    const truth = clauseHolds(clause, facts);
    if (truth === false) return false;
    if (truth === null) result = null;
  }
  return result;
}

/** Which rule Envoy takes. `rule` is the first by id that matches, if no earlier one may match. */
export interface RuleSetMatch {
  readonly matched: Tri;
  readonly rule: Known<CompiledRule | null>;
}

/** Identities remembered per set of rules; then it starts anew. */
const MAX_IDENTITIES = 128;
/** Fewer rules are looked through as fast as remembered. */
const MIN_RULES = 5;

/**
 * The rules that can match a caller, in their order: those that no clause about its identity rules out. The few callers of
 * a workload come again and again, and most rules are about others.
 */
export function possibleRules(set: RuleSet, facts: Facts): readonly CompiledRule[] {
  const { rules, possible } = set;
  const { identity } = facts;
  if (identity === UNKNOWN || rules.length < MIN_RULES) return rules;
  const known = possible.get(identity ?? '');
  if (known !== undefined) return known;
  if (possible.size >= MAX_IDENTITIES) possible.clear();
  const found = rules.filter(({ from }) => from.some((clauses) => clauses.every((clause) => mayHold(clause, facts))));
  possible.set(identity ?? '', found);
  return found;
}

function mayHold(clause: Clause, facts: Facts): boolean {
  return !clause.attribute.ofIdentity || clauseHolds(clause, facts) !== false;
}

/** Looks for the first matching rule. */
export function matchRules(set: RuleSet, facts: Facts): RuleSetMatch {
  let unsure = false;
  for (const rule of possibleRules(set, facts)) {
    const truth = ruleMatches(rule, facts);
    if (truth === true) return { matched: true, rule: unsure ? UNKNOWN : rule };
    if (truth === null) unsure = true;
  }
  return unsure ? { matched: null, rule: UNKNOWN } : { matched: false, rule: null };
}
