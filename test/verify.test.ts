import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MeshView } from '../src/model/mesh.ts';
import type { Remedy, Wishes } from '../src/model/remedy.ts';
import type { Report } from '../src/model/report.ts';
import { applyChanges } from '../src/remedy/apply.ts';
import { listOf, recordOf, textOf } from '../src/text/untyped.ts';
import { reportOn } from './analysis.ts';
import {
  arbitraryCall,
  arbitraryPolicies,
  type Call,
  callerText,
  logLine,
  meshOf,
  RUNS,
  SPACE,
  verdict,
} from './random-mesh.ts';
import { loadScenario, meshFromScenario, scenarioLines } from './scenario.ts';
import { answer } from './scenario-attempts.ts';
import { hasShared, needsShared, shared } from './shared.ts';

function changing(report: Report): readonly Remedy[] {
  return report.findings.flatMap(({ remedies }) => remedies.filter(({ changes }) => changes.length > 0));
}

function applied(mesh: MeshView, remedy: Remedy): MeshView {
  const changed = applyChanges(mesh, remedy.changes);
  if (changed === null) throw new Error(`cannot apply: ${remedy.summary}`);
  return changed;
}

describe.skipIf(!hasShared)(needsShared('what is called verified, in whole incidents'), () => {
  const names = hasShared ? readdirSync(shared('scenarios')) : [];
  const incidents = names.map((name) => {
    const path = shared(`scenarios/${name}`);
    const scenario = loadScenario(path);
    const mesh = meshFromScenario(path);
    const report = reportOn({ log: `${scenarioLines(scenario).join('\n')}\n` }, mesh);
    return { name, mesh, attempts: listOf(scenario['attempts']).map(recordOf), remedies: changing(report) };
  });

  it.each(incidents)('$name: keeps what works, leaves denied what must stay denied', ({ mesh, attempts, remedies }) => {
    for (const remedy of remedies.filter(({ verification }) => verification.status === 'verified')) {
      for (const attempt of attempts) {
        const role = textOf(attempt['role']);
        const [was, is] = [answer(attempt, mesh).outcome, answer(attempt, applied(mesh, remedy)).outcome];
        if (role === 'control' && was === 'deny')
          expect([remedy.summary, attempt['id'], is]).toEqual([remedy.summary, attempt['id'], 'deny']);
        if (role === 'must-keep' && was === 'allow')
          expect([remedy.summary, attempt['id'], is]).toEqual([remedy.summary, attempt['id'], 'allow']);
      }
    }
  });

  it('says how many symptoms verified changes repair', () => {
    const repaired = incidents.filter(({ mesh, attempts, remedies }) =>
      remedies.some(
        (remedy) =>
          remedy.verification.status === 'verified' &&
          attempts.some(
            (attempt) =>
              attempt['role'] === 'symptom' &&
              answer(attempt, mesh).outcome === 'deny' &&
              answer(attempt, applied(mesh, remedy)).outcome === 'allow',
          ),
      ),
    );
    console.log(
      `incidents with a verified change that repairs a symptom: ${repaired.map(({ name }) => name.slice(0, 3)).join(' ')}`,
    );
    expect(repaired.length).toBeGreaterThanOrEqual(5);
  });
});

/** The report on one refused call, and on all that worked. */
function reportOnCall(mesh: MeshView, call: Call, wishes: Partial<Wishes> = {}): Report {
  const worked = SPACE.filter((each) => verdict(mesh, each) === 'allow');
  const lines = [call, ...worked].map((each) => logLine(mesh, each));
  return reportOn({ log: `${lines.join('\n')}\n` }, mesh, wishes);
}

const verdicts = (mesh: MeshView): readonly string[] => SPACE.map((call) => verdict(mesh, call));

/** Judged by the naive reading of ztunnel over every call of the space. */
function checkLaws(mesh: MeshView, remedy: Remedy, refused: Call): void {
  const once = applied(mesh, remedy);
  const [was, is] = [verdicts(mesh), verdicts(once)];
  expect(verdicts(applied(once, remedy)), 'applied twice').toEqual(is);
  SPACE.forEach((call, index) => {
    if (call === refused) expect(is[index], 'what was refused').toBe('allow');
    else if (was[index] === 'allow') expect(is[index], 'what worked').toBe('allow');
    else if (is[index] === 'allow') {
      const tuple = `${callerText(mesh, call)} to ${call.destination}:${call.port}, `;
      expect(
        remedy.verification.newlyAllows.filter((text) => text.startsWith(tuple)),
        tuple,
      ).not.toEqual([]);
    }
  });
}

describe('a verified change', () => {
  it('repairs what it says, denies nothing that worked, opens only what it lists, and applied twice equals once', () => {
    let verified = 0;
    fc.assert(
      fc.property(arbitraryPolicies, arbitraryCall, (policies, call) => {
        const mesh = meshOf(policies);
        fc.pre(verdict(mesh, call) === 'deny');
        for (const remedy of changing(reportOnCall(mesh, call))) {
          expect(remedy.verification.status).not.toBe('refuted');
          if (remedy.verification.status !== 'verified') continue;
          verified++;
          checkLaws(mesh, remedy, call);
        }
      }),
      { numRuns: RUNS },
    );
    expect(verified).toBeGreaterThan(RUNS / 5);
  });

  it('does not depend on the order of policies, and is the same on every run', () => {
    const told = (mesh: MeshView, call: Call): unknown =>
      reportOnCall(mesh, call).findings.map(({ cause, policies, remedies }) => ({ cause, policies, remedies }));
    fc.assert(
      fc.property(arbitraryPolicies, arbitraryCall, (policies, call) => {
        const mesh = meshOf(policies);
        fc.pre(verdict(mesh, call) === 'deny');
        expect(told(meshOf(policies.toReversed()), call)).toEqual(told(mesh, call));
        expect(JSON.stringify(told(mesh, call))).toBe(JSON.stringify(told(mesh, call)));
      }),
      { numRuns: Math.ceil(RUNS / 5) },
    );
  });

  it('leaves nothing to do where it has been made', () => {
    fc.assert(
      fc.property(arbitraryPolicies, arbitraryCall, (policies, call) => {
        const mesh = meshOf(policies);
        fc.pre(verdict(mesh, call) === 'deny');
        const [remedy] = changing(reportOnCall(mesh, call)).filter(
          ({ verification }) => verification.status === 'verified',
        );
        fc.pre(remedy !== undefined && remedy.kind !== 'enrol');
        const report = reportOn({ log: `${logLine(mesh, call)}\n` }, applied(mesh, remedy));
        expect(changing(report)).toEqual([]);
        expect(report.findings[0]?.remedies[0]?.summary).toMatch(/^Nothing to do:/);
      }),
      { numRuns: Math.ceil(RUNS / 5) },
    );
  });
});
