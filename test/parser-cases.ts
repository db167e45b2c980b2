import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Parsed } from '../src/model/record.ts';

/** What a parser reads in each line of `input.log` of a folder is what `expected.json` beside it says. */
export async function expectGolden(folder: string, read: (line: string) => Parsed): Promise<void> {
  const lines = readFileSync(`${folder}/input.log`, 'utf8').trimEnd().split('\n');
  const shown = lines.map((line) => {
    const parsed = read(line);
    if (parsed === null || !('raw' in parsed)) return parsed;
    const { at: _at, origin: _origin, raw: _raw, ...rest } = parsed;
    return rest;
  });
  await expect(`${JSON.stringify(shown, null, 1)}\n`).toMatchFileSnapshot(`${folder}/expected.json`);
}
