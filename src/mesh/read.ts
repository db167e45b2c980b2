import { closeSync, type Dirent, openSync, readdirSync, readSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../model/failure.ts';
import type { KubeObject } from '../model/mesh.ts';
import type { Problem } from '../model/report.ts';
import { groupOf } from './kinds.ts';
import { decodeDocuments, decodeManifests, type Manifests } from './manifests.ts';

/** What `--mesh` paths hold. `sources` are the paths as they were given. */
export interface MeshFiles extends Manifests {
  readonly sources: readonly string[];
}

/** Larger files are refused; a dump of a cluster with some ten thousand pods is smaller. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
const MANIFEST = /\.(?:ya?ml|json)$/i;

/**
 * Reads manifests, dumps and scenarios from files and folders; of a folder, recursively and in sorted order, all `.yaml`,
 * `.yml` and `.json` files that are not hidden. Objects that occur twice are reported and the last one counts. What cannot
 * be used is a problem; only a given path that cannot be read at all throws `Failure('input')`. `-` is refused: the text of
 * standard input goes to `decodeManifests`.
 */
export function readMesh(paths: readonly string[]): MeshFiles {
  const objects: KubeObject[] = [];
  const problems: Problem[] = [];
  for (const path of paths) {
    const read = readPath(path);
    objects.push(...read.objects);
    problems.push(...read.problems);
  }
  const unique = withoutDuplicates(objects);
  return { objects: unique.objects, problems: [...problems, ...unique.problems], sources: [...paths] };
}

function readPath(path: string): Manifests {
  if (path === '-') throw new Failure('input', 'standard input cannot be read as a path of the mesh');
  try {
    if (!statSync(path).isDirectory()) return readFile(path, decodeManifests);
  } catch (error) {
    throw new Failure('input', `cannot read ${path}: ${reasonOf(error)}`, 'check the path after --mesh', error);
  }
  return readFolder(path);
}

function readFile(path: string, decode: (text: string, file: string) => Manifests): Manifests {
  const bytes = readCapped(path);
  if (bytes === null) return { objects: [], problems: [problem(`${path}: larger than ${MAX_FILE_BYTES} bytes`)] };
  return decode(textOf(bytes), path);
}

function readFolder(folder: string): Manifests {
  const objects: KubeObject[] = [];
  const { files, problems } = manifestsIn(folder);
  if (files.length === 0 && problems.length === 0)
    problems.push(problem(`${folder}: no .yaml, .yml or .json file in it`));
  for (const file of files) {
    try {
      const read = readFile(file, decodeDocuments);
      objects.push(...read.objects);
      problems.push(...read.problems);
    } catch (error) {
      problems.push(problem(`${file}: ${reasonOf(error)}`));
    }
  }
  return { objects, problems };
}

/** Paths of manifests below a folder. Each real folder is entered once, so that symbolic links cannot make a circle. */
function manifestsIn(root: string): { readonly files: readonly string[]; readonly problems: Problem[] } {
  const files: string[] = [];
  const problems: Problem[] = [];
  const entered = new Set<string>();
  const waiting = [root];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    try {
      const real = realpathSync(folder);
      if (entered.has(real)) continue;
      entered.add(real);
      const found = list(folder);
      waiting.push(...found.folders);
      files.push(...found.files.filter((file) => MANIFEST.test(file)));
    } catch (error) {
      problems.push(problem(`${folder}: ${reasonOf(error)}`));
    }
  }
  return { files: files.toSorted(), problems };
}

/** What lies in one folder and is not hidden. */
function list(folder: string): { readonly folders: readonly string[]; readonly files: readonly string[] } {
  const visible = readdirSync(folder, { withFileTypes: true }).filter((entry) => !entry.name.startsWith('.'));
  const entries = visible.map((entry) => ({ path: join(folder, entry.name), entry }));
  const ofKind = (kind: 'folder' | 'file'): readonly string[] =>
    entries.filter(({ path, entry }) => kindOf(entry, path) === kind).map(({ path }) => path);
  return { folders: ofKind('folder'), files: ofKind('file') };
}

/** Pipes and devices in a folder would block or never end, so they are `other`; so is a link that leads nowhere. */
function kindOf(entry: Dirent, path: string): 'folder' | 'file' | 'other' {
  const stat = entry.isSymbolicLink() ? statSync(path, { throwIfNoEntry: false }) : entry;
  if (stat?.isDirectory()) return 'folder';
  return stat?.isFile() ? 'file' : 'other';
}

/** The bytes of a file or pipe; null if there are more than the cap. */
function readCapped(path: string): Buffer | null {
  const descriptor = openSync(path, 'r');
  try {
    const chunks: Buffer[] = [];
    let total = 0;
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const count = readSync(descriptor, chunk);
      if (count === 0) return Buffer.concat(chunks);
      total += count;
      if (total > MAX_FILE_BYTES) return null;
      chunks.push(chunk.subarray(0, count));
    }
  } finally {
    closeSync(descriptor);
  }
}

/** UTF-8, or UTF-16 with a byte order mark, which PowerShell writes on `kubectl get … > file`. */
function textOf(bytes: Buffer): string {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8';
  return new TextDecoder(encoding).decode(bytes);
}

/** The last object of each name counts, in its own place. The name is that of the API: group, kind, namespace, name. */
function withoutDuplicates(objects: readonly KubeObject[]): Manifests {
  const last = new Map<string, KubeObject>();
  const problems: Problem[] = [];
  for (const object of objects) {
    const { kind, metadata } = object;
    const key = JSON.stringify([groupOf(object.apiVersion), kind, metadata.namespace, metadata.name]);
    const earlier = last.get(key);
    if (earlier !== undefined) {
      const name = [metadata.namespace, metadata.name].filter((part) => part !== '').join('/');
      problems.push(
        problem(`${kind} ${name} stands in ${earlier.source.file} and ${object.source.file}; the last one counts`),
      );
      last.delete(key);
    }
    last.set(key, object);
  }
  return { objects: [...last.values()], problems };
}

function problem(message: string): Problem {
  return { about: 'mesh', message };
}

/** Why the system refused, without the path and the call that Node appends. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split(', ', 1)[0] ?? message;
}
