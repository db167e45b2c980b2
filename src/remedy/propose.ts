import { writtenAt } from '../mesh/written.ts';
import type { Finding, Rule } from '../model/finding.ts';
import type { KubeObject, MeshView } from '../model/mesh.ts';
import type { Draft, Remedy } from '../model/remedy.ts';
import type { Problem } from '../model/report.ts';
import { refText } from '../text/object-ref.ts';
import { asksOfHttp } from './edits/http-at-ztunnel.ts';
import { step, withDeducedCaller } from './edits/index.ts';
import { readPolicy } from './edits/policies.ts';
import { aboveCeiling } from './guard/ceiling.ts';
import { forbiddenAdvice } from './guard/guard.ts';
import { withhold } from './guard/withhold.ts';
import { throughAllLayers } from './layers.ts';
import { ranked } from './rank.ts';
import { reachOf } from './reach/reach.ts';
import { withHome } from './splice/home.ts';
import { withDiffs } from './splice/splice.ts';
import type { Trial } from './trial.ts';
import { focusedFor, isAllowedAlready, type Proof, stepsOnly, verifyDraft } from './verify.ts';
import { asDryRun } from './wishes/dry-run.ts';
import { templatedDrafts, widenDraft } from './wishes/widen.ts';

/** What is told of calls that the mesh, as it is given, admits. */
export const NOTHING_TO_DO =
  'Nothing to do: by the objects given this is allowed now. They are newer than the log, or not those of its mesh.';
const OVER =
  'Nothing to do: it was seen only while a pod started or ended, and the same calls worked afterwards. If it comes back at other times, look again.';
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

/** What is told in place of a change where what a finding tells of is over by itself. */
export function nothingLeftToDo(finding: Finding): Remedy {
  return nothing(finding, OVER);
}

function nothing(finding: Finding, summary: string): Remedy {
  return { ...step('none', summary), verification: stepsOnly(finding).verification, reach: null };
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
    const { mesh, wishes } = this.#trial;
    if (mayBeRepaired(this.#finding, mesh) && isAllowedAlready(this.#finding, this.#trial))
      return [this.#nothingToDo()];
    const drafts = this.#drafts();
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

  #drafts(): readonly Draft[] {
    const { mesh, wishes } = this.#trial;
    const propose = (finding: Finding): readonly Draft[] => this.#rule?.propose?.(finding, mesh) ?? [];
    const drafts = propose(this.#asked);
    if (wishes.widen !== 'path-template' || drafts.some(({ changes }) => changes.length > 0)) return drafts;
    const templated = templatedDrafts(this.#asked, mesh, propose);
    if (typeof templated !== 'string') return [...templated, ...drafts];
    this.complain(templated, `--widen ${wishes.widen}`);
    return drafts;
  }

  #completed(draft: Draft): readonly Draft[] {
    if (draft.changes.length === 0) return [draft];
    const mesh = focusedFor(draft, this.#asked, this.#trial);
    const drafts = mesh.known ? throughAllLayers(draft, this.#asked, mesh, this.#trial) : [draft];
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
    const { wishes } = this.#trial;
    const proof = verifyDraft(draft, this.#finding, this.#trial);
    if (proof.verification.status === 'refuted') return [];
    const above = draft.changes.length === 0 ? null : this.#aboveCeiling(proof);
    if (above !== null) return [this.#step(`No change is printed: ${above}.`)];
    return [
      wishes.dryRun && draft.changes.length > 0
        ? this.#onTrial(draft, proof)
        : { ...draft, verification: proof.verification, reach: null },
    ];
  }

  /** Why a change may not be printed; null: it is below the ceiling. What was not proved may open anything. */
  #aboveCeiling({ verification, opened }: Proof): string | null {
    const { mesh, wishes } = this.#trial;
    if (wishes.ceiling === null) return null;
    if (verification.status !== 'verified') return `it cannot be compared with the ceiling: ${verification.reason}`;
    const above = aboveCeiling(opened, wishes.ceiling, mesh);
    return above === null ? null : `it is beyond the ceiling. ${above}`;
  }

  /** The proof is that of the change itself: the trial changes nothing. */
  #onTrial(draft: Draft, { verification }: Proof): Remedy {
    const trial = asDryRun(draft, this.#trial.mesh);
    if (typeof trial === 'string') return this.#step(`No dry-run policy is printed: ${trial}.`);
    const { reason, fixes } = verification;
    const told = {
      ...verification,
      reason: `of the change itself, once enforced: ${reason}`,
      fixes: { ...fixes, fixed: 0 },
    };
    return { ...trial, verification: told, reach: null };
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
    return this.#step(NOTHING_TO_DO);
  }

  #step(summary: string): Remedy {
    return nothing(this.#finding, summary);
  }

  #finished(remedy: Remedy): Remedy {
    const { mesh } = this.#trial;
    for (const { object } of remedy.changes) this.#lookAtAge(mesh.object(object));
    const changes = withDiffs(remedy.changes, mesh).map((change) => withHome(change, mesh));
    return { ...remedy, changes, reach: reachOf(remedy, mesh) };
  }
}

/**
 * Whether policies alone made the call fail, and the mesh holds such: then one that admits it may be repaired by now. One
 * without the policies that refused is not known well enough.
 */
function mayBeRepaired({ category, policies, enforcedBy }: Finding, mesh: MeshView): boolean {
  if (category === 'mutual-tls') return true;
  const named = policies.filter(({ kind }) => kind === 'AuthorizationPolicy').map((ref) => mesh.object(ref));
  const isHeld = named.every((object) => object !== null && !(enforcedBy === 'ztunnel' && isDenyOfHttp(object)));
  return category === 'authorization' && isHeld && mesh.objectsOf('AuthorizationPolicy').length > 0;
}

/** All rules ask of HTTP: what ztunnel made of them the line tells, and not what this release of istiod would make of them. */
function isDenyOfHttp(object: KubeObject): boolean {
  const policy = readPolicy(object);
  if (!policy.ok) return false;
  const { action, rules } = policy.value;
  return action === 'DENY' && rules.length > 0 && rules.every((one) => asksOfHttp(one).length > 0);
}

/** Drafts of a rule may become one and the same on the way. */
function withoutRepeats(remedies: readonly Remedy[]): readonly Remedy[] {
  return [...new Map(remedies.map((remedy) => [remedy.summary, remedy])).values()];
}

function withRemark(draft: Draft): Draft {
  const remark = 'The log does not print who called: the identity is that of the pod with its address.';
  return { ...draft, risk: draft.risk === null ? remark : `${draft.risk} ${remark}` };
}
