import { contradictionOf } from './causes/contradiction.ts';
import { proberOf } from './causes/prober.ts';
import { destinationEnd, sourceEnd } from './mesh/ends.ts';
import { missingEnd } from './missing-end.ts';
import {
  CERTAINTIES,
  type DestinationEnd,
  type Evidence,
  type Finding,
  LEVELS,
  type Level,
  type Match,
  POLICY_CATEGORIES,
  type Rule,
  type SourceEnd,
} from './model/finding.ts';
import type { MeshView, ObjectRef } from './model/mesh.ts';
import type { LogRecord } from './model/record.ts';
import type { Problem } from './model/report.ts';
import type { Flow, Sample } from './model/traffic.ts';
import { fingerprint } from './text/fingerprint.ts';
import { grouped } from './text/grouped.ts';
import type { Incident } from './traffic/join/incident.ts';

/** Lines of proof per finding. */
const MAX_EVIDENCE = 4;
/** What other lines of the failure may tell of its ends. Never the caller's identity: only the line that saw it proved has it. */
const SOURCE_FILLED = ['workload', 'namespace'] as const;
const DESTINATION_FILLED = ['workload', 'namespace', 'service'] as const;

/** One incident that a rule claims. */
interface Claim {
  readonly rule: Rule;
  readonly match: Match;
  readonly incident: Incident;
  readonly source: SourceEnd;
  readonly destination: DestinationEnd;
  readonly fingerprint: string;
}

/** What judging gives: findings, worst first, and the rules that failed. */
export interface Judgement {
  readonly findings: readonly Finding[];
  readonly problems: readonly Problem[];
}

/**
 * Asks every rule about every incident and groups what they claim into findings: one per rule and subject (who called,
 * who was called, what the rule adds). A rule that throws becomes a problem of the report, not the end of the run.
 */
export function judge(incidents: readonly Incident[], rules: readonly Rule[], mesh: MeshView): Judgement {
  const problems = new Map<string, Problem>();
  const byKind = rulesByKind(rules);
  const claims = incidents
    .map((incident) => {
      const { proxy, kind } = incident.flow.record;
      return claimOf(incident, byKind.get(`${proxy}/${kind}`) ?? [], mesh, problems);
    })
    .filter((claim) => claim !== null);
  const groups = grouped(claims, (claim) => claim.fingerprint);
  const findings = [...groups.values()].map((group) => findingOf(group, mesh)).sort(worstFirst);
  return { findings, problems: [...problems.values()] };
}

function rulesByKind(rules: readonly Rule[]): ReadonlyMap<string, readonly Rule[]> {
  const kinds = new Set(rules.flatMap(({ on }) => on));
  return new Map([...kinds].map((kind) => [kind, rules.filter(({ on }) => on.includes(kind))]));
}

function claimOf(
  incident: Incident,
  rules: readonly Rule[],
  mesh: MeshView,
  problems: Map<string, Problem>,
): Claim | null {
  let best: { rule: Rule; match: Match } | null = null;
  for (const rule of rules) {
    const match = tryMatch(rule, incident.flow, mesh, problems);
    if (match === null) continue;
    if (best === null || rank(match) < rank(best.match)) best = { rule, match };
  }
  if (best === null) return null;
  const others = incident.others.filter(({ record }) => record.kind !== 'diagnostic');
  const source = filled(
    sourceEnd(incident.flow, mesh),
    others.map((flow) => sourceEnd(flow, mesh)),
    SOURCE_FILLED,
  );
  const destination = filled(
    destinationEnd(incident.flow.record, mesh),
    others.map(({ record }) => destinationEnd(record, mesh)),
    DESTINATION_FILLED,
  );
  const match = asked(best.match, best.rule, incident.flow.record);
  return {
    rule: best.rule,
    match: doubted(match, incident.flow.record),
    incident,
    source,
    destination,
    fingerprint: subjectHash(best.rule, match, source, destination),
  };
}

/** What a rule says, with the doubt that the line itself casts on it. */
function doubted(match: Match, record: LogRecord): Match {
  const against = contradictionOf(record);
  if (against === null) return match;
  const certainty = CERTAINTIES[Math.max(CERTAINTIES.indexOf(match.certainty), CERTAINTIES.indexOf(against.atMost))];
  return { ...match, certainty: certainty ?? match.certainty, unchecked: [against.told, ...(match.unchecked ?? [])] };
}

/**
 * What a rule says, with who called where that was only to see whether something answers. Nobody misses the answer, unless a
 * policy keeps a probe from what somebody set up; a scanner is kept out rightly.
 */
function asked(match: Match, { meta }: Rule, record: LogRecord): Match {
  const prober = proberOf(record);
  if (prober === null) return match;
  const isKept = prober.kind !== 'scanner' && POLICY_CATEGORIES.has(match.category ?? meta.category);
  const told = { ...match, cause: `${match.cause} ${prober.told}`, subject: [...(match.subject ?? []), prober.kind] };
  return isKept ? told : { ...told, level: 'note' };
}

/** One end with what it leaves out taken from the other lines of the failure, where those agree. */
function filled<End>(end: End, others: readonly End[], fields: readonly (keyof End)[]): End {
  const known = { ...end };
  for (const field of fields) {
    const [value, ...more] = new Set(others.map((other) => other[field]).filter((told) => told !== null));
    if (known[field] === null && value !== undefined && more.length === 0) known[field] = value;
  }
  return known;
}

function rank(match: Match): number {
  return CERTAINTIES.indexOf(match.certainty);
}

function tryMatch(rule: Rule, flow: Flow, mesh: MeshView, problems: Map<string, Problem>): Match | null {
  try {
    return rule.match(flow, mesh);
  } catch (error) {
    const about = `rule ${rule.meta.id}`;
    problems.set(about, { about, message: error instanceof Error ? error.message : String(error) });
    return null;
  }
}

/** Pods of one workload and one account are one subject; without either the address is. */
function subjectHash(rule: Rule, match: Match, source: SourceEnd, destination: DestinationEnd): string {
  const from = match.anyCaller ? null : (source.principal ?? source.workload ?? source.addresses[0] ?? null);
  const to = destination.workload ?? destination.service ?? destination.address;
  return fingerprint([
    rule.meta.id,
    from,
    match.anyCaller ? null : source.namespace,
    to,
    destination.namespace,
    destination.port === null ? null : String(destination.port),
    ...(match.policies ?? []).map(refText),
    ...(match.subject ?? []),
    // One rule may tell of one subject in several ways: a note must not swallow an error.
    match.level ?? null,
    match.category ?? null,
  ]);
}

function refText(ref: ObjectRef): string {
  return `${ref.kind}/${ref.namespace}/${ref.name}`;
}

function findingOf(claims: readonly Claim[], mesh: MeshView): Finding {
  const sorted = [...claims].sort(
    (a, b) => b.incident.count - a.incident.count || byKey(a.incident.flow, b.incident.flow),
  );
  const [first] = sorted;
  if (first === undefined) throw new Error('a finding needs a claim');
  const { rule, match } = first;
  const flows = sorted.map((claim) => claim.incident.flow);
  const level = worstLevel(sorted);
  const missing = level === 'note' ? null : missingEnd(first.incident, mesh);
  return {
    fingerprint: first.fingerprint,
    ruleId: rule.meta.id,
    category: match.category ?? rule.meta.category,
    level,
    certainty: match.certainty,
    title: rule.meta.title,
    cause: match.cause,
    count: sorted.reduce((sum, claim) => sum + claim.incident.count, 0),
    firstSeen: extreme(flows, (flow) => flow.firstSeen, -1),
    lastSeen: extreme(flows, (flow) => flow.lastSeen, 1),
    source: { ...commonSource(sorted), addresses: allAddresses(flows) },
    destination: first.destination,
    enforcedBy: match.enforcedBy ?? null,
    policies: match.policies ?? [],
    nearMiss: match.nearMiss ?? [],
    intended: match.intended ?? 'unknown',
    intendedBecause: match.intendedBecause ?? null,
    evidence: evidenceOf(sorted.map((claim) => claim.incident)),
    unchecked: [...(match.unchecked ?? []), ...(missing === null ? [] : [missing])],
    flows,
  };
}

function worstLevel(claims: readonly Claim[]): Level {
  const levels = claims.map(({ rule, match }) => match.level ?? rule.meta.level);
  return LEVELS.find((level) => levels.includes(level)) ?? 'note';
}

/** What all claims say about the caller; null where they differ. */
function commonSource(claims: readonly Claim[]): SourceEnd {
  const common = <K extends keyof SourceEnd>(key: K): SourceEnd[K] | null => {
    const [value = null, ...others] = new Set(claims.map(({ source }) => source[key]));
    return others.length === 0 ? value : null;
  };
  return {
    identity: common('identity'),
    principal: common('principal'),
    workload: common('workload'),
    namespace: common('namespace'),
    addresses: [],
  };
}

function extreme(flows: readonly Flow[], timeOf: (flow: Flow) => string | null, sign: 1 | -1): string | null {
  const times = flows.map(timeOf).filter((time) => time !== null);
  times.sort();
  return (sign < 0 ? times[0] : times.at(-1)) ?? null;
}

function allAddresses(flows: readonly Flow[]): readonly string[] {
  return [...new Set(flows.flatMap((flow) => flow.sourceAddresses))].sort().slice(0, 8);
}

/** The earliest lines of the most frequent flows: first those that name the cause, then the other end's. */
function evidenceOf(incidents: readonly Incident[]): readonly Evidence[] {
  const named = incidents.flatMap((incident) => incident.flow.samples.slice(0, 2));
  const others = incidents.flatMap((incident) => incident.others.flatMap((flow) => lineOf(flow, incident.flow)));
  const half = others.length === 0 ? MAX_EVIDENCE : MAX_EVIDENCE / 2;
  return [...named.slice(0, half), ...others]
    .slice(0, MAX_EVIDENCE)
    .map(({ at, raw }) => ({ input: at.input, line: at.line, raw }));
}

/** The other end's line of an event whose line is shown, where marks tell; else its earliest one. */
function lineOf(other: Flow, { samples }: Flow): readonly Sample[] {
  const shown = samples.slice(0, 2).flatMap(({ marks }) => marks);
  const same = other.samples.find(({ marks }) => marks.some((mark) => shown.includes(mark)));
  return same === undefined ? other.samples.slice(0, 1) : [same];
}

/** The order in which findings are told: by level, then by how often, then always the same. */
export function worstFirst(a: Finding, b: Finding): number {
  return (
    LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level) || b.count - a.count || (a.fingerprint < b.fingerprint ? -1 : 1)
  );
}

function byKey(a: Flow, b: Flow): number {
  return a.key < b.key ? -1 : 1;
}
