import type { Unwrapped } from '../model/line.ts';

/** The stream of a container that a collector names; null: it names none, or anything else. Untrusted value in. */
export function streamOf(value: unknown): Unwrapped['stream'] {
  return value === 'stdout' || value === 'stderr' ? value : null;
}
