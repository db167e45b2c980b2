import type { Line } from '../model/line.ts';
import type { Fields } from '../model/suite.ts';
import { parseJsonObject } from '../text/json-line.ts';
import { textOf } from '../text/untyped.ts';
import { runAmbientVector } from './ambient-vectors.ts';
import { runEnvoyVector } from './envoy-vectors.ts';
import { malformed, type SuiteResults } from './result.ts';
import { runValidationVector } from './validation-vectors.ts';

/** The families of vectors, by the keys that only they have. */
const FAMILIES: readonly {
  readonly keys: readonly string[];
  readonly run: (file: string, name: string, line: Fields) => SuiteResults;
}[] = [
  { keys: ['workload', 'connections', 'verdicts'], run: runAmbientVector },
  { keys: ['proxy', 'requests', 'results'], run: runEnvoyVector },
  { keys: ['object', 'valid'], run: runValidationVector },
];

const NOTHING: SuiteResults = { results: [], skipped: 0 };

/**
 * Runs one line of a file of vectors (one case as JSON, with what the real program answered). Blank lines are none; a
 * line that cannot be run is a failure with its number. Untrusted; never throws.
 */
export function runVectorLine({ at, text, truncated }: Line): SuiteResults {
  if (text.trim() === '') return NOTHING;
  const place = `line ${at.line}`;
  const fail = (reason: string): SuiteResults => ({ results: [malformed(at.input, place, reason)], skipped: 0 });
  if (truncated) return fail('longer than a line may be');
  const line = parseJsonObject(text.trim());
  if (line === null) return fail('not a JSON object');
  const family = FAMILIES.find(({ keys }) => keys.every((key) => key in line));
  if (family === undefined) return fail('neither an ambient case, nor one of Envoy, nor an object with its validation');
  return family.run(at.input, textOf(line['id']) ?? place, line);
}
