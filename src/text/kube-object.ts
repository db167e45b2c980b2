import type { KubeObject } from '../model/mesh.ts';

type Json = Readonly<Record<string, unknown>>;

/** True for a JSON object (no array, not null). */
export function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads any value as a Kubernetes object: kind and name must be text; everything else may be missing. Returns a reason
 * instead of throwing. Labels and annotations keep their text values only. `namespace` is '' where absent.
 */
export function decodeKubeObject(value: unknown, source: KubeObject['source']): KubeObject | string {
  if (!isRecord(value)) return 'not an object';
  const { kind, metadata } = value;
  if (typeof kind !== 'string' || kind === '') return 'has no kind';
  if (!isRecord(metadata)) return `${kind} has no metadata`;
  const { name, namespace, creationTimestamp } = metadata;
  if (typeof name !== 'string' || name === '') return `${kind} has no metadata.name`;
  return {
    apiVersion: typeof value['apiVersion'] === 'string' ? value['apiVersion'] : '',
    kind,
    metadata: {
      name,
      namespace: typeof namespace === 'string' ? namespace : '',
      labels: textMap(metadata['labels']),
      annotations: textMap(metadata['annotations']),
      creationTimestamp: typeof creationTimestamp === 'string' ? creationTimestamp : null,
    },
    raw: value,
    source,
  };
}

function textMap(value: unknown): Readonly<Record<string, string>> | null {
  if (!isRecord(value)) return null;
  const entries = Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return Object.fromEntries(entries);
}
