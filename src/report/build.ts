import type { Finding } from '../model/finding.ts';
import type { Instant } from '../model/line.ts';
import type { MeshView } from '../model/mesh.ts';
import type { Remedy } from '../model/remedy.ts';
import type { Problem, Report, ReportedFinding, ReportedMesh } from '../model/report.ts';
import type { InputTally, Traffic, UnrecognisedShape } from '../model/traffic.ts';
import { formatProblems } from './formats.ts';
import { inputProblems, type LearntFormat } from './inputs.ts';

/** What a report is made of. */
export interface ReportParts {
  readonly tool: Report['tool'];
  readonly generatedAt: Instant;
  readonly partial: boolean;
  readonly traffic: Traffic;
  readonly mesh: MeshView;
  readonly findings: readonly Finding[];
  /** Findings that are too many to be told: only counted. */
  readonly untold: readonly Finding[];
  /** The remedies of a finding, best first. */
  readonly remediesOf: (finding: Finding) => readonly Remedy[];
  readonly learnt: readonly LearntFormat[];
  readonly problems: readonly Problem[];
}

/** Puts the report together. Same parts, same report. */
export function buildReport(parts: ReportParts): Report {
  const { traffic, findings, untold } = parts;
  const inputs = [...traffic.tallies.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).map(reportedInput);
  return {
    schemaVersion: 1,
    tool: parts.tool,
    generatedAt: parts.generatedAt,
    partial: parts.partial,
    inputs,
    totals: {
      records: inputs.reduce((sum, input) => sum + input.records, 0),
      failures:
        traffic.overflow.failures +
        [...findings, ...untold].reduce((sum, { level, count }) => sum + (level === 'note' ? 0 : count), 0),
      flows: traffic.flows.size,
    },
    overflow: traffic.overflow,
    mesh: reportedMesh(parts.mesh),
    findings: findings.map((finding) => reportedFinding(finding, parts.remediesOf(finding))),
    problems: [
      ...parts.problems,
      ...untoldProblem(untold),
      ...inputProblems(traffic.tallies, parts.learnt),
      ...overflowProblem(traffic),
      ...formatProblems(traffic.flows.values()),
    ],
  };
}

function reportedInput(tally: InputTally): InputTally {
  return { ...tally, unrecognised: reportedShapes(tally.unrecognised) };
}

/** Most frequent first. */
function reportedShapes(shapes: readonly UnrecognisedShape[]): UnrecognisedShape[] {
  return [...shapes].sort((a, b) => b.count - a.count || (a.shape < b.shape ? -1 : 1));
}

function reportedFinding(finding: Finding, remedies: readonly Remedy[]): ReportedFinding {
  const { flows: _, ...reported } = finding;
  return { ...reported, remedies };
}

/** What a report says of the mesh it was made with. */
export function reportedMesh(mesh: MeshView): ReportedMesh {
  const counts = new Map<string, number>();
  for (const { kind } of mesh.objects) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return {
    known: mesh.known,
    sources: mesh.sources,
    takenAt: mesh.takenAt,
    counts: Object.fromEntries([...counts].sort()),
  };
}

function untoldProblem(untold: readonly Finding[]): readonly Problem[] {
  if (untold.length === 0) return [];
  const counts = new Map<string, number>();
  for (const { ruleId, count } of untold) counts.set(ruleId, (counts.get(ruleId) ?? 0) + count);
  const rules = [...counts].sort((a, b) => b[1] - a[1]).map(([id, count]) => `${count} of ${id}`);
  return [
    { about: 'findings', message: `${untold.length} more findings are not told one by one: ${rules.join(', ')}` },
  ];
}

function overflowProblem({ overflow: { records, failures } }: Traffic): readonly Problem[] {
  if (records === 0) return [];
  const message = `more distinct flows than are kept: ${records} records (${failures} of them failures) are in no finding`;
  return [{ about: 'traffic', message }];
}
