import { Failure } from '../model/failure.ts';

/** What went wrong with an input as the one error that is told; system errors in words. Throws any other error: it is a fault of the program. */
export function failureOf(path: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (!(error instanceof Error && 'code' in error)) throw error;
  const reason = REASONS[String(error.code)] ?? error.message;
  return new Failure('input', `cannot read ${path}: ${reason}`, null, error);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  ENOTDIR: 'a part of the path is no folder',
  ELOOP: 'too many symbolic links',
  EMFILE: 'too many open files',
  EBADF: 'it is closed',
  EIO: 'the system cannot read it',
  EISDIR: 'it is a folder',
  ESTALE: 'it vanished while it was read',
};
