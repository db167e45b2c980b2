import { closeSync, statSync } from 'node:fs';
import { type Chunks, openFile } from './chunks.ts';
import { failureOf } from './failure.ts';
import { type Part, partsOfArchive, partsOfFolder } from './parts.ts';
import { unpack } from './unpack.ts';

/** What a path leads to. */
export type OpenInput =
  | { readonly kind: 'text'; readonly chunks: Chunks }
  /** A folder or archive. `isPiped`: it can be read once only. */
  | { readonly kind: 'parts'; readonly parts: AsyncIterable<Part>; readonly isPiped: boolean };

/**
 * Opens what a path leads to, gives it to `use`, and closes it. Compression and UTF-16 are taken off. Throws `Failure` for what is
 * missing, may not be read, or is of a kind that is not read here.
 */
export async function withInput<T>(
  path: string,
  signal: AbortSignal,
  use: (input: OpenInput) => Promise<T>,
): Promise<T> {
  try {
    const status = statSync(path);
    if (status.isDirectory()) return await use({ kind: 'parts', parts: partsOfFolder(path, signal), isPiped: false });
    const { file, chunks } = openFile(path, signal);
    try {
      const unpacked = await unpack(chunks);
      if (unpacked.content === 'text') return await use({ kind: 'text', chunks: unpacked.chunks });
      const parts = partsOfArchive(path, unpacked.chunks);
      return await use({ kind: 'parts', parts, isPiped: !status.isFile() });
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw failureOf(path, error);
  }
}
