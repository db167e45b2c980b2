import type { Flow } from '../../model/traffic.ts';

/** One failure as it was observed: the flow that names the cause, and the other end's flows of the same failure. */
export interface Incident {
  readonly flow: Flow;
  /** Flows that surely tell of it. What may be of this incident or of another is counted, and shown with none. */
  readonly others: readonly Flow[];
  /** False: the other end was not looked for yet, as in a log that still grows. */
  readonly isJoined: boolean;
  /** Failures: records of the flow, or of the other end where that saw more. */
  readonly count: number;
}
