import { readdirSync, readFileSync } from 'node:fs';
import type { KubeObject } from '../src/model/mesh.ts';
import { decodeKubeObject } from '../src/text/kube-object.ts';
import { hasShared, shared } from './shared.ts';

/** An object of the vectors and what the real istiod said about it. */
export interface Admission {
  readonly object: KubeObject;
  readonly valid: boolean;
  readonly stage: 'decode' | 'istiod' | null;
  /** Number of warnings. */
  readonly warnings: number;
}

/** One answer, in the notation of either family of vectors. */
interface Answer {
  readonly object: string;
  readonly valid?: boolean;
  readonly stage?: 'decode';
  readonly error?: string;
  readonly warning?: string;
  readonly warnings?: string;
}

/** Names of the vector files, or none. */
export const vectorFiles: readonly string[] = hasShared
  ? readdirSync(shared('vectors')).filter((name) => name.endsWith('.jsonl'))
  : [];

/** The parsed lines of a file under `../shared`. */
export function jsonLines(path: string): readonly ReturnType<typeof JSON.parse>[] {
  return readFileSync(shared(path), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** All objects of security.istio.io in a vector file. An object that has no answer was accepted. */
export function admissions(file: string): readonly Admission[] {
  return jsonLines(`vectors/${file}`).flatMap((row) => {
    const objects: readonly unknown[] = row.object === undefined ? row.objects : [row.object];
    return objects.flatMap((value) => {
      const object = decodeKubeObject(value, { file, document: 0 });
      if (typeof object === 'string' || !object.apiVersion.startsWith('security.istio.io/')) return [];
      return [{ object, ...expectation(row.object === undefined ? answerOn(object, row.validation) : row) }];
    });
  });
}

function answerOn(object: KubeObject, answers: readonly Answer[] | undefined): Answer | undefined {
  const { kind, metadata } = object;
  return answers?.find((answer) => answer.object === `${kind} ${metadata.namespace}/${metadata.name}`);
}

/** Every warning is one of these sentences. */
const WARNING = /workload selector specified without|will deny all traffic to TCP|contains private key/g;

function expectation(answer: Answer | undefined): Pick<Admission, 'valid' | 'stage' | 'warnings'> {
  const valid = answer?.valid ?? answer?.error === undefined;
  const warnings = `${answer?.warnings ?? ''}${answer?.warning ?? ''}`.match(WARNING) ?? [];
  return { valid, stage: valid ? null : (answer?.stage ?? 'istiod'), warnings: warnings.length };
}
