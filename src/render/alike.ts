import type { ReportedFinding } from '../model/report.ts';
import { grouped } from '../text/grouped.ts';

/** Fewer denials of one caller are told one by one. */
const MIN_ALIKE = 4;

/** A finding, and others that say the same of the same caller: a scanner is one thing to know about, whatever it knocked at. */
export interface Alike {
  readonly finding: ReportedFinding;
  readonly others: readonly ReportedFinding[];
}

/** Denials that look wanted for one reason are put behind the first of them. The order stays. */
export function foldAlike(findings: readonly ReportedFinding[]): readonly Alike[] {
  const sames = grouped(findings, sameness);
  return findings.flatMap((finding) => {
    const group = sames.get(sameness(finding) ?? '') ?? [];
    if (group.length < MIN_ALIKE) return [{ finding, others: [] }];
    return group[0] === finding ? [{ finding, others: group.slice(1) }] : [];
  });
}

/** Null: it is like no other. */
function sameness({ ruleId, level, source, intendedBecause }: ReportedFinding): string | null {
  if (intendedBecause === null) return null;
  return JSON.stringify([ruleId, level, intendedBecause, source.principal ?? source.addresses]);
}
