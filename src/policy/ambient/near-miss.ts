import type { NearMiss } from '../../model/finding.ts';
import type { ObjectRef } from '../../model/mesh.ts';
import { lostFields } from './convert.ts';
import type { ZtunnelDecision, ZtunnelWorkload } from './decide.ts';
import { byText, type Constraint, type ZtunnelMatch, type ZtunnelPolicy, type ZtunnelRule } from './form.ts';
import { constraintHolds, matchHolds, type Peer, readPeer, ruleMatches, type ZtunnelConnection } from './match.ts';

/** Rules told of, at most; the closest ones. */
const MAX_RULES = 5;
/** Values of a list told of, at most. */
const MAX_VALUES = 5;
const PLAINTEXT = 'no identity (plaintext)';

/** One field of a rule against what the connection had. */
interface FieldMiss {
  readonly field: string;
  /** Made only for what is told. */
  readonly wanted: () => string;
  readonly seen: string;
  /** From 0 to 1: how much the caller looks like the closest value written there; 1 for a field that is not about it. */
  readonly likeness: () => number;
}

/** A rule of an ALLOW and everything that kept it from matching. */
interface RuleMiss {
  readonly policy: ObjectRef;
  readonly key: string;
  readonly rule: number;
  readonly misses: readonly FieldMiss[];
  /** Number of misses; all HTTP attributes together count as one. */
  readonly distance: number;
  /** Sum over the misses that `distance` counts. Asked for only where rules are equally close. */
  readonly likeness: () => number;
}

/**
 * For a denied connection, what in the AuthorizationPolicies decided. Denied by a DENY: the fields of the rules that
 * matched. Denied because no ALLOW matched: of the rules that came closest, the fields that failed (several entries of one
 * rule: all of them failed); among these are rules that istiod left out and that only their HTTP attributes keep from
 * matching. At most 5 rules, those first that look most like the caller. Empty: allowed, or there is no rule to tell of.
 */
export function nearMisses(
  workload: ZtunnelWorkload,
  connection: ZtunnelConnection,
  { outcome, deniedBy }: ZtunnelDecision = workload.decide(connection),
): readonly NearMiss[] {
  if (outcome === 'allow') return [];
  const peer = readPeer(connection);
  if (deniedBy.length > 0)
    return deniedBy.slice(0, MAX_RULES).flatMap((policy) => matchedFields(policy, peer, connection));
  return closestRules(workload.allows, peer, connection).flatMap(({ policy, rule, misses }) =>
    misses.map(({ field, wanted, seen }) => ({ policy, rule, field, wanted: wanted(), seen })),
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
  const fields = told.length > 0 ? told : [{ field: '', wanted: () => 'anything', seen: 'a rule without fields' }];
  return fields.map(({ field, wanted, seen }) => ({ policy: source, rule: rule.index, field, wanted: wanted(), seen }));
}

function closestRules(
  allows: readonly ZtunnelPolicy[],
  peer: Peer,
  connection: ZtunnelConnection,
): readonly RuleMiss[] {
  const all = allows.flatMap((policy) => ruleMisses(policy, peer, connection)).sort(byCloseness);
  return all.filter(({ distance }) => distance === all[0]?.distance).slice(0, MAX_RULES);
}

function byCloseness(left: RuleMiss, right: RuleMiss): number {
  return (
    left.distance - right.distance ||
    right.likeness() - left.likeness() ||
    byText(left.key, right.key) ||
    left.rule - right.rule
  );
}

function ruleMisses(policy: ZtunnelPolicy, peer: Peer, connection: ZtunnelConnection): readonly RuleMiss[] {
  const { source, key } = policy;
  if (source === null) return [];
  return [...policy.rules, ...policy.dropped].map((rule) => {
    const http = httpMisses(rule);
    const counted = [
      ...rule.clauses.flatMap((matches) => clauseMisses(matches, peer, connection)),
      ...http.slice(0, 1),
    ];
    return {
      policy: source,
      key,
      rule: rule.index,
      misses: [...counted, ...http.slice(1)],
      distance: counted.length,
      likeness: () => counted.reduce((sum, { likeness }) => sum + likeness(), 0),
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
    .sort((left, right) => left.length - right.length || likenessOfFirst(right) - likenessOfFirst(left));
  return best;
}

function likenessOfFirst([first]: readonly FieldMiss[]): number {
  return first?.likeness() ?? 0;
}

function matchMisses(match: ZtunnelMatch, peer: Peer, connection: ZtunnelConnection): readonly FieldMiss[] {
  const failed = match.constraints.filter((constraint) => !constraintHolds(constraint, peer));
  if (match.constraints.length > 0) return failed.map((constraint) => compare(constraint, peer, connection));
  if (match.lost.length === 0) {
    return [
      { field: match.path, wanted: () => 'a field', seen: 'an empty entry, which never matches', likeness: () => 0 },
    ];
  }
  // HTTP attributes are told of by rule: one of them anywhere in an ALLOW drops all of it.
  return match.lost
    .filter(({ httpAttribute }) => httpAttribute === null)
    .map(({ path, written }) => ({
      field: path,
      wanted: () => listed(written, false),
      seen: 'nothing: ztunnel never gets this field, and an entry without others never matches',
      likeness: () => 0,
    }));
}

function httpMisses(rule: ZtunnelRule): readonly FieldMiss[] {
  return lostFields([rule])
    .filter(({ httpAttribute }) => httpAttribute !== null)
    .map(({ path, written, httpAttribute }) => ({
      field: path,
      wanted: () => `${path.endsWith('.key') ? `${httpAttribute}: ` : ''}${listed(written, false)}`,
      seen: 'no HTTP: ztunnel cannot see it, so istiod leaves the whole rule out',
      likeness: () => 1,
    }));
}

function compare(constraint: Constraint, peer: Peer, connection: ZtunnelConnection): FieldMiss {
  const { path, written, negated, field } = constraint;
  const seen = seenText(field, peer, connection);
  const aboutCaller = field !== 'destinationPorts' && field !== 'destinationIps';
  // A caller that a rule excludes by name is not like the ones it allows.
  const likeness = (): number =>
    negated ? 0 : written.reduce((best, value) => Math.max(best, likenessOf(value, seen)), 0);
  return { field: path, wanted: () => listed(written, negated), seen, likeness: aboutCaller ? likeness : () => 1 };
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
