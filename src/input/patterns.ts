import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';

/** True for a word that names no file and has a wildcard: quoted, or typed where the shell expands nothing. */
export function isPattern(word: string): boolean {
  return /[*?[{]/.test(word) && !existsSync(word);
}

/** The words, with every pattern replaced by the files it fits, sorted; one that fits none stays, and will be told as missing. */
export async function expandPatterns(words: readonly string[]): Promise<readonly string[]> {
  const expanded = await Promise.all(words.map((word) => (isPattern(word) ? filesLike(word) : [word])));
  return expanded.flat();
}

async function filesLike(pattern: string): Promise<readonly string[]> {
  // Rarely needed: not loaded at every start.
  const { glob } = await import('tinyglobby');
  const files = await glob(pattern, { absolute: isAbsolute(pattern), expandDirectories: false });
  return files.length === 0 ? [pattern] : files.toSorted();
}
