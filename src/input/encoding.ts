import { Failure } from '../model/failure.ts';

/** How files begin that are no plain text, what they are, and how to read them. */
const ENCODINGS: readonly { readonly magic: readonly number[]; readonly what: string; readonly hint: string }[] = [
  { magic: [0x1f, 0x8b], what: 'compressed with gzip', hint: 'zcat FILE | meshmend' },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], what: 'compressed with zstd', hint: 'zstdcat FILE | meshmend' },
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], what: 'compressed with xz', hint: 'xzcat FILE | meshmend' },
  { magic: [0x42, 0x5a, 0x68], what: 'compressed with bzip2', hint: 'bzcat FILE | meshmend' },
  { magic: [0x50, 0x4b, 0x03, 0x04], what: 'a zip archive', hint: 'unzip -p FILE | meshmend' },
  { magic: [0xff, 0xfe], what: 'UTF-16 text', hint: 'iconv -f UTF-16 -t UTF-8 FILE | meshmend' },
  { magic: [0xfe, 0xff], what: 'UTF-16 text', hint: 'iconv -f UTF-16 -t UTF-8 FILE | meshmend' },
];

/** Why an input cannot be read, with the command to use, if its first bytes say that it is compressed or no UTF-8; or null. */
export function refusalOf(input: string, head: Uint8Array): Failure | null {
  const found = ENCODINGS.find(({ magic }) => magic.every((byte, index) => head[index] === byte));
  return found === undefined ? null : new Failure('input', `${input} is ${found.what}`, found.hint);
}
