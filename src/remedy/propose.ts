import type { Finding, Rule } from '../model/finding.ts';
import type { Remedy } from '../model/remedy.ts';
import type { Problem } from '../model/report.ts';
import { forbiddenForm } from './edits/index.ts';
import { type Trial, verifyDraft } from './verify.ts';

/** Alternatives printed per finding. */
const MAX_REMEDIES = 3;

/** The remedies of a finding, best first, and what went wrong while asking for them. */
export interface Proposed {
  readonly remedies: readonly Remedy[];
  readonly problems: readonly Problem[];
}

/**
 * Asks the rule for drafts, drops every draft that has one of the forms that must never be advised, and tries the rest against
 * the observed traffic: what is refuted is not told. The rule's order stays. A rule that throws, or proposes a forbidden
 * form, is a problem of the report.
 */
export function proposeRemedies(finding: Finding, rule: Rule | null, trial: Trial): Proposed {
  const about = `rule ${finding.ruleId}`;
  const problems: Problem[] = [];
  const remedies: Remedy[] = [];
  try {
    for (const draft of rule?.propose?.(finding, trial.mesh) ?? []) {
      if (remedies.length >= MAX_REMEDIES) break;
      const forbidden = draft.changes.map(forbiddenForm).find((form) => form !== null) ?? null;
      if (forbidden !== null) {
        problems.push({ about, message: `proposed a change that must never be advised (${forbidden}); dropped` });
        continue;
      }
      const verification = verifyDraft(draft, finding, trial);
      if (verification.status !== 'refuted') remedies.push({ ...draft, verification, reach: null });
    }
  } catch (error) {
    problems.push({ about, message: error instanceof Error ? error.message : String(error) });
  }
  return { remedies, problems };
}
