import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

/** GNU time, which tells what a command took. */
export const GNU_TIME = '/usr/bin/time';
const MAX_OUTPUT = 256 * 1024 * 1024;

/** What a command took. */
export interface Sample {
  readonly seconds: number;
  /** Processor time in user mode, of all threads. */
  readonly user: number;
  readonly peakMib: number;
}

/** Runs a command to its end, with a file on stdin if one is given. Throws if it could not be timed. */
export function time(command: readonly string[], stdin: string | null = null): Sample {
  const input = stdin === null ? 'ignore' : openSync(stdin, 'r');
  // Not to /dev/null: there grep stops at its first match.
  const { stderr } = spawnSync(GNU_TIME, ['-f', '%e %U %M', ...command], {
    encoding: 'utf8',
    maxBuffer: MAX_OUTPUT,
    stdio: [input, 'pipe', 'pipe'],
  });
  if (input !== 'ignore') closeSync(input);
  const [seconds = Number.NaN, user = Number.NaN, peakKib = Number.NaN] = (stderr.trim().split('\n').at(-1) ?? '')
    .split(' ')
    .map(Number);
  if (Number.isNaN(seconds)) throw new Error(`${command.join(' ')}: ${stderr}`);
  return { seconds, user, peakMib: peakKib / 1024 };
}

/** The median of one number of some samples. */
export function medianOf(samples: readonly Sample[], key: keyof Sample): number {
  const sorted = samples.map((sample) => sample[key]).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
