import type { Draft, RemedyCommands, RemedyKind } from '../../model/remedy.ts';

/** What a step may say beside its summary; absent commands are none. */
export interface StepOptions extends Partial<RemedyCommands> {
  /** What it opens or breaks. Absent or null: nothing. */
  readonly risk?: string | null;
  /** Why an owner must decide first. Absent or null: nothing to decide. */
  readonly decision?: string | null;
}

/** A draft for people: something to do or to find out that is no change of an object here. */
export function step(kind: RemedyKind, summary: string, options: StepOptions = {}): Draft {
  const { risk = null, decision = null, confirm = [], apply = [], verify = [], rollback = [] } = options;
  return { kind, summary, risk, decision, changes: [], commands: { confirm, apply, verify, rollback } };
}
