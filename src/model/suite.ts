/** What was wanted or answered, field by field. Untrusted text may stand in the values. */
export type Fields = Readonly<Record<string, unknown>>;

/** An answer. `malformed`: there was nothing that could be asked; `because` says why. */
export interface Actual extends Fields {
  readonly outcome: 'allow' | 'deny' | 'unknown' | 'malformed';
  /** What the proxy would log; null: nothing, or not known. */
  readonly error: string | null;
  readonly because: string;
}

/** One probe that was run. Its JSON form is a promise: add freely, rename never. */
export interface ProbeResult {
  readonly file: string;
  readonly case: string;
  readonly probe: string;
  readonly expected: Fields;
  readonly actual: Actual;
  readonly pass: boolean;
}

/** Counts of a whole run. */
export interface SuiteTally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}
