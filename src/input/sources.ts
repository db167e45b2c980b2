import { closeSync, createReadStream, fstatSync, openSync } from 'node:fs';
import { Failure } from '../model/failure.ts';
import { type LineSink, readFileLines } from './file-lines.ts';
import { readLines } from './lines.ts';

/**
 * Gives `sink` every line of a log file (or pipe with a name). Throws `Failure` for what is missing, may not be
 * read or is a folder.
 */
export async function readFile(path: string, sink: LineSink, signal: AbortSignal): Promise<void> {
  const file = open(path);
  try {
    const status = fstatSync(file);
    if (status.isDirectory()) {
      throw new Failure('input', `${path} is a folder`, `name the files: meshmend ${path}/*.log`);
    }
    if (status.isFile()) await readFileLines(file, path, sink, signal);
    else
      await readLines(createReadStream(path, { fd: file, autoClose: false }), path, (line) => sink.feed(line), signal);
  } finally {
    closeSync(file);
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new Failure('input', `cannot read ${path}: ${reasonOf(error)}`, null, error);
  }
}

/** What a failed system call means, in words. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  return REASONS[code] ?? error.message;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  ENOTDIR: 'a part of the path is no folder',
  ELOOP: 'too many symbolic links',
  EMFILE: 'too many open files',
};
