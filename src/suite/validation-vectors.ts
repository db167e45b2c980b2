import type { Fields, ProbeResult } from '../model/suite.ts';
import { validateObject } from '../policy/validate.ts';
import { decodeKubeObject } from '../text/kube-object.ts';
import { textOf } from '../text/untyped.ts';
import { malformed, type SuiteResults } from './result.ts';

/**
 * Runs one line of `validation.jsonl`: would istiod's admission accept the object? Compared are the verdict and, where it is
 * refused, who refuses it (`stage`). The wording of errors is each program's own.
 */
export function runValidationVector(file: string, place: string, line: Fields): SuiteResults {
  const { object: value, valid } = line;
  const object = decodeKubeObject(value, { file, document: 0 });
  if (typeof object === 'string') return { results: [malformed(file, place, `object: ${object}`)], skipped: 0 };
  if (typeof valid !== 'boolean') {
    return { results: [malformed(file, place, 'valid: must be true or false')], skipped: 0 };
  }
  const wantedStage = valid ? null : textOf(line['stage']);
  const answer = validateObject(object);
  const stage = wantedStage === null ? null : answer.stage;
  const result: ProbeResult = {
    file,
    case: place,
    probe: `${object.kind} ${object.metadata.namespace}/${object.metadata.name}`,
    expected: { outcome: valid ? 'allow' : 'deny', valid, stage: wantedStage },
    actual: {
      outcome: answer.valid ? 'allow' : 'deny',
      error: answer.errors[0] ?? null,
      because: answer.valid ? 'admission accepts it' : `admission refuses it: ${answer.errors.join('; ')}`,
      valid: answer.valid,
      stage,
    },
    pass: answer.valid === valid && stage === wantedStage,
  };
  return { results: [result], skipped: 0 };
}
