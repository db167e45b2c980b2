import { writtenAt } from '../mesh/written.ts';
import type { Finding, Rule } from '../model/finding.ts';
import type { KubeObject } from '../model/mesh.ts';
import type { Draft, Remedy } from '../model/remedy.ts';
import type { Problem } from '../model/report.ts';
import { refText } from '../text/object-ref.ts';
import { step, withDeducedCaller } from './edits/index.ts';
import { aboveCeiling } from './guard/ceiling.ts';
import { forbiddenAdvice } from './guard/guard.ts';
import { withhold } from './guard/withhold.ts';
import { throughAllLayers } from './layers.ts';
import { ranked } from './rank.ts';
import { reachOf } from './reach/reach.ts';
import { withDiffs } from './splice/splice.ts';
import type { Trial } from './trial.ts';
import { focusedFor, isAllowedAlready, type Proof, stepsOnly, verifyDraft } from './verify.ts';
import { asDryRun } from './wishes/dry-run.ts';
import { widenDraft } from './wishes/widen.ts';

/** Alternatives printed per finding. */
const MAX_REMEDIES = 3;

/** The remedies of a finding, best first, and what went wrong while asking for them. */
export interface Proposed {
  readonly remedies: readonly Remedy[];
  readonly problems: readonly Problem[];
}

/**
 * Asks the rule for drafts and makes remedies of them: each is completed by what it needs behind it, widened if that was
 * wished for, held back if the denial looks wanted, dropped if it is what must never be advised, and tried against the
 * observed traffic; what is refuted, or beyond the ceiling, is not told. Best first. A rule that throws, or proposes what must
 * never be advised, is a problem of the report.
 */
export function proposeRemedies(finding: Finding, rule: Rule | null, trial: Trial): Proposed {
  const search = new Search(finding, rule, trial);
  trial.forget();
  try {
    return { remedies: search.remedies(), problems: search.problems };
  } catch (error) {
    search.complain(error instanceof Error ? error.message : String(error));
    return { remedies: [], problems: search.problems };
  }
}

class Search {
  readonly problems: Problem[] = [];
  readonly #finding: Finding;
  /** The finding with its caller, where the mesh tells who it is and the log does not. */
  readonly #asked: Finding;
  readonly #rule: Rule | null;
  readonly #trial: Trial;

  constructor(finding: Finding, rule: Rule | null, trial: Trial) {
    this.#finding = finding;
    this.#asked = withDeducedCaller(finding, trial.mesh) ?? finding;
    this.#rule = rule;
    this.#trial = trial;
  }

  remedies(): readonly Remedy[] {
    if (isPolicyMatter(this.#finding) && isAllowedAlready(this.#finding, this.#trial)) return [this.#nothingToDo()];
    const { mesh, wishes } = this.#trial;
    const drafts = this.#rule?.propose?.(this.#asked, mesh) ?? [];
    const whole = drafts.flatMap((draft) => this.#completed(draft)).map((draft) => this.#widened(draft));
    const told = withhold(whole, this.#asked, wishes, mesh).filter((draft) => this.#isAdvisable(draft));
    const tried = told.flatMap((draft) => this.#tried(draft));
    return ranked(withoutRepeats(tried))
      .slice(0, MAX_REMEDIES)
      .map((remedy) => this.#finished(remedy));
  }

  /** A complaint about the rule, or about what was wished for; each once. */
  complain(message: string, about = `rule ${this.#finding.ruleId}`): void {
    if (!this.problems.some((problem) => problem.message === message)) this.problems.push({ about, message });
  }

  #completed(draft: Draft): readonly Draft[] {
    if (draft.changes.length === 0) return [draft];
    const mesh = focusedFor(draft, this.#asked, this.#trial);
    const drafts = mesh.known ? throughAllLayers(draft, this.#asked, mesh) : [draft];
    return this.#asked === this.#finding ? drafts : drafts.map(withRemark);
  }

  #widened(draft: Draft): Draft {
    const { mesh, wishes } = this.#trial;
    if (wishes.widen === null) return draft;
    const wide = widenDraft(draft, this.#asked, mesh, wishes.widen);
    if (typeof wide === 'string') this.complain(wide, `--widen ${wishes.widen}`);
    return typeof wide === 'string' || wide === null ? draft : wide;
  }

  #isAdvisable(draft: Draft): boolean {
    const { mesh, wishes } = this.#trial;
    const wrong = forbiddenAdvice(draft, this.#asked, mesh, wishes);
    if (wrong !== null) this.complain(`proposed what must never be advised (${wrong}); dropped`);
    return wrong === null;
  }

  #tried(draft: Draft): readonly Remedy[] {
    const { mesh, wishes } = this.#trial;
    const proof = verifyDraft(draft, this.#finding, this.#trial);
    if (proof.verification.status === 'refuted') return [];
    const above = wishes.ceiling === null ? null : aboveCeiling(proof.opened, wishes.ceiling, mesh);
    if (above !== null) return [this.#step(`No change is printed: it is beyond the ceiling. ${above}.`)];
    return [
      wishes.dryRun && draft.changes.length > 0
        ? this.#onTrial(draft, proof)
        : { ...draft, verification: proof.verification, reach: null },
    ];
  }

  /** The proof is that of the change itself: the trial changes nothing. */
  #onTrial(draft: Draft, { verification }: Proof): Remedy {
    const trial = asDryRun(draft, this.#trial.mesh);
    if (typeof trial === 'string') return this.#step(`No dry-run policy is printed: ${trial}.`);
    return { ...trial, verification, reach: null };
  }

  /** What was written after the log may not be what refused. */
  #lookAtAge(object: KubeObject | null): void {
    const { lastSeen } = this.#finding;
    const written = object === null ? null : writtenAt(object);
    if (object === null || written === null || lastSeen === null || written <= lastSeen) return;
    const { kind, metadata } = object;
    const name = refText({ kind, namespace: metadata.namespace, name: metadata.name });
    this.complain(
      `${name} was written at ${written}, after the calls in the log that it refused (the last at ${lastSeen})`,
      'mesh',
    );
  }

  #nothingToDo(): Remedy {
    return this.#step(
      'Nothing to do: by the objects given this is allowed now. They are newer than the log, or not those of its mesh.',
    );
  }

  #step(summary: string): Remedy {
    const draft = step('none', summary);
    return { ...draft, verification: stepsOnly(this.#finding).verification, reach: null };
  }

  #finished(remedy: Remedy): Remedy {
    const { mesh } = this.#trial;
    for (const { object } of remedy.changes) this.#lookAtAge(mesh.object(object));
    return { ...remedy, changes: withDiffs(remedy.changes, mesh), reach: reachOf(remedy, mesh) };
  }
}

/** Whether policies alone made the call fail: then a mesh that admits it is another one. */
function isPolicyMatter({ category }: Finding): boolean {
  return category === 'authorization' || category === 'mutual-tls';
}

/** Drafts of a rule may become one and the same on the way. */
function withoutRepeats(remedies: readonly Remedy[]): readonly Remedy[] {
  return [...new Map(remedies.map((remedy) => [remedy.summary, remedy])).values()];
}

function withRemark(draft: Draft): Draft {
  const remark = 'The log does not print who called: the identity is that of the pod with its address.';
  return { ...draft, risk: draft.risk === null ? remark : `${draft.risk} ${remark}` };
}
