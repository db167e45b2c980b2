import { statSync } from 'node:fs';
import { extname } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { deployed } from '../mesh/deployed.ts';
import { decodeManifests } from '../mesh/manifests.ts';
import { readMeshAndArchives } from '../mesh/read.ts';
import { createMesh, unknownMesh } from '../mesh/view.ts';
import { Failure } from '../model/failure.ts';
import type { KubeObject, MeshView } from '../model/mesh.ts';
import type { Problem } from '../model/report.ts';
import { validateObject } from '../policy/validate.ts';

const MANIFESTS = ['.yaml', '.yml', '.json'];

/** A mesh as it was read, and what could not be read of it. */
export interface LoadedMesh {
  readonly mesh: MeshView;
  readonly problems: readonly Problem[];
}

/** The mesh that `--mesh` paths tell of, `-` being stdin, with the pods that its manifests would make. Throws `Failure`. */
export async function deployedMesh(paths: readonly string[]): Promise<LoadedMesh> {
  const { objects, texts, problems } = await readObjects(paths, []);
  const [first] = problems;
  if (objects.length === 0) {
    throw new Failure(
      'input',
      first?.message ?? `no Kubernetes object in ${paths.map((path) => (path === '-' ? 'stdin' : path)).join(', ')}`,
      'check --mesh',
    );
  }
  return { mesh: createMesh(deployed(objects), { sources: paths, texts }), problems };
}

/** The mesh as it runs, by `--mesh` paths and the manifests beside logs; without any nothing is known. Throws `Failure`. */
export async function runningMesh(paths: readonly string[], logs: readonly string[]): Promise<LoadedMesh> {
  const read = await readObjects(paths, logs);
  const { objects, texts, sources } = read;
  const problems = [...read.problems, ...refusedObjects(objects)];
  if (objects.length === 0 && paths.length === 0) return { mesh: unknownMesh, problems };
  if (objects.length === 0) problems.push({ about: 'mesh', message: `no Kubernetes object in ${paths.join(', ')}` });
  return { mesh: createMesh(objects, { sources, texts }), problems };
}

/** `--mesh` takes several words; behind the first, those that are neither folders nor manifests by name are log files. */
export function splitPaths(
  mesh: readonly string[],
  files: readonly string[],
): { readonly meshPaths: readonly string[]; readonly files: readonly string[] } {
  const isMesh = (path: string, index: number): boolean =>
    index === 0 || path === '-' || MANIFESTS.includes(extname(path)) || isFolder(path);
  const paths = {
    meshPaths: mesh.filter(isMesh),
    files: [...mesh.filter((path, index) => !isMesh(path, index)), ...files],
  };
  if (paths.meshPaths.includes('-') && (paths.files.length === 0 || paths.files.includes('-'))) {
    throw new Failure(
      'usage',
      'stdin cannot be both the mesh and the logs',
      'name the log files, or give --mesh a file',
    );
  }
  return paths;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

type ReadObjects = Awaited<ReturnType<typeof readMeshAndArchives>>;

async function readObjects(paths: readonly string[], logs: readonly string[]): Promise<ReadObjects> {
  const isNamed = (path: string): boolean => path !== '-';
  const files = await readMeshAndArchives(paths.filter(isNamed), logs.filter(isNamed));
  if (paths.every(isNamed)) return files;
  const piped = decodeManifests(await textOf(process.stdin), 'stdin');
  return {
    ...files,
    objects: [...files.objects, ...piped.objects],
    problems: [...files.problems, ...piped.problems],
    sources: [...files.sources, '-'],
  };
}

/** Policies that istiod's admission would refuse count as absent in a mesh: said, because they look like policies. */
function refusedObjects(objects: readonly KubeObject[]): Problem[] {
  return objects.flatMap((object) => {
    const { valid, errors } = validateObject(object);
    if (valid) return [];
    const { kind, metadata, source } = object;
    const name = `${kind} ${metadata.namespace}/${metadata.name}`;
    return [
      { about: 'mesh', message: `${source.file}: ${name} would be refused by istiod: ${errors[0] ?? 'not valid'}` },
    ];
  });
}
