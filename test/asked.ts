import { parsers, wrappings } from '../parsers/index.ts';
import { rules } from '../rules/index.ts';
import { Analysis } from '../src/analyze.ts';
import type { Finding } from '../src/model/finding.ts';
import type { MeshView } from '../src/model/mesh.ts';
import { NO_WISHES, type Wishes } from '../src/model/remedy.ts';
import type { Report } from '../src/model/report.ts';
import { SOME_TIME } from './analysis.ts';

/** A report, and its findings with their flows as rules were asked about them, by fingerprint. */
export interface Asked {
  readonly report: Report;
  readonly findings: ReadonlyMap<string, Finding>;
}

/** The report on one text, and what rules were asked about. */
export function askedOn(log: string, mesh: MeshView, wishes: Partial<Wishes> = {}): Asked {
  const findings = new Map<string, Finding>();
  const listening = rules.map((rule) => ({
    ...rule,
    propose: (finding: Finding, view: MeshView) => {
      findings.set(finding.fingerprint, finding);
      return rule.propose?.(finding, view) ?? [];
    },
  }));
  const analysis = new Analysis({
    parsers,
    wrappings,
    rules: listening,
    mesh,
    tool: { name: 'meshmend', version: 'test' },
    since: null,
    until: null,
    wishes: { ...NO_WISHES, ...wishes },
  });
  log
    .split('\n')
    .filter((text) => text !== '')
    .forEach((text, index) => {
      analysis.feed({ at: { input: 'log', line: index + 1 }, text, truncated: false });
    });
  analysis.end('log');
  return { report: analysis.report(SOME_TIME, false), findings };
}
