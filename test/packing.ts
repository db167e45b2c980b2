import { gzipSync } from 'node:zlib';

/** A member of an archive made for a test; `type` as in the header of tar. */
export interface Packed {
  readonly name: string;
  readonly bytes: Buffer;
  readonly type?: string;
}

const BLOCK = 512;

/** A header of POSIX ustar. */
function header({ name, bytes, type = '0' }: Packed): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 100);
  block.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
  block.write(`        ${type}`, 148);
  block.write('ustar\u000000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** One member with its padding. */
export function memberOf(member: Packed): Buffer {
  return Buffer.concat([header(member), member.bytes, Buffer.alloc((BLOCK - (member.bytes.length % BLOCK)) % BLOCK)]);
}

/** A tar archive. */
export function tarOf(members: readonly Packed[]): Buffer {
  return Buffer.concat([...members.map(memberOf), Buffer.alloc(2 * BLOCK)]);
}

/** gzip in as many members as there are pieces of this size. */
export function gzipInMembers(bytes: Buffer, size: number): Buffer {
  const members: Buffer[] = [];
  for (let start = 0; start < bytes.length || start === 0; start += size) {
    members.push(gzipSync(bytes.subarray(start, start + size)));
  }
  return Buffer.concat(members);
}

/** A frame of zstd whose blocks are stored as they are (RFC 8878 section 3.1.1.2.2). */
export function zstdOf(bytes: Buffer, size: number): Buffer {
  const blocks: Buffer[] = [];
  for (let start = 0; start < bytes.length || start === 0; start += size) {
    const block = bytes.subarray(start, start + size);
    const isLast = start + size >= bytes.length ? 1 : 0;
    blocks.push(uint24((block.length << 3) | isLast), block);
  }
  return Buffer.concat([ZSTD_HEADER, ...blocks]);
}

/** A frame of zstd that stands for one byte again and again: four bytes for each 128 KiB. */
export function zstdBomb(blocks: number): Buffer {
  const block = (isLast: 0 | 1): Buffer => Buffer.concat([uint24((131_072 << 3) | 2 | isLast), Buffer.from('x')]);
  return Buffer.concat([ZSTD_HEADER, ...Array<Buffer>(blocks - 1).fill(block(0)), block(1)]);
}

/** The header of a frame with a window of 1 MiB, without a checksum. */
const ZSTD_HEADER = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x50]);

function uint24(value: number): Buffer {
  return Buffer.from([value & 255, (value >> 8) & 255, value >> 16]);
}
