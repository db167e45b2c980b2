import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { filesBelow } from '../input/folder.ts';
import { Failure } from '../model/failure.ts';
import type { KubeObject } from '../model/mesh.ts';
import type { Problem } from '../model/report.ts';
import { groupOf } from './kinds.ts';
import { placed } from './layout.ts';
import { decodeDocuments, decodeManifests, type Manifests } from './manifests.ts';
import { isPacked, readBesideLogs, readPacked } from './packed.ts';
import { settled } from './ztunnel-dump.ts';

/** What `--mesh` paths hold. `sources` are the paths as they were given, and the dumps of ztunnel that were used. */
export interface MeshFiles extends Read {
  readonly sources: readonly string[];
}

/** `texts` are those of the files that objects come from, by path, for changes that are to be made in them. */
interface Read extends Manifests {
  readonly texts: ReadonlyMap<string, string>;
}

/** Larger files are refused; a dump of a cluster with some ten thousand pods is smaller. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** The text of a larger file is not kept: people do not write such files, tools do. */
const MAX_TEXT_BYTES = 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
const MANIFEST = /\.(?:ya?ml|json)$/i;

/**
 * Reads manifests, dumps and scenarios from files and folders; of a folder, recursively and in sorted order, all `.yaml`,
 * `.yml` and `.json` files that are not hidden. Objects that occur twice are reported and the last one counts. What cannot
 * be used is a problem; only a given path that cannot be read at all throws `Failure('input')`. `-` is refused: the text of
 * standard input goes to `decodeManifests`.
 */
export function readMesh(paths: readonly string[]): MeshFiles {
  return unique(together(paths.map(readPath)), paths);
}

/**
 * The same, with archives and compressed files among `paths`, and with the manifests that lie beside the logs in the archives and
 * folders among `logs`. What `paths` say counts where both tell of an object.
 */
export async function readMeshAndArchives(paths: readonly string[], logs: readonly string[]): Promise<MeshFiles> {
  const parts: Read[] = [];
  const sources = [...paths];
  const given = new Set(paths.map((path) => resolve(path)));
  for (const path of logs.filter((log) => !given.has(resolve(log)))) {
    const manifests = await readBesideLogs(path);
    if (manifests.objects.length > 0) sources.push(path);
    parts.push({ ...manifests, texts: new Map() });
  }
  for (const path of paths) {
    parts.push(isPackedPath(path) ? { ...(await readPacked(path)), texts: new Map() } : readPath(path));
  }
  return unique(together(parts), sources);
}

/** A path that cannot be read is none: whoever reads it tells why. */
function isPackedPath(path: string): boolean {
  try {
    return isPacked(path);
  } catch {
    return false;
  }
}

function unique(read: Read, paths: readonly string[]): MeshFiles {
  const { objects: known, files, used } = settled(read.objects);
  const { objects: placedObjects, problems: taken } = placed(known);
  const { objects, problems } = withoutDuplicates(placedObjects);
  const dumped = used === 0 ? [] : [problem(dumpedMessage(used, files))];
  const sources = [...paths, ...files.map((file) => `${file} (what ztunnel knew)`)];
  return { objects, problems: [...read.problems, ...dumped, ...taken, ...problems], texts: read.texts, sources };
}

function dumpedMessage(used: number, [file, ...more]: readonly string[]): string {
  const others = more.length === 0 ? '' : ` and ${more.length} more`;
  return `${used} pods and Services are not given and taken from what ztunnel knew (${file}${others}): their labels and containers are not told; give them for what NetworkPolicies and sidecars do`;
}

function together(parts: readonly Read[]): Read {
  return {
    objects: parts.flatMap(({ objects }) => objects),
    problems: parts.flatMap(({ problems }) => problems),
    texts: new Map(parts.flatMap(({ texts }) => [...texts])),
  };
}

function readPath(path: string): Read {
  if (path === '-') throw new Failure('input', 'standard input cannot be read as a path of the mesh');
  try {
    if (!statSync(path).isDirectory()) return readFile(path, decodeManifests);
  } catch (error) {
    throw new Failure('input', `cannot read ${path}: ${reasonOf(error)}`, 'check the path after --mesh', error);
  }
  return readFolder(path);
}

function readFile(path: string, decode: (text: string, file: string) => Manifests): Read {
  const bytes = readCapped(path);
  if (bytes === null) return nothingBut(problem(`${path}: larger than ${MAX_FILE_BYTES} bytes`));
  const text = textOf(bytes);
  const manifests = decode(text, path);
  const kept = manifests.objects.length > 0 && bytes.length <= MAX_TEXT_BYTES && Buffer.from(text).equals(bytes);
  return { ...manifests, texts: new Map(kept ? [[path, text]] : []) };
}

function nothingBut(...problems: readonly Problem[]): Read {
  return { objects: [], problems, texts: new Map() };
}

function readFolder(folder: string): Read {
  const { files: all, failures } = filesBelow(folder);
  const files = all.filter((file) => MANIFEST.test(file));
  const problems = failures.map(({ path, error }) => problem(`${path}: ${reasonOf(error)}`));
  if (files.length === 0 && problems.length === 0)
    problems.push(problem(`${folder}: no .yaml, .yml or .json file in it`));
  const parts = files.map((file) => {
    try {
      return readFile(file, decodeDocuments);
    } catch (error) {
      return nothingBut(problem(`${file}: ${reasonOf(error)}`));
    }
  });
  return together([nothingBut(...problems), ...parts]);
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
  const within = new Map<string, number>();
  for (const object of objects) {
    const { kind, metadata } = object;
    const key = JSON.stringify([groupOf(object.apiVersion), kind, metadata.namespace, metadata.name]);
    const earlier = last.get(key);
    const archive = archiveOf(object.source.file);
    if (earlier !== undefined && archive !== null && archive === archiveOf(earlier.source.file)) {
      // Dumps of a cluster list the same objects in several ways.
      within.set(archive, (within.get(archive) ?? 0) + 1);
      last.delete(key);
    } else if (earlier !== undefined) {
      const name = [metadata.namespace, metadata.name].filter((part) => part !== '').join('/');
      problems.push(
        problem(`${kind} ${name} stands in ${earlier.source.file} and ${object.source.file}; the last one counts`),
      );
      last.delete(key);
    }
    last.set(key, object);
  }
  for (const [archive, count] of within) {
    problems.push(problem(`${count} objects stand more than once in ${archive}; the last of each counts`));
  }
  return { objects: [...last.values()], problems };
}

/** The archive that a file is in; null: in none. */
function archiveOf(file: string): string | null {
  const end = file.indexOf('!');
  return end < 0 ? null : file.slice(0, end);
}

function problem(message: string): Problem {
  return { about: 'mesh', message };
}

/** Why the system refused, without the path and the call that Node appends. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split(', ', 1)[0] ?? message;
}
