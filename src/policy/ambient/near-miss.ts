import type { NearMiss } from '../../model/finding.ts';
import type { ObjectRef } from '../../model/mesh.ts';
import type { ZtunnelWorkload } from './decide.ts';
import {
  byText,
  type Constraint,
  type LostField,
  type ZtunnelMatch,
  type ZtunnelPolicy,
  type ZtunnelRule,
} from './form.ts';
import { constraintHolds, matchHolds, type Peer, readPeer, ruleMatches, type ZtunnelConnection } from './match.ts';

/** Rules told of, at most; the closest ones. */
const MAX_RULES = 5;
/** Values of a list told of, at most. */
const MAX_VALUES = 5;
const PLAINTEXT = 'no identity (plaintext)';

/** One field of a rule against what the connection had. */
interface FieldMiss {
  readonly field: string;
  readonly wanted: string;
  readonly seen: string;
  /** From 0 to 1: how much the closest value written there looks like what was seen. */
  readonly likeness: number;
}

/** A rule of an ALLOW and everything that kept it from matching. */
interface RuleMiss {
  readonly policy: ObjectRef;
  readonly key: string;
  readonly rule: number;
  readonly misses: readonly FieldMiss[];
  /** ztunnel never got the rule, and but for its HTTP attributes it would have matched. */
  readonly onlyHttp: boolean;
}

/**
 * For a denied connection, what in the AuthorizationPolicies decided. Denied by a DENY: the fields of the rules that
 * matched. Denied because no ALLOW matched: of the rules that came closest, the fields that failed (several entries of one
 * rule: all of them failed), then rules that istiod left out and that would have matched but for HTTP attributes. At most
 * 5 rules, closest first. Empty: allowed, or no rule is there to tell of.
 */
export function nearMisses(workload: ZtunnelWorkload, connection: ZtunnelConnection): readonly NearMiss[] {
  const { outcome, deniedBy } = workload.decide(connection);
  if (outcome === 'allow') return [];
  const peer = readPeer(connection);
  if (deniedBy.length > 0)
    return deniedBy.slice(0, MAX_RULES).flatMap((policy) => matchedFields(policy, peer, connection));
  return closestRules(workload.allows, peer, connection).flatMap(({ policy, rule, misses }) =>
    misses.map(({ field, wanted, seen }) => ({ policy, rule, field, wanted, seen })),
  );
}

/** Fields of the first rule that matched. Empty for policies made of a PeerAuthentication: they have no rules to show. */
function matchedFields(policy: ZtunnelPolicy, peer: Peer, connection: ZtunnelConnection): readonly NearMiss[] {
  const { source } = policy;
  const rule = policy.rules.find((candidate) => ruleMatches(candidate, peer));
  if (rule === undefined || source?.kind !== 'AuthorizationPolicy') return [];
  const constraints = rule.clauses.flatMap(
    (matches) => matches.find((match) => matchHolds(match, peer))?.constraints ?? [],
  );
  const told = constraints.map((constraint) => compare(constraint, peer, connection));
  const fields = told.length > 0 ? told : [{ field: '', wanted: 'anything', seen: 'a rule without fields' }];
  return fields.map(({ field, wanted, seen }) => ({ policy: source, rule: rule.index, field, wanted, seen }));
}

function closestRules(
  allows: readonly ZtunnelPolicy[],
  peer: Peer,
  connection: ZtunnelConnection,
): readonly RuleMiss[] {
  const all = allows.flatMap((policy) => ruleMisses(policy, peer, connection)).sort(byCloseness);
  const [closest] = all;
  if (closest === undefined) return [];
  const near = all.filter(({ misses }) => misses.length === closest.misses.length);
  const omitted = all.filter((rule) => rule.onlyHttp && !near.includes(rule));
  return [...near, ...omitted].slice(0, MAX_RULES);
}

function byCloseness(left: RuleMiss, right: RuleMiss): number {
  const likeness = ({ misses }: RuleMiss): number => misses.reduce((sum, miss) => sum + miss.likeness, 0);
  return (
    left.misses.length - right.misses.length ||
    likeness(right) - likeness(left) ||
    byText(left.key, right.key) ||
    left.rule - right.rule
  );
}

function ruleMisses(policy: ZtunnelPolicy, peer: Peer, connection: ZtunnelConnection): readonly RuleMiss[] {
  const { source, key } = policy;
  if (source === null) return [];
  return [...policy.rules, ...policy.dropped].map((rule) => {
    const fields = rule.clauses.flatMap((matches) => clauseMisses(matches, peer, connection));
    const http = httpMisses(rule);
    return {
      policy: source,
      key,
      rule: rule.index,
      misses: [...fields, ...http],
      onlyHttp: fields.length === 0 && http.length > 0,
    };
  });
}

/** Of the entries of a clause the one with the fewest fields that failed; none: the clause held. */
function clauseMisses(
  matches: readonly ZtunnelMatch[],
  peer: Peer,
  connection: ZtunnelConnection,
): readonly FieldMiss[] {
  const [best = []] = matches
    .map((match) => matchMisses(match, peer, connection))
    .sort((left, right) => left.length - right.length || (right[0]?.likeness ?? 0) - (left[0]?.likeness ?? 0));
  return best;
}

function matchMisses(match: ZtunnelMatch, peer: Peer, connection: ZtunnelConnection): readonly FieldMiss[] {
  const failed = match.constraints.filter((constraint) => !constraintHolds(constraint, peer));
  if (match.constraints.length > 0) return failed.map((constraint) => compare(constraint, peer, connection));
  // HTTP attributes are told of by rule: one of them anywhere in an ALLOW drops all of it.
  return match.lost
    .filter(({ httpAttribute }) => httpAttribute === null)
    .map((lost) => missOf(lost, 'nothing: ztunnel never gets this field, and an entry without others never matches'));
}

function httpMisses(rule: ZtunnelRule): readonly FieldMiss[] {
  return rule.clauses
    .flat()
    .flatMap(({ lost }) => lost)
    .filter(({ httpAttribute }) => httpAttribute !== null)
    .map((lost) => missOf(lost, 'no HTTP: ztunnel cannot see it, so istiod leaves the whole rule out'));
}

function missOf({ path, written, httpAttribute }: LostField, seen: string): FieldMiss {
  const key = path.endsWith('.key') && httpAttribute !== null ? `${httpAttribute}: ` : '';
  return { field: path, wanted: `${key}${listed(written, false)}`, seen, likeness: 0 };
}

function compare(constraint: Constraint, peer: Peer, connection: ZtunnelConnection): FieldMiss {
  const { path, written, negated } = constraint;
  const seen = seenText(constraint.field, peer, connection);
  const likeness = negated ? 0 : Math.max(...written.map((value) => likenessOf(value, seen)));
  return { field: path, wanted: listed(written, negated), seen, likeness };
}

function seenText(field: Constraint['field'], peer: Peer, connection: ZtunnelConnection): string {
  switch (field) {
    case 'principals':
      return peer.principal ?? PLAINTEXT;
    case 'namespaces':
      return peer.principal === null ? PLAINTEXT : peer.namespace;
    case 'serviceAccounts':
      return peer.principal === null ? PLAINTEXT : `${peer.namespace}/${peer.serviceAccount}`;
    case 'sourceIps':
      return connection.sourceIp;
    case 'destinationIps':
      return connection.destinationIp;
    case 'destinationPorts':
      return String(connection.destinationPort);
  }
}

function listed(values: readonly string[], negated: boolean): string {
  const told = values.slice(0, MAX_VALUES).join(', ');
  const more = values.length > MAX_VALUES ? ` and ${values.length - MAX_VALUES} more` : '';
  if (negated) return `none of ${told}${more}`;
  return values.length > 1 ? `one of ${told}${more}` : told;
}

/** Share of the longer text that is common start or end of both. */
function likenessOf(left: string, right: string): number {
  const shorter = Math.min(left.length, right.length);
  let start = 0;
  while (start < shorter && left[start] === right[start]) start++;
  let end = 0;
  while (end < shorter - start && left.at(-1 - end) === right.at(-1 - end)) end++;
  return (start + end) / Math.max(left.length, right.length, 1);
}
