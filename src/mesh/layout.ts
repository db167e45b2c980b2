import type { KubeObject } from '../model/mesh.ts';
import type { Problem } from '../model/report.ts';
import { homeFile, homeOf } from '../platforms/file-layout.ts';
import { recordOf } from '../text/untyped.ts';

/** Objects of which the file's name tells the namespace, in it, and what was taken for granted. */
export interface Placed {
  readonly objects: readonly KubeObject[];
  readonly problems: readonly Problem[];
}

/**
 * Some repositories (`src/platforms`) leave the namespace out of their manifests and put it into the file's name, and have one file that
 * an installer applies to every namespace without a file of its own: then each of these has such an object, whose place for
 * changes is the file that the namespace would get. All other objects stay as they are.
 */
export function placed(objects: readonly KubeObject[]): Placed {
  const problems: Problem[] = [];
  const spread = objects.flatMap((object) => {
    const home = leavesOut(object) ? homeOf(object.kind, object.source.file) : null;
    if (home === null) return [object];
    if (home.namespace !== null) return [inNamespace(object, home.namespace)];
    const namespaces = namespacesBelow(home.root, object.kind, objects);
    if (namespaces.length === 0) return [object];
    const { kind, metadata, source } = object;
    problems.push({
      about: 'mesh',
      message: `${source.file}: ${kind} ${metadata.name} names no namespace; taken for one of each namespace that has a file of its own beside it (${namespaces.join(', ')})`,
    });
    return namespaces.map((namespace) => copied(object, namespace, home.root));
  });
  return { objects: spread, problems };
}

/** The namespace is not written, and was filled in when the object was read. */
function leavesOut({ raw, metadata }: KubeObject): boolean {
  const written = raw['metadata'];
  return (
    metadata.namespace === 'default' && typeof written === 'object' && written !== null && !('namespace' in written)
  );
}

function inNamespace(object: KubeObject, namespace: string): KubeObject {
  return { ...object, metadata: { ...object.metadata, namespace } };
}

function copied(object: KubeObject, namespace: string, root: string): KubeObject {
  const { raw, kind, source } = object;
  const file = homeFile(kind, root, namespace) ?? source.file;
  const metadata = { name: object.metadata.name, ...recordOf(raw['metadata']), namespace };
  return { ...inNamespace(object, namespace), raw: { ...raw, metadata }, source: { file, document: 0 } };
}

/** Namespaces that have files below a folder, but none for this kind. */
function namespacesBelow(root: string, kind: string, objects: readonly KubeObject[]): readonly string[] {
  const homes = objects.flatMap((object) => {
    const home = homeOf(object.kind, object.source.file);
    return home === null || home.root !== root || home.namespace === null ? [] : [{ ...home, kind: object.kind }];
  });
  const served = new Set(homes.filter((home) => home.kind === kind).map(({ namespace }) => namespace));
  const named = new Set(homes.map(({ namespace }) => namespace).filter((namespace) => namespace !== null));
  return [...named].filter((namespace) => !served.has(namespace)).toSorted();
}
