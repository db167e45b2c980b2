import { isTarHeader, TAR_BLOCK_BYTES } from './tar-header.ts';
import { isSkippable } from './zstd-frames.ts';

/** What an input is by its first bytes, whatever its name says. */
export type Content =
  | { readonly kind: 'text' | 'gzip' | 'zstd' | 'tar' | 'utf-16le' | 'utf-16be' }
  /** Nothing that can be read here: what it is, and the command that makes text of it. */
  | { readonly kind: 'unreadable'; readonly what: string; readonly hint: string | null };

/** So many first bytes tell what an input is. */
export const HEAD_BYTES: number = 16 * 1024;

const NEWLINE = 10;

/**
 * Where more than this share of the first bytes are NUL, they are no text. The first ones do not count: a log that was cut off to
 * nothing while a program wrote to it begins with a hole.
 */
const BINARY_SHARE = 0.1;
const MIN_NULS = 64;

const MAGIC: readonly { readonly bytes: readonly number[]; readonly content: Content }[] = [
  { bytes: [0x1f, 0x8b], content: { kind: 'gzip' } },
  { bytes: [0x28, 0xb5, 0x2f, 0xfd], content: { kind: 'zstd' } },
  { bytes: [0xff, 0xfe], content: { kind: 'utf-16le' } },
  { bytes: [0xfe, 0xff], content: { kind: 'utf-16be' } },
  { bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a], content: unreadable('compressed with xz', 'xzcat FILE | meshmend') },
  { bytes: [0x42, 0x5a, 0x68], content: unreadable('compressed with bzip2', 'bzcat FILE | meshmend') },
  { bytes: [0x04, 0x22, 0x4d, 0x18], content: unreadable('compressed with lz4', 'lz4cat FILE | meshmend') },
  { bytes: [0x50, 0x4b, 0x03, 0x04], content: unreadable('a zip archive', 'unzip -p FILE | meshmend') },
];

function unreadable(what: string, hint: string | null): Content {
  return { kind: 'unreadable', what, hint };
}

/** What begins with these bytes. `head` should hold `HEAD_BYTES`, or all there is. */
export function sniff(head: Buffer): Content {
  const known = MAGIC.find(({ bytes }) => bytes.every((byte, index) => head[index] === byte));
  if (known !== undefined) return known.content;
  if (head.length >= 4 && isSkippable(head.readUInt32LE())) return { kind: 'zstd' };
  if (isTarHeader(head)) return { kind: 'tar' };
  return isBinary(head) ? unreadable('binary, not a log', null) : { kind: 'text' };
}

/** Whether more bytes of a live stream must be waited for: not once a line is complete, for the next may be long in coming. */
export function isEnoughOfStream(head: Buffer): boolean {
  return head.length >= HEAD_BYTES || (head.includes(NEWLINE) && !mayBeTar(head));
}

/** A header of tar is full of NULs, and is not told from its first bytes alone. */
function mayBeTar(head: Buffer): boolean {
  return head.length < TAR_BLOCK_BYTES && head.includes(0);
}

function isBinary(head: Buffer): boolean {
  let start = 0;
  while (head[start] === 0) start++;
  let nuls = 0;
  for (let at = start; at < head.length; at++) if (head[at] === 0) nuls++;
  return nuls >= MIN_NULS && nuls > (head.length - start) * BINARY_SHARE;
}
