import type { ShapeRule } from './shapes.ts';

/** One value of a line and the literal text that follows it (up to the next value, or to the end). */
export interface Slot {
  readonly rule: ShapeRule;
  /** What the value fulfils in a notation of its own (a time); null: what its rule says. */
  readonly notation: RegExp | null;
  /** Longest value in characters; null: as its rule says. */
  readonly maxLength: number | null;
  readonly after: string;
  /** Whether its end is certain although nothing stands between it and the next value. */
  readonly isDistinct: boolean;
}

/** Literal text before the first value, then the values. */
export interface Template {
  readonly before: string;
  readonly slots: readonly Slot[];
}
