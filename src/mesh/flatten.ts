import type { KubeObject } from '../model/mesh.ts';
import { decodeKubeObject, isRecord } from '../text/kube-object.ts';
import { isClusterScoped } from './kinds.ts';

/** Objects found in one document, and why other parts of it are none. */
export interface Flattened {
  readonly objects: readonly KubeObject[];
  /** One phrase each, without file and line. Untrusted text may stand in it. */
  readonly reasons: readonly string[];
}

/** More nested lists than any tool writes; deeper ones are not looked into. */
const MAX_DEPTH = 8;

/**
 * All Kubernetes objects in a value: one object, a JSON array of them, or Lists (`List`, `PodList`, …) in any nesting. An
 * item of a typed list may leave out its kind and apiVersion, as the API server does; they are filled in. An object of a
 * namespaced kind that names no namespace is in `default`, where kubectl would put it. Never throws.
 */
export function flattenObjects(value: unknown, source: KubeObject['source']): Flattened {
  const objects: KubeObject[] = [];
  const reasons: string[] = [];
  const waiting: { value: unknown; depth: number }[] = [{ value, depth: 0 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const items = itemsOf(next.value);
    if (items === null) {
      const decoded = decodeKubeObject(next.value, source);
      if (typeof decoded === 'string') reasons.push(decoded);
      else objects.push(inNamespace(decoded));
    } else if (next.depth >= MAX_DEPTH) {
      reasons.push(`lists nested deeper than ${MAX_DEPTH}`);
    } else {
      const depth = next.depth + 1;
      for (const item of items.toReversed()) waiting.push({ value: item, depth });
    }
  }
  return { objects, reasons };
}

/** The items of a list, each with its kind; null: the value is no list. */
function itemsOf(value: unknown): readonly unknown[] | null {
  if (Array.isArray(value)) return value;
  if (!isRecord(value)) return null;
  const { kind, apiVersion, items } = value;
  if (!Array.isArray(items)) return null;
  if (typeof kind !== 'string' || !kind.endsWith('List')) return null;
  const itemKind = kind.slice(0, -'List'.length);
  if (itemKind === '') return items;
  return items.map((item) =>
    isRecord(item) && item['kind'] === undefined ? { apiVersion, kind: itemKind, ...item } : item,
  );
}

function inNamespace(object: KubeObject): KubeObject {
  const scoped = isClusterScoped(object.kind);
  if ((object.metadata.namespace === '') === scoped) return object;
  return { ...object, metadata: { ...object.metadata, namespace: scoped ? '' : 'default' } };
}
