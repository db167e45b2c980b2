import { isDeepStrictEqual } from 'node:util';
import { staticRules } from '../rules/static/index.ts';
import { lintMesh } from '../src/lint/lint.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { ObjectChange, Remedy } from '../src/model/remedy.ts';
import type { Report } from '../src/model/report.ts';
import { applyChanges } from '../src/remedy/apply.ts';
import { applyPatch } from '../src/remedy/edits/apply-patch.ts';
import { refText } from '../src/text/object-ref.ts';
import { listOf, recordOf, textOf, valueAt } from '../src/text/untyped.ts';
import { reportOn, SOME_TIME } from './analysis.ts';
import { loadScenario, meshFromScenario, scenarioLines } from './scenario.ts';
import { answer, changeOf, meshAfter, verdictOf } from './scenario-attempts.ts';

type Json = Readonly<Record<string, unknown>>;

/** Attempts of one role: how many fare as the scenario wants it once the best remedies are in force. */
export interface Score {
  readonly good: number;
  readonly of: number;
}

/** What became of one incident, from its log shapes to the answers of the changed mesh. */
export interface Run {
  readonly id: string;
  readonly category: string;
  readonly lines: number;
  /** The report on the logs. */
  readonly logged: Report;
  /** The same; that of `meshmend lint` where nothing failed in the logs. */
  readonly report: Report;
  /** The changes of the best remedy of each finding, each once. */
  readonly changes: readonly ObjectChange[];
  readonly best: Remedy | null;
  readonly symptoms: Score;
  readonly keeps: Score;
  readonly controls: Score;
  /** What the scenario calls wrong and was printed all the same, or has the same effect on an attempt as what is wrong. */
  readonly wrong: readonly string[];
}

/** The category of scenarios in which something passes that should not: no log tells of it. */
export const SILENT = 'silent-allow';

/** Runs a scenario file. `vouched`: the operator says that the callers are legitimate. */
export function runScenario(path: string, vouched = false): Run {
  const scenario = loadScenario(path);
  const mesh = meshFromScenario(path);
  const lines = scenarioLines(scenario);
  const category = textOf(scenario['category']) ?? '';
  const logged = analyze(lines, mesh, vouched);
  const report = category === SILENT ? lint(mesh) : logged;
  const remedies = report.findings.flatMap(({ remedies: [best] }) => best ?? []);
  const changes = changesOf(remedies);
  const after = applyChanges(meshAfter(scenario, null), changes);
  const scored = (role: string): Score => scoreOf(scenario, role, after);
  return {
    id: (textOf(scenario['id']) ?? '').split('-')[0] ?? '',
    category,
    lines: lines.length,
    logged,
    report,
    changes,
    best: remedies.find((remedy) => remedy.changes.length > 0) ?? remedies[0] ?? null,
    symptoms: scored('symptom'),
    keeps: scored('must-keep'),
    controls: scored('control'),
    wrong: listOf(scenario['wrong_fixes'])
      .filter((wrong) => report.findings.some((finding) => finding.remedies.some((remedy) => isWrong(remedy, wrong))))
      .map((wrong) => textOf(valueAt(wrong, 'what')) ?? ''),
  };
}

function analyze(lines: readonly string[], mesh: MeshView, vouched: boolean): Report {
  const log = `${lines.join('\n')}\n`;
  const report = reportOn({ log }, mesh);
  if (!vouched) return report;
  const callers = report.findings.flatMap(({ source }) => source.principal ?? source.addresses.slice(0, 1));
  return reportOn({ log }, mesh, { allowCallers: [...new Set(callers)] });
}

function lint(mesh: MeshView): Report {
  const tool = { name: 'meshmend', version: 'test' };
  return lintMesh({ rules: staticRules, mesh, tool, generatedAt: SOME_TIME, problems: [] });
}

/** The changes of several remedies, those of one object after each other. */
function changesOf(remedies: readonly Remedy[]): readonly ObjectChange[] {
  const changes = new Map<string, ObjectChange>();
  for (const change of remedies.flatMap((remedy) => remedy.changes)) {
    const key = refText(change.object);
    const earlier = changes.get(key);
    changes.set(key, earlier === undefined ? change : followed(earlier, change));
  }
  return [...changes.values()];
}

function followed(earlier: ObjectChange, { after, jsonPatch }: ObjectChange): ObjectChange {
  if (isDeepStrictEqual(after, earlier.after) || earlier.after === null || jsonPatch === null) return earlier;
  const outcome = applyPatch(
    earlier.after,
    jsonPatch.filter(({ op }) => op !== 'test'),
  );
  return outcome.ok ? { ...earlier, after: outcome.after } : earlier;
}

/** Wanted is what the scenario's own repair brings; where it changes nothing in the mesh, what there was. */
function scoreOf(scenario: Json, role: string, after: MeshView | null): Score {
  const attempts = listOf(scenario['attempts'])
    .map(recordOf)
    .filter((attempt) => attempt['role'] === role);
  const repaired = recordOf(valueAt(scenario, 'fix', 'after'));
  const isGood = (attempt: Json): boolean => {
    const wanted = repaired[textOf(attempt['id']) ?? ''] ?? valueAt(attempt, 'expect', 'verdict');
    const verdict = after === null ? 'not known' : verdictOf(answer(attempt, after));
    // Which layer refuses is all one to whom must stay out.
    return wanted === 'ALLOW' ? verdict === 'ALLOW' : verdict !== 'ALLOW' && !verdict.startsWith('UNKNOWN');
  };
  return { good: attempts.filter(isGood).length, of: attempts.length };
}

/** The change of a wrong fix, object by object. */
function isWrong({ changes }: Remedy, wrong: unknown): boolean {
  const change = changeOf(valueAt(wrong, 'change'));
  if (change === null || changes.length === 0) return false;
  return changes.length === change.apply.length + change.delete.length && changes.every((one) => isPartOf(one, change));
}

function isPartOf({ op, object, after }: ObjectChange, wrong: NonNullable<ReturnType<typeof changeOf>>): boolean {
  const isSame = (other: unknown): boolean => {
    const metadata = recordOf(valueAt(other, 'metadata') ?? other);
    const isNamed = metadata['namespace'] === object.namespace && metadata['name'] === object.name;
    return isNamed && (valueAt(other, 'kind') ?? object.kind) === object.kind;
  };
  if (op === 'delete') return wrong.delete.some(isSame);
  return wrong.apply.filter(isSame).some((other) => isDeepStrictEqual(valueAt(other, 'spec'), after?.['spec']));
}

const COLUMNS = [
  'id',
  'lines',
  'finding',
  'cause',
  'remedy',
  'verified',
  'symptoms',
  'keeps',
  'controls',
  'wrong fixes',
];

/** One row for each scenario. `inPlace`: a word that stands in place of the symptoms where nothing should be changed; null: a change should. */
export function runTable(runs: readonly Run[], inPlace: (run: Run) => string | null): string {
  const rows = [COLUMNS, ...runs.map((run) => rowOf(run, inPlace(run)))];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function rowOf(
  { id, lines, report, best, symptoms, keeps, controls, wrong }: Run,
  inPlace: string | null,
): readonly string[] {
  const [finding] = report.findings;
  return [
    id,
    String(lines),
    finding?.ruleId ?? '-',
    finding?.category ?? '-',
    best === null ? '-' : best.changes.map(({ op, object }) => `${op} ${object.kind}`).join(', ') || best.kind,
    best?.verification.status ?? '-',
    inPlace ?? scoreText(symptoms),
    scoreText(keeps),
    scoreText(controls),
    String(wrong.length),
  ];
}

function scoreText({ good, of }: Score): string {
  return of === 0 ? '-' : `${good}/${of}`;
}
