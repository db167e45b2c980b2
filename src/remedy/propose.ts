import type { Finding, Rule } from '../model/finding.ts';
import type { MeshView } from '../model/mesh.ts';
import type { Draft, Remedy } from '../model/remedy.ts';
import type { Problem } from '../model/report.ts';
import { forbiddenForm } from './edits/index.ts';

/** Alternatives printed per finding. */
const MAX_REMEDIES = 3;

/** The remedies of a finding, best first, and what went wrong while asking for them. */
export interface Proposed {
  readonly remedies: readonly Remedy[];
  readonly problems: readonly Problem[];
}

/**
 * Asks the rule for drafts, drops every draft that has one of the forms that must never be advised, and says of the rest
 * what is known about it. A rule that throws, or proposes a forbidden form, is a problem of the report.
 */
export function proposeRemedies(finding: Finding, rule: Rule | null, mesh: MeshView): Proposed {
  const about = `rule ${finding.ruleId}`;
  let drafts: readonly Draft[];
  try {
    drafts = rule?.propose?.(finding, mesh) ?? [];
  } catch (error) {
    return { remedies: [], problems: [{ about, message: error instanceof Error ? error.message : String(error) }] };
  }
  const problems: Problem[] = [];
  const remedies: Remedy[] = [];
  for (const draft of drafts) {
    const forbidden = draft.changes.map(forbiddenForm).find((form) => form !== null) ?? null;
    if (forbidden === null) remedies.push({ ...draft, verification: unverified(draft, finding) });
    else problems.push({ about, message: `proposed a change that must never be advised (${forbidden}); dropped` });
  }
  return { remedies: remedies.slice(0, MAX_REMEDIES), problems };
}

/** No draft is called verified before it was replayed. */
function unverified(draft: Draft, finding: Finding): Remedy['verification'] {
  const reason =
    draft.changes.length === 0
      ? 'there is no change of an object to check: these are steps to take'
      : 'not replayed: this release prints drafts; read the change, then apply it with server-side dry-run first';
  return {
    status: 'unverifiable',
    reason,
    fixes: { of: finding.count, fixed: 0 },
    newlyAllows: [],
    newlyDenies: [],
    probes: [],
  };
}
