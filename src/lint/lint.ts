import { LEVELS } from '../model/finding.ts';
import type { Instant } from '../model/line.ts';
import type { KubeObject, MeshView, ObjectRef } from '../model/mesh.ts';
import type { Problem, Report, ReportedFinding } from '../model/report.ts';
import type { StaticMatch, StaticRule } from '../model/static.ts';
import { reportedMesh } from '../report/build.ts';
import { fingerprint } from '../text/fingerprint.ts';
import { distinctRefs } from '../text/object-ref.ts';
import { placeOf } from './place.ts';
import { remediesOf } from './remedies.ts';

/** What a run over manifests is wired from. */
export interface LintParts {
  readonly rules: readonly StaticRule[];
  readonly mesh: MeshView;
  readonly tool: Report['tool'];
  /** Given because there is no clock here. */
  readonly generatedAt: Instant;
  /** What went wrong while the manifests were read. */
  readonly problems: readonly Problem[];
}

/** Findings told in full, the worst first; the others are counted among the problems. */
const MAX_FINDINGS = 1000;

/**
 * Asks every static rule about the objects of a mesh. The report is that of `analyze` without inputs: a finding's evidence is
 * the line of its object's file, its count is 1. What was not checked for want of objects stands among the problems. A rule
 * that throws is a problem too. Pure; the order of objects does not count.
 */
export function lintMesh({ rules, mesh, tool, generatedAt, problems }: LintParts): Report {
  const own: Problem[] = [];
  const matched = rules.flatMap((rule) => asked(rule, mesh, own).map((match) => ({ rule, match })));
  const ranked = matched
    .map((each) => ({ ...each, finding: bareFinding(each.rule, each.match) }))
    .sort(({ finding: one }, { finding: other }) => worstFirst(one, other));
  const findings = ranked.slice(0, MAX_FINDINGS).map(({ match, finding }) => completed(finding, match, mesh, own));
  return {
    schemaVersion: 1,
    tool,
    generatedAt,
    partial: false,
    inputs: [],
    totals: { records: 0, failures: 0, flows: 0 },
    overflow: { records: 0, failures: 0 },
    mesh: reportedMesh(mesh),
    findings,
    problems: [...problems, ...untold(ranked.length), ...own, ...gapsOf(rules, mesh)],
  };
}

function asked(rule: StaticRule, mesh: MeshView, problems: Problem[]): readonly StaticMatch[] {
  try {
    return rule.check(mesh);
  } catch (error) {
    problems.push({ about: `rule ${rule.meta.id}`, message: error instanceof Error ? error.message : String(error) });
    return [];
  }
}

/** The finding without what only those told need: its line and its remedies. */
function bareFinding({ meta }: StaticRule, match: StaticMatch): ReportedFinding {
  const { object, at } = match;
  const level = match.level ?? meta.level;
  const ref = refOf(object);
  const nobody = { identity: null, workload: null, namespace: null };
  return {
    fingerprint: fingerprint([meta.id, ref.kind, ref.namespace, ref.name, ...at.map(String), level]),
    ruleId: meta.id,
    category: meta.category,
    level,
    certainty: match.certainty,
    title: meta.title,
    cause: match.cause,
    count: 1,
    firstSeen: null,
    lastSeen: null,
    source: { ...nobody, principal: null, addresses: [] },
    destination: {
      ...nobody,
      namespace: ref.namespace === '' ? null : ref.namespace,
      service: null,
      address: null,
      port: null,
    },
    enforcedBy: match.enforcedBy ?? null,
    policies: distinctRefs([ref, ...(match.others ?? [])]),
    nearMiss: [],
    intended: 'unknown',
    intendedBecause: null,
    evidence: [],
    unchecked: match.unchecked ?? [],
    remedies: [],
  };
}

function completed(finding: ReportedFinding, match: StaticMatch, mesh: MeshView, problems: Problem[]): ReportedFinding {
  const { remedies, problems: complaints } = remediesOf(match, mesh);
  for (const message of complaints) problems.push({ about: `rule ${finding.ruleId}`, message });
  return { ...finding, evidence: [placeOf(match.object, match.at, mesh)], remedies };
}

/** Level, then rule, then object: findings of one kind stand together. */
function worstFirst(one: ReportedFinding, other: ReportedFinding): number {
  const byLevel = LEVELS.indexOf(one.level) - LEVELS.indexOf(other.level);
  const [left, right] = [one, other].map(({ ruleId, policies, fingerprint: print }) => {
    const [ref] = policies;
    return [ruleId, ref?.namespace, ref?.name, ref?.kind, print].join('\n');
  });
  return byLevel || ((left ?? '') < (right ?? '') ? -1 : 1);
}

function untold(count: number): readonly Problem[] {
  if (count <= MAX_FINDINGS) return [];
  return [{ about: 'findings', message: `${count - MAX_FINDINGS} more findings are not told, the least of all` }];
}

function gapsOf(rules: readonly StaticRule[], mesh: MeshView): readonly Problem[] {
  const gaps = new Set(rules.flatMap((rule) => rule.gaps?.(mesh) ?? []));
  return [...gaps].map((message) => ({ about: 'not checked', message }));
}

function refOf({ kind, metadata }: KubeObject): ObjectRef {
  return { kind, namespace: metadata.namespace, name: metadata.name };
}
