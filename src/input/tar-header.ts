/** The unit of a tar archive: headers are one, contents are padded to whole ones (POSIX.1-2017 pax, "ustar Interchange Format"). */
export const TAR_BLOCK_BYTES = 512;

/** One header of an archive. `name` is untrusted and only a label. */
export interface TarHeader {
  readonly name: string;
  /** The letter of the kind: `0` a file, `5` a folder, `x` attributes of the next member, … */
  readonly type: string;
  /** Bytes of content that follow. */
  readonly size: number;
}

const CHECKSUM = { start: 148, end: 156 };

/** True if these bytes begin with a header of tar, of any dialect: the checksum in it is right. */
export function isTarHeader(head: Buffer): boolean {
  return head.length >= TAR_BLOCK_BYTES && parseTarHeader(head.subarray(0, TAR_BLOCK_BYTES)) !== null;
}

/** One block as a header; null: it is none, or damaged. */
export function parseTarHeader(block: Buffer): TarHeader | null {
  const size = numberIn(block, 124, 136);
  const checksum = numberIn(block, CHECKSUM.start, CHECKSUM.end);
  if (size === null || checksum === null || !sumsOf(block).includes(checksum)) return null;
  const name = textIn(block, 0, 100);
  // The dialect of GNU has `ustar  ` and times where POSIX has the first part of a long name.
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? textIn(block, 345, 500) : '';
  const letter = String.fromCharCode(block[156] ?? 0);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    type: letter === '\0' || letter === '7' ? '0' : letter,
    size,
  };
}

/** The records `LENGTH KEY=VALUE\n` of an extended header that say something of the next member; untrusted. */
export function parsePax(bytes: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let start = 0; start < bytes.length; ) {
    const blank = bytes.indexOf(' ', start);
    const length = Number(bytes.toString('latin1', start, Math.max(start, blank)));
    if (blank < 0 || !Number.isInteger(length) || length <= blank - start + 1) break;
    const record = bytes.toString('utf8', blank + 1, start + length - 1);
    const equals = record.indexOf('=');
    if (equals > 0) records.set(record.slice(0, equals), record.slice(equals + 1));
    start += length;
  }
  return records;
}

/** Text up to the first NUL. */
export function textIn(bytes: Buffer, start: number, end: number): string {
  const nul = bytes.indexOf(0, start);
  return bytes.toString('utf8', start, nul < 0 ? end : Math.min(nul, end));
}

/** The sum over a block with blanks for its checksum; ancient programs took bytes for signed. */
function sumsOf(block: Buffer): readonly number[] {
  let [unsigned, signed] = [0, 0];
  for (const [index, byte] of block.entries()) {
    const counted = index >= CHECKSUM.start && index < CHECKSUM.end ? 0x20 : byte;
    unsigned += counted;
    signed += counted > 127 ? counted - 256 : counted;
  }
  return [unsigned, signed];
}

/** Octal digits, or, for what they cannot hold, a binary number behind a set highest bit (GNU). Null: neither. */
function numberIn(block: Buffer, start: number, end: number): number | null {
  const first = block[start] ?? 0;
  if (first === 0x80) {
    const value = block.subarray(start + 1, end).reduce((sum, byte) => sum * 256 + byte, 0);
    return Number.isSafeInteger(value) ? value : null;
  }
  const digits = textIn(block, start, end).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : null;
}
