import { Failure } from '../model/failure.ts';
import type { Chunks } from './chunks.ts';
import { parsePax, parseTarHeader, TAR_BLOCK_BYTES, type TarHeader, textIn } from './tar-header.ts';

/** What a member of an archive is. Only files have contents that can be read. */
export type MemberKind = 'file' | 'folder' | 'link' | 'device' | 'sparse file' | 'member of an unknown kind';

/** One member of an archive. `name` is untrusted: a label, never a path to write to. `body` must be read before the next member is asked for. */
export interface TarMember {
  readonly name: string;
  readonly kind: MemberKind;
  readonly body: Chunks;
}

const KINDS: Readonly<Record<string, MemberKind>> = {
  '0': 'file',
  '1': 'link',
  '2': 'link',
  '3': 'device',
  '4': 'device',
  '5': 'folder',
  '6': 'device',
  S: 'sparse file',
};

/** Headers that say something of the next member; what they say is bounded. */
const EXTENSIONS = ['x', 'g', 'L', 'K', 'X'];
const MAX_EXTENSION_BYTES = 1024 * 1024;

/** What extension headers say of the next member; null: nothing. */
interface Extension {
  readonly name: string | null;
  readonly size: number | null;
  readonly sparse: boolean;
}

const NO_EXTENSION: Extension = { name: null, size: null, sparse: false };

/**
 * The members of a tar archive, in order, while it is read: names of POSIX (ustar, pax) and GNU, sizes beyond 8 GiB. Bodies that are
 * not read are passed over. Throws `Failure` where the archive is cut off or damaged; the body that ends too early throws it itself,
 * behind what there is of it, and nothing comes after that. Memory: one chunk and one header.
 */
export async function* tarMembers(archive: Chunks): AsyncGenerator<TarMember, void, undefined> {
  const bytes = new ByteReader(archive);
  for (;;) {
    const header = await nextHeader(bytes);
    if (header === null) return;
    const body = new Body(bytes, hasContents(header.type) ? header.size : 0);
    yield { name: header.name, kind: kindOf(header), body };
    if (!(await body.pass())) return;
  }
}

/** A header with what the extensions before it say. */
interface FullHeader extends TarHeader {
  readonly sparse: boolean;
}

/** The header of the next member, and whatever belongs to it; null: the archive ended. */
async function nextHeader(bytes: ByteReader): Promise<FullHeader | null> {
  let extension = NO_EXTENSION;
  for (;;) {
    const block = await nextBlock(bytes);
    if (block === null) return null;
    const header = parseTarHeader(block);
    if (header === null) {
      throw new Failure('input', `the archive is damaged at byte ${bytes.position - TAR_BLOCK_BYTES}`);
    }
    if (EXTENSIONS.includes(header.type)) {
      extension = await readExtension(header, bytes, extension);
      continue;
    }
    if (header.type === 'S') await passSparseMap(block, bytes);
    return {
      type: header.type,
      name: extension.name ?? header.name,
      size: extension.size ?? header.size,
      sparse: extension.sparse,
    };
  }
}

/** The next block that is not NULs only: two of these are the end, but what was appended to the file behind them is read as well. */
async function nextBlock(bytes: ByteReader): Promise<Buffer | null> {
  let ended = false;
  for (;;) {
    const block = await bytes.take(TAR_BLOCK_BYTES);
    if (block === null && !ended) throw bytes.cut('it has no end mark: more members may have followed');
    if (block === null || block.some((byte) => byte !== 0)) return block;
    ended = true;
  }
}

function kindOf({ type, name, sparse }: FullHeader): MemberKind {
  const kind = KINDS[type] ?? 'member of an unknown kind';
  if (kind !== 'file') return kind;
  // Archives older than POSIX mark a folder by the end of its name only.
  if (name.endsWith('/')) return 'folder';
  return sparse ? 'sparse file' : 'file';
}

/** Links and folders may tell the size of what they stand for, but nothing follows. */
function hasContents(type: string): boolean {
  return !['1', '2', '3', '4', '5', '6'].includes(type);
}

async function readExtension(header: TarHeader, bytes: ByteReader, before: Extension): Promise<Extension> {
  if (header.size > MAX_EXTENSION_BYTES) {
    throw new Failure('input', `the archive is damaged before byte ${bytes.position}: a name of ${header.size} bytes`);
  }
  const padded = await bytes.take(Math.ceil(header.size / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES);
  if (padded === null) throw bytes.cut('within the name of a member');
  const text = padded.subarray(0, header.size);
  if (header.type === 'L') return { ...before, name: textIn(text, 0, text.length) };
  if (header.type !== 'x' && header.type !== 'X') return before;
  const records = parsePax(text);
  const size = Number(records.get('size') ?? 'none');
  return {
    name: records.get('GNU.sparse.name') ?? records.get('path') ?? before.name,
    size: Number.isSafeInteger(size) && size >= 0 ? size : before.size,
    sparse: [...records.keys()].some((key) => key.startsWith('GNU.sparse.')),
  };
}

/** The old form of GNU's sparse files: where the list of what is there is too long for the header, blocks of it follow. */
async function passSparseMap(header: Buffer, bytes: ByteReader): Promise<void> {
  let more = header[482] === 1;
  while (more) {
    const block = await bytes.take(TAR_BLOCK_BYTES);
    if (block === null) throw bytes.cut('within the map of a sparse file');
    more = block[504] === 1;
  }
}

/** The contents of one member. */
class Body implements AsyncIterable<Buffer> {
  readonly #bytes: ByteReader;
  readonly #padding: number;
  #left: number;
  #failed = false;

  constructor(bytes: ByteReader, size: number) {
    this.#bytes = bytes;
    this.#left = size;
    this.#padding = (TAR_BLOCK_BYTES - (size % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    while (this.#left > 0) {
      const chunk = await this.#next();
      this.#left -= chunk.length;
      yield chunk;
    }
  }

  /** Passes over what was not read. False: reading failed before, there is nothing more. */
  async pass(): Promise<boolean> {
    if (this.#failed) return false;
    while (this.#left > 0) this.#left -= (await this.#next()).length;
    if ((await this.#bytes.take(this.#padding)) === null) throw this.#bytes.cut('behind a member');
    return true;
  }

  async #next(): Promise<Buffer> {
    try {
      const chunk = await this.#bytes.some(this.#left);
      if (chunk === null) throw this.#bytes.cut(`${this.#left} bytes of this member are missing`);
      return chunk;
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }
}

/** Hands out chunks in pieces of a wanted size. */
class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #chunk: Buffer = Buffer.alloc(0);
  /** Bytes handed out so far. */
  position = 0;

  constructor(chunks: Chunks) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next bytes, at most `limit`, at least one; null: the end. Valid until more is asked for. */
  async some(limit: number): Promise<Buffer | null> {
    while (this.#chunk.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) return null;
      this.#chunk = next.value;
    }
    const piece = this.#chunk.subarray(0, limit);
    this.#chunk = this.#chunk.subarray(piece.length);
    this.position += piece.length;
    return piece;
  }

  /** The next `size` bytes, to keep; null: there are none any more. Throws `Failure` if there are some, but fewer. */
  async take(size: number): Promise<Buffer | null> {
    const taken = Buffer.allocUnsafe(size);
    for (let filled = 0; filled < size; ) {
      const piece = await this.some(size - filled);
      if (piece === null && filled > 0) throw this.cut('within a header');
      if (piece === null) return null;
      filled += piece.copy(taken, filled);
    }
    return taken;
  }

  cut(what: string): Failure {
    return new Failure('input', `the archive is cut off after ${this.position} bytes: ${what}`);
  }
}
