import type { Instant } from '../model/line.ts';
import type { KubeObject } from '../model/mesh.ts';
import { parseInstant } from '../text/time.ts';
import { listOf, textOf, valueAt } from '../text/untyped.ts';

/** When somebody last wrote an object, beside its status, as the API server noted; null: it does not tell. */
export function writtenAt({ raw, metadata }: KubeObject): Instant | null {
  const writes = listOf(valueAt(raw, 'metadata', 'managedFields')).filter(
    (entry) => valueAt(entry, 'subresource') !== 'status',
  );
  const times = [metadata.creationTimestamp, ...writes.map((entry) => textOf(valueAt(entry, 'time')))]
    .map((text) => parseInstant(text ?? ''))
    .filter((time) => time !== null)
    .toSorted();
  return times.at(-1) ?? null;
}
