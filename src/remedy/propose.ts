import type { Finding, Rule } from '../model/finding.ts';
import type { Draft, Remedy } from '../model/remedy.ts';
import type { Problem } from '../model/report.ts';
import { forbiddenForm, step, withDeducedCaller } from './edits/index.ts';
import { throughAllLayers } from './layers.ts';
import { ranked } from './rank.ts';
import type { Trial } from './trial.ts';
import { focusedFor, isAllowedAlready, verifyDraft } from './verify.ts';

/** Alternatives printed per finding. */
const MAX_REMEDIES = 3;

/** The remedies of a finding, best first, and what went wrong while asking for them. */
export interface Proposed {
  readonly remedies: readonly Remedy[];
  readonly problems: readonly Problem[];
}

/**
 * Asks the rule for drafts, drops every draft that has one of the forms that must never be advised, adds what each needs
 * behind it, and tries them against the observed traffic: what is refuted is not told. Best first. A rule that throws, or
 * proposes a forbidden form, is a problem of the report.
 */
export function proposeRemedies(finding: Finding, rule: Rule | null, trial: Trial): Proposed {
  const search = new Search(finding, rule, trial);
  trial.forget();
  try {
    return { remedies: search.remedies(), problems: search.problems };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { remedies: [], problems: [...search.problems, { about: `rule ${finding.ruleId}`, message }] };
  }
}

class Search {
  readonly problems: Problem[] = [];
  readonly #finding: Finding;
  readonly #rule: Rule | null;
  readonly #trial: Trial;

  constructor(finding: Finding, rule: Rule | null, trial: Trial) {
    this.#finding = finding;
    this.#rule = rule;
    this.#trial = trial;
  }

  remedies(): readonly Remedy[] {
    if (isPolicyMatter(this.#finding) && isAllowedAlready(this.#finding, this.#trial)) return [nothingToDo()];
    const { mesh } = this.#trial;
    const deduced = withDeducedCaller(this.#finding, mesh);
    const asked = deduced ?? this.#finding;
    const drafts = this.#rule?.propose?.(asked, mesh) ?? [];
    const whole = deduced === null ? drafts : drafts.map(withRemark);
    return ranked(whole.flatMap((draft) => this.#tried(draft, asked))).slice(0, MAX_REMEDIES);
  }

  #tried(draft: Draft, asked: Finding): readonly Remedy[] {
    if (draft.changes.length === 0) return [this.#proved(draft)];
    const mesh = focusedFor(draft, asked, this.#trial);
    const complete = mesh.known && this.#isAdvisable(draft) ? throughAllLayers(draft, asked, mesh) : [draft];
    return complete
      .filter((each) => this.#isAdvisable(each))
      .map((each) => this.#proved(each))
      .filter(({ verification }) => verification.status !== 'refuted');
  }

  #proved(draft: Draft): Remedy {
    return { ...draft, verification: verifyDraft(draft, this.#finding, this.#trial), reach: null };
  }

  #isAdvisable(draft: Draft): boolean {
    const forbidden = draft.changes.map(forbiddenForm).find((form) => form !== null) ?? null;
    if (forbidden === null) return true;
    const message = `proposed a change that must never be advised (${forbidden}); dropped`;
    const about = `rule ${this.#finding.ruleId}`;
    if (!this.problems.some((problem) => problem.message === message)) this.problems.push({ about, message });
    return false;
  }
}

/** Whether policies alone made the call fail: then a mesh that admits it is another one. */
function isPolicyMatter({ category }: Finding): boolean {
  return category === 'authorization' || category === 'mutual-tls';
}

function nothingToDo(): Remedy {
  const draft = step(
    'none',
    'Nothing to do: by the objects given this is allowed now. They are newer than the log, or not those of its mesh.',
  );
  const reason = 'there is no change of an object to check: these are steps to take';
  const verification = {
    status: 'unverifiable',
    reason,
    fixes: { of: 0, fixed: 0 },
    newlyAllows: [],
    newlyDenies: [],
    probes: [],
  } as const;
  return { ...draft, verification, reach: null };
}

function withRemark(draft: Draft): Draft {
  if (draft.changes.length === 0) return draft;
  const remark = 'The log does not print who called: the identity is that of the pod with its address.';
  return { ...draft, risk: draft.risk === null ? remark : `${draft.risk} ${remark}` };
}
