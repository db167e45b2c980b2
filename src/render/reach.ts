import type { Reach } from '../model/remedy.ts';
import { refText } from '../text/object-ref.ts';
import { printable } from '../text/sanitize.ts';
import { fullLength } from '../text/shortened.ts';

/**
 * Whom a change reaches, in one sentence: `3 workloads run as …; the change applies to 2 workloads; also selecting: …`. Printable.
 * One workload is what everybody expects and is left out, as is what is not known; null: nothing is left.
 */
export function reachText({ callers, selected, others }: Reach): string | null {
  const runs = callers.flatMap(({ principal, workloads }) =>
    workloads === null || fullLength(workloads) < 2 ? [] : [`${workloadsOf(workloads)} run as ${principal}`],
  );
  const parts = [
    ...runs.slice(0, 2),
    ...(selected === null || fullLength(selected) < 2 ? [] : [`the change applies to ${workloadsOf(selected)}`]),
    ...(others === null || others.length === 0 ? [] : [`also selecting: ${others.map(refText).join(', ')}`]),
  ];
  return parts.length === 0 ? null : printable(parts.join('; '));
}

function workloadsOf(names: readonly string[]): string {
  return `${fullLength(names)} workloads`;
}
