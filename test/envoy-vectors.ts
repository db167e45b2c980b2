import { readFileSync } from 'node:fs';
import type { Fields } from '../src/model/suite.ts';
import type { EnvoyRequest } from '../src/policy/envoy/request.ts';
import type { EnvoyInput, EnvoyProxy } from '../src/policy/envoy/settings.ts';
import { envoyInputOf, envoyRequestOf } from '../src/suite/envoy-vectors.ts';
import { decodeKubeObject } from '../src/text/kube-object.ts';
import { shared } from './shared.ts';

/** One case of `vectors/envoy-*.jsonl`. */
export interface VectorCase extends Fields {
  readonly id: string;
  readonly proxy: EnvoyProxy;
  readonly objects: readonly unknown[];
  readonly rejectedByEnvoy?: string;
  readonly requests: readonly Fields[];
  readonly results: readonly Fields[];
}

/** All cases of one file. */
export function readVectors(name: string): readonly VectorCase[] {
  const lines = readFileSync(shared(`vectors/${name}.jsonl`), 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line): VectorCase => JSON.parse(line));
}

/** The engine's input for a case. */
export function inputOf(vector: VectorCase): EnvoyInput {
  const objects = vector.objects.map((object) => decodeKubeObject(object, { file: 'vector', document: 0 }));
  return envoyInputOf(
    vector,
    vector.proxy,
    objects.filter((object) => typeof object !== 'string'),
  );
}

/** The request of a case as the engine takes it. */
export function requestOf(request: Fields, vector: VectorCase): EnvoyRequest {
  const read = envoyRequestOf(request, vector);
  if (typeof read === 'string') throw new Error(read);
  return read;
}
