import type { FailureCode } from '../model/failure.ts';

/** Exit codes: a promise to scripts. */
export const EXIT = {
  ok: 0,
  /** Findings at or above `--fail-on`. */
  findings: 1,
  usage: 2,
  /** What was asked could not be read. */
  input: 3,
  /** A fault of the program itself. */
  fault: 70,
  /** Stopped by Ctrl-C; what was read until then is printed. */
  interrupted: 130,
} as const;

/** The exit code of a failure. */
export const EXIT_OF: Readonly<Record<FailureCode, number>> = { usage: EXIT.usage, input: EXIT.input };
