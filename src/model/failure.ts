/** Why the shell could not do what was asked. Exit codes follow from it (src/cli/exit.ts). */
export type FailureCode =
  /** The words on the command line are wrong. */
  | 'usage'
  /** A file, folder or stream could not be read or is not what it should be. */
  | 'input';

/**
 * The one error class of meshmend. Thrown by `src/input`, `src/mesh` and `src/cli` only; the core returns values.
 * `message` is one lower-case sentence without a period; `hint` says what to do next, or is null.
 */
export class Failure extends Error {
  readonly code: FailureCode;
  readonly hint: string | null;

  constructor(code: FailureCode, message: string, hint: string | null = null, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Failure';
    this.code = code;
    this.hint = hint;
  }
}
