import type { Parser } from '../../src/model/record.ts';
import { envoyAppLog } from './app-log.ts';
import { envoyFragment } from './fragment.ts';
import { envoyJson } from './json.ts';
import { envoyKeyValue } from './key-value.ts';
import { defaultTextParsers } from './text.ts';

export { type CompiledFormat, compileFormat, type FormatError } from './format.ts';
export { inferFormat } from './infer.ts';
export type { Inference } from './inferred.ts';
export { envoyJsonParser } from './json.ts';
export { type GivenFormat, type OwnFormats, ownFormatsParser } from './own.ts';
export { envoyTextParser } from './text.ts';

/** Everything that Envoy and the Go parts of Istio print, the commonest first, what is left of a line last. */
export const envoyParsers: readonly Parser[] = [
  ...defaultTextParsers,
  envoyJson,
  envoyKeyValue,
  envoyAppLog,
  envoyFragment,
];
