import { closeSync, openSync, readSync, statSync } from 'node:fs';
import type { Chunks } from '../input/chunks.ts';
import { withInput } from '../input/open.ts';
import type { Part } from '../input/parts.ts';
import { HEAD_BYTES, sniff } from '../input/sniff.ts';
import type { Problem } from '../model/report.ts';
import { decodeDocuments, decodeManifests, type Manifests } from './manifests.ts';
import { unseen } from './ztunnel-dump.ts';

/** The same as for files that are not packed: `src/mesh/read.ts`. */
const MAX_BYTES = 64 * 1024 * 1024;
/** Problems of one archive that are told one by one; the others are counted. */
const MAX_TOLD = 20;

/** Nothing interrupts this. */
const NEVER = new AbortController().signal;

const NOTHING: Manifests = { objects: [], problems: [] };

/** True for an archive and for what is compressed, by the first bytes. Throws what the system says. */
export function isPacked(path: string): boolean {
  if (!statSync(path).isFile()) return false;
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    const { kind } = sniff(head.subarray(0, readSync(file, head)));
    return kind === 'tar' || kind === 'gzip' || kind === 'zstd';
  } finally {
    closeSync(file);
  }
}

/**
 * The manifests in an archive, whatever their names (`istioctl bug-report` and `oc adm must-gather` have them between logs), or in
 * one compressed file. Those of an archive are named `ARCHIVE!path/in/archive`. What cannot be used is a problem. Throws `Failure` for
 * a path that cannot be read at all.
 */
export async function readPacked(path: string): Promise<Manifests> {
  return withInput(path, NEVER, async (input) =>
    input.kind === 'text' ? decodeChunks(path, input.chunks, decodeManifests) : readParts(path, input.parts, true),
  );
}

/** The manifests beside the logs of an archive or folder; a log file has none. What cannot be read is told when its logs are. */
export async function readBesideLogs(path: string): Promise<Manifests> {
  try {
    // A pipe can be read once only.
    if (!statSync(path).isFile() && !statSync(path).isDirectory()) return NOTHING;
    return await withInput(path, NEVER, async (input) =>
      input.kind === 'text' ? NOTHING : readParts(path, input.parts, false),
    );
  } catch {
    return NOTHING;
  }
}

async function readParts(path: string, parts: AsyncIterable<Part>, tellsFailures: boolean): Promise<Manifests> {
  const read: Manifests[] = [];
  const seen = new Set<string>();
  for await (const part of parts) {
    if (part.kind === 'manifest') {
      const manifests = await decodeChunks(part.name, part.chunks, decodeDocuments);
      read.push({ ...manifests, objects: unseen(manifests.objects, seen) });
    }
    if (part.kind === 'failed' && tellsFailures) read.push(nothingBut(`${part.name}: ${part.failure.message}`));
  }
  const problems = read.flatMap((manifests) => manifests.problems);
  return { objects: read.flatMap(({ objects }) => objects), problems: firstOf(path, problems) };
}

async function decodeChunks(
  name: string,
  chunks: Chunks,
  decode: (text: string, file: string) => Manifests,
): Promise<Manifests> {
  const kept: Buffer[] = [];
  let total = 0;
  try {
    for await (const chunk of chunks) {
      total += chunk.length;
      if (total > MAX_BYTES) return nothingBut(`${name}: larger than ${MAX_BYTES} bytes`);
      kept.push(Buffer.from(chunk));
    }
  } catch (error) {
    // Half a manifest may lack what matters: a policy without its last rule is another policy.
    return nothingBut(`${name}: ${error instanceof Error ? error.message : error}; it is not used`);
  }
  return decode(new TextDecoder().decode(Buffer.concat(kept)), name);
}

function nothingBut(message: string): Manifests {
  return { objects: [], problems: [{ about: 'mesh', message }] };
}

/** Problems of one archive, of which there may be thousands. */
function firstOf(path: string, problems: readonly Problem[]): readonly Problem[] {
  if (problems.length <= MAX_TOLD) return problems;
  const message = `${path}: ${problems.length - MAX_TOLD} more problems with the manifests in it`;
  return [...problems.slice(0, MAX_TOLD), { about: 'mesh', message }];
}
