import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../shared/', import.meta.url));

/** Whether the folder of captures, vectors and scenarios lies beside the project. Tests that need it are skipped without. */
export const hasShared: boolean = existsSync(root);

/** Absolute path of a file or folder in it. */
export function shared(path: string): string {
  return `${root}${path}`;
}

/** The name of a test suite that needs the folder; where it is absent the name says why it is skipped. */
export function needsShared(name: string): string {
  return hasShared ? name : `${name} (skipped: no ../shared beside the project)`;
}
