import { closeSync, createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import { Failure } from '../model/failure.ts';
import type { Line } from '../model/line.ts';
import { refusalOf } from './encoding.ts';
import { type LineSink, readFileLines } from './file-lines.ts';
import { readLines } from './lines.ts';

/**
 * Gives `sink` every line of a log file (or pipe with a name). Throws `Failure` for what is missing, may not be
 * read, is a folder or compressed.
 */
export async function readFile(path: string, sink: LineSink, signal: AbortSignal): Promise<void> {
  const file = open(path);
  try {
    const status = fstatSync(file);
    if (status.isDirectory()) {
      throw new Failure('input', `${path} is a folder`, `name the files: meshmend ${path}/*.log`);
    }
    if (status.isFile()) {
      const head = Buffer.alloc(8);
      const refusal = refusalOf(path, head.subarray(0, readSync(file, head, 0, head.length, 0)));
      if (refusal !== null) throw refusal;
      await readFileLines(file, path, sink, signal);
    } else
      await readLines(createReadStream(path, { fd: file, autoClose: false }), path, (line) => sink.feed(line), signal);
  } catch (error) {
    throw error instanceof Failure
      ? error
      : new Failure('input', `cannot read ${path}: ${reasonOf(error)}`, null, error);
  } finally {
    closeSync(file);
  }
}

/** The same of stdin. Throws `Failure` when it is closed, a folder, or breaks. */
export async function readStdin(onLine: (line: Line) => void, signal: AbortSignal): Promise<void> {
  try {
    if (fstatSync(0).isDirectory()) throw new Failure('input', 'stdin is a folder', 'pipe logs in, or name files');
    await readLines(process.stdin, 'stdin', onLine, signal);
  } catch (error) {
    throw error instanceof Failure ? error : new Failure('input', `cannot read stdin: ${reasonOf(error)}`, null, error);
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
  EBADF: 'it is closed',
  EIO: 'the system cannot read it',
  EISDIR: 'it is a folder',
};
