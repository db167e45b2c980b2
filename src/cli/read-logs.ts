import { fstatSync } from 'node:fs';
import type { Analysis } from '../analyze.ts';
import { readInput, readStdin } from '../input/read.ts';
import { Failure } from '../model/failure.ts';
import { EXIT } from './exit.ts';

/** How often a live stream is looked at for new findings. */
const LIVE_MS = 250;

/**
 * Reads all inputs in order, `-` being stdin, until Ctrl-C aborts `interrupt`. Answers how many could not be read; the
 * others are used. `announce` (null: no need) is called now and then while a live stream is read.
 */
export async function readLogs(
  files: readonly string[],
  analysis: Analysis,
  announce: (() => void) | null,
  interrupt: AbortController,
): Promise<number> {
  const onInterrupt = (): void => {
    // The second Ctrl-C leaves at once.
    if (interrupt.signal.aborted) process.exit(EXIT.interrupted);
    interrupt.abort();
  };
  process.on('SIGINT', onInterrupt);
  try {
    return await readEach(files, analysis, announce, interrupt.signal);
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

async function readEach(
  files: readonly string[],
  analysis: Analysis,
  announce: (() => void) | null,
  signal: AbortSignal,
): Promise<number> {
  let unreadable = 0;
  for (const file of files) {
    if (signal.aborted) break;
    try {
      if (file === '-') await followStdin(analysis, announce, signal);
      else await readInput(file, analysis, signal);
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'input') throw error;
      unreadable++;
      const hint = error.hint === null ? '' : ` (${error.hint})`;
      analysis.addProblem({ about: `input ${file}`, message: `${error.message}${hint}` });
    }
  }
  return unreadable;
}

async function followStdin(analysis: Analysis, announce: (() => void) | null, signal: AbortSignal): Promise<void> {
  const timer = announce !== null && isStream(0) ? setInterval(announce, LIVE_MS) : null;
  try {
    await readStdin(analysis, signal);
  } finally {
    if (timer !== null) clearInterval(timer);
  }
}

/** Whether more may come: a file has all it will have. */
function isStream(descriptor: number): boolean {
  try {
    return !fstatSync(descriptor).isFile();
  } catch {
    return false;
  }
}
