import { closeSync } from 'node:fs';
import { Failure } from '../model/failure.ts';
import { clip, printable } from '../text/sanitize.ts';
import { type Chunks, openFile } from './chunks.ts';
import { failureOf } from './failure.ts';
import { filesBelow } from './folder.ts';
import { partKind } from './part-kind.ts';
import { tarMembers } from './tar.ts';
import { type Unpacked, unpack } from './unpack.ts';

/** One file of a folder or archive. `name` is what people are told: a path, or `ARCHIVE!path/in/archive`. */
export type Part =
  /** To be read before the next part is asked for. */
  | { readonly kind: 'log' | 'manifest'; readonly name: string; readonly chunks: Chunks }
  /** Not read; `why` is said once for all that have the same. */
  | { readonly kind: 'left out'; readonly name: string; readonly why: string }
  | { readonly kind: 'failed'; readonly name: string; readonly failure: Failure };

/** Files of one archive; further ones are not read. */
const MAX_MEMBERS = 100_000;
/** Names in archives are untrusted: longer ones are cut. */
const MAX_NAME_LENGTH = 512;

/** The files below a folder, in order of their names, and those in the archives among them. */
export async function* partsOfFolder(folder: string, signal: AbortSignal): AsyncGenerator<Part, void, undefined> {
  const { files, failures } = filesBelow(folder);
  for (const { path, error } of failures) yield { kind: 'failed', name: path, failure: failureOf(path, error) };
  for (const path of files) yield* partsOfFile(path, signal);
}

async function* partsOfFile(path: string, signal: AbortSignal): AsyncGenerator<Part, void, undefined> {
  try {
    const { file, chunks } = openFile(path, signal);
    try {
      yield* partsOf(path, path, chunks, partsOfArchive);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    yield { kind: 'failed', name: path, failure: failureOf(path, error) };
  }
}

/** The files in a tar archive, in its order. Nothing is ever written: names are labels, links are not followed. */
export async function* partsOfArchive(archive: string, chunks: Chunks): AsyncGenerator<Part, void, undefined> {
  const names = new Map<string, number>();
  try {
    for await (const { name, kind, body } of tarMembers(chunks)) {
      if (kind === 'folder') continue;
      const label = labelOf(`${archive}!${harmless(name)}`, names);
      if (names.size > MAX_MEMBERS) throw new Failure('input', `the files after the first ${MAX_MEMBERS} are not read`);
      if (isHidden(name)) yield { kind: 'left out', name: label, why: 'hidden' };
      else if (kind !== 'file') yield { kind: 'left out', name: label, why: `a ${kind}` };
      else yield* partsOf(label, name, body, nestedArchive);
    }
  } catch (error) {
    yield { kind: 'failed', name: archive, failure: failureOf(archive, error) };
  }
}

async function* nestedArchive(name: string): AsyncGenerator<Part, void, undefined> {
  yield { kind: 'left out', name, why: 'an archive in an archive' };
}

/** What there is in the file at `path`, told as `name`. */
async function* partsOf(
  name: string,
  path: string,
  chunks: Chunks,
  archive: (name: string, chunks: Chunks) => AsyncIterable<Part>,
): AsyncGenerator<Part, void, undefined> {
  const unpacked = await unpackOrTell(name, chunks);
  if ('kind' in unpacked) yield unpacked;
  else if (unpacked.content === 'tar') yield* archive(name, unpacked.chunks);
  else yield textPart(name, path, unpacked);
}

function textPart(name: string, path: string, { head, chunks, failure }: Unpacked): Part {
  const kind = partKind(path, head);
  if (kind !== 'other' && head.length > 0) return { kind, name, chunks };
  if (failure !== null) return { kind: 'failed', name, failure: failureOf(name, failure) };
  return { kind: 'left out', name, why: head.length === 0 ? 'empty' : 'neither log nor manifest' };
}

async function unpackOrTell(name: string, chunks: Chunks): Promise<Unpacked | Part> {
  try {
    return await unpack(chunks);
  } catch (error) {
    if (!(error instanceof Failure)) return { kind: 'failed', name, failure: failureOf(name, error) };
    return { kind: 'left out', name, why: error.message };
  }
}

/** A name as a label that leads nowhere and shows nothing but itself. */
function harmless(name: string): string {
  const parts = name.split('/').filter((part) => !['', '.', '..'].includes(part));
  return clip(printable(parts.join('/')), MAX_NAME_LENGTH);
}

/** Archives may hold a path twice; inputs have a name each. */
function labelOf(name: string, names: Map<string, number>): string {
  const count = (names.get(name) ?? 0) + 1;
  names.set(name, count);
  return count === 1 ? name : `${name} (${count})`;
}

function isHidden(path: string): boolean {
  return path.split('/').some((part) => part.startsWith('.') && part !== '.' && part !== '..');
}
