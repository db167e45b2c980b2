import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { decodeManifests } from '../mesh/manifests.ts';
import { Failure } from '../model/failure.ts';
import type { KubeObject } from '../model/mesh.ts';
import { decodeAuthorizationPolicy } from '../policy/decode.ts';
import { validateForApply } from '../policy/validate.ts';
import { refText } from '../text/object-ref.ts';
import { textOf, valueAt } from '../text/untyped.ts';

const HINT = 'a ceiling holds AuthorizationPolicies with action ALLOW only, bound by namespace or selector';

/**
 * The policies of a ceiling file: what may ever be allowed. Throws `Failure`: `input` if it cannot be read whole, `usage` if
 * there is anything in it that would not bound what it seems to.
 */
export function readCeiling(path: string): readonly KubeObject[] {
  const text = readText(path);
  const { objects, problems } = decodeManifests(text, path);
  const [problem] = problems;
  if (problem !== undefined) throw new Failure('input', `--ceiling ${problem.message}`, HINT);
  const read = new Set(objects.map(({ source }) => source.document));
  for (const [index, document] of parseAllDocuments(text, { logLevel: 'silent' }).entries()) {
    if (document.contents !== null && !read.has(index)) throw unfit(path, index, 'it is no Kubernetes object');
  }
  const names = new Set<string>();
  for (const object of objects) {
    const { kind, metadata, source } = object;
    const name = refText({ kind, namespace: metadata.namespace, name: metadata.name });
    const reason = names.has(name) ? 'stands in it twice' : unfitness(object);
    if (reason !== null) throw unfit(path, source.document, `${name} ${reason}`);
    names.add(name);
  }
  if (objects.length === 0) throw new Failure('usage', `--ceiling ${path}: no AuthorizationPolicy in it`, HINT);
  return objects;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message.split(', ', 1)[0] : String(error);
    throw new Failure('input', `cannot read ${path}: ${reason}`, 'check the path after --ceiling', error);
  }
}

function unfit(path: string, document: number, reason: string): Failure {
  return new Failure('usage', `--ceiling ${path}, document ${document + 1}: ${reason}`, HINT);
}

/** Why an object cannot be part of a ceiling; null: it can. */
function unfitness(object: KubeObject): string | null {
  if (object.kind !== 'AuthorizationPolicy') return 'is no AuthorizationPolicy';
  const policy = decodeAuthorizationPolicy(object);
  if (!policy.ok) return `cannot be read: ${policy.reason}`;
  const { action, dryRun, targetRefs } = policy.value;
  if (action !== 'ALLOW') return `has the action ${action}`;
  if (dryRun) return 'is in dry-run, so it bounds nothing';
  if (targetRefs.length > 0) return 'has targetRefs: name the pods by a selector, as no waypoint is looked at here';
  if (textOf(valueAt(object.raw, 'metadata', 'namespace')) === null) return 'has no namespace';
  const { valid, errors } = validateForApply(object);
  return valid ? null : `would be refused by istiod: ${errors[0] ?? 'it is not valid'}`;
}
