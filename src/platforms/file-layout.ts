import { platforms } from './index.ts';
import type { FileLayout } from './platform.ts';

/** Where a platform's repository keeps objects of one kind and one namespace. */
export interface Home {
  /** The folder that the layout begins in, with its slash; empty: the working folder. */
  readonly root: string;
  /** Null: a file whose objects are applied to every namespace that has no file of its own. */
  readonly namespace: string | null;
}

const layouts: readonly FileLayout[] = platforms.map(({ layout }) => layout).filter((layout) => layout !== null);
const homes: FileLayout['homes'] = layouts.flatMap((layout) => layout.homes);
const sharedFiles: readonly FileLayout['shared'][] = layouts.map(({ shared }) => shared);

/** What the name of a file says of the objects of a kind in it; null: it is of no layout that is known, or not for that kind. */
export function homeOf(kind: string, file: string): Home | null {
  for (const home of homes) {
    const match = home.kind === kind ? home.pattern.exec(file) : null;
    if (match !== null) return { root: match[1] ?? '', namespace: match[2] ?? null };
  }
  for (const shared of sharedFiles) {
    const match = shared.kind === kind ? shared.pattern.exec(file) : null;
    if (match !== null) return { root: match[1] ?? '', namespace: null };
  }
  return null;
}

/** The file in which a repository with such a layout keeps a namespace's objects of a kind; null: it has no place for the kind. */
export function homeFile(kind: string, root: string, namespace: string): string | null {
  const home = homes.find((entry) => entry.kind === kind);
  return home === undefined ? null : `${root}${home.file.replace('NAMESPACE', () => namespace)}`;
}
