import type { Reach } from '../model/remedy.ts';
import { refText } from '../text/object-ref.ts';
import { printable } from '../text/sanitize.ts';
import { fullLength } from '../text/shortened.ts';

/**
 * Whom a change reaches, in one sentence: `3 workloads run as …; the change applies to 2 workloads; also selecting: …`. Printable.
 * What is not known is left out; null: nothing is known.
 */
export function reachText({ callers, selected, others }: Reach): string | null {
  const runs = callers.flatMap(({ principal, workloads }) =>
    workloads === null
      ? []
      : [`${workloadsOf(workloads)} ${fullLength(workloads) === 1 ? 'runs' : 'run'} as ${principal}`],
  );
  const parts = [
    ...runs.slice(0, 2),
    ...(selected === null ? [] : [`the change applies to ${workloadsOf(selected)}`]),
    ...(others === null || others.length === 0 ? [] : [`also selecting: ${others.map(refText).join(', ')}`]),
  ];
  return parts.length === 0 ? null : printable(parts.join('; '));
}

function workloadsOf(names: readonly string[]): string {
  const count = fullLength(names);
  return `${count} workload${count === 1 ? '' : 's'}`;
}
