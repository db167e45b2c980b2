import { type Dirent, readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The files below a folder, sorted, and what could not be looked into. */
export interface FolderFiles {
  readonly files: readonly string[];
  readonly failures: readonly { readonly path: string; readonly error: unknown }[];
}

/**
 * All files below a folder that are not hidden. Each real folder is entered once, so that symbolic links cannot make a
 * circle. Pipes and devices would block or never end: they are left out, like links that lead nowhere. Never throws.
 */
export function filesBelow(root: string): FolderFiles {
  const files: string[] = [];
  const failures: { path: string; error: unknown }[] = [];
  const entered = new Set<string>();
  const waiting = [root];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    try {
      const real = realpathSync(folder);
      if (entered.has(real)) continue;
      entered.add(real);
      const found = list(folder);
      waiting.push(...found.folders);
      files.push(...found.files);
    } catch (error) {
      failures.push({ path: folder, error });
    }
  }
  return { files: files.toSorted(), failures };
}

/** What lies in one folder and is not hidden. */
function list(folder: string): { readonly folders: readonly string[]; readonly files: readonly string[] } {
  const entries = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith('.'))
    .map((entry) => ({ path: join(folder, entry.name), entry }));
  const ofKind = (kind: 'folder' | 'file'): readonly string[] =>
    entries.filter(({ path, entry }) => kindOf(entry, path) === kind).map(({ path }) => path);
  return { folders: ofKind('folder'), files: ofKind('file') };
}

function kindOf(entry: Dirent, path: string): 'folder' | 'file' | 'other' {
  const stat = entry.isSymbolicLink() ? statSync(path, { throwIfNoEntry: false }) : entry;
  if (stat?.isDirectory()) return 'folder';
  return stat?.isFile() ? 'file' : 'other';
}
