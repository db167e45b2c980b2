import type { KubeObject } from '../model/mesh.ts';
import { validateObject } from '../policy/validate.ts';
import { decodeKubeObject, isRecord } from '../text/kube-object.ts';
import { listOf, textOf } from '../text/untyped.ts';

/** An object of a vector and what the real istiod said about it. */
export interface VectorObject {
  readonly object: KubeObject;
  /** Null: the vector does not tell, which there means accepted. */
  readonly admission: { readonly valid: boolean; readonly stage: string | null } | null;
}

/** Decodes `objects` with the answers in `validation`; a text is the reason why that failed. Untrusted. */
export function readObjects(file: string, objects: unknown, validation: unknown): readonly VectorObject[] | string {
  const answers = listOf(validation).filter(isRecord);
  const read: VectorObject[] = [];
  for (const [document, value] of listOf(objects).entries()) {
    const object = decodeKubeObject(value, { file, document });
    if (typeof object === 'string') return `objects[${document}]: ${object}`;
    const name = `${object.kind} ${object.metadata.namespace}/${object.metadata.name}`;
    const answer = answers.find((candidate) => candidate['object'] === name);
    const valid = typeof answer?.['valid'] === 'boolean' ? answer['valid'] : answer?.['error'] === undefined;
    read.push({ object, admission: answer === undefined ? null : { valid, stage: textOf(answer['stage']) } });
  }
  return read;
}

/** One sentence for each object on which the validator and the vector do not agree. */
export function admissionFaults(objects: readonly VectorObject[]): readonly string[] {
  return objects.flatMap(({ object, admission }) => {
    const { valid, errors } = validateObject(object);
    if (valid === (admission?.valid ?? true)) return [];
    const name = `${object.kind} ${object.metadata.namespace}/${object.metadata.name}`;
    return [
      `admission of ${name}: ${valid ? 'accepted' : `refused (${errors.join('; ')})`}, and the vector says otherwise`,
    ];
  });
}
