import { Failure } from '../model/failure.ts';
import { type Chunks, peek } from './chunks.ts';
import { gunzip, unzstd } from './decompress.ts';
import { type Content, HEAD_BYTES, sniff } from './sniff.ts';

/** An input with its wrappings off. */
export interface Unpacked {
  /** Tar, or text in UTF-8. */
  readonly content: 'tar' | 'text';
  /** The first bytes of `chunks`: `HEAD_BYTES` of them, or all there are; fewer only of a live stream. */
  readonly head: Buffer;
  readonly chunks: Chunks;
  readonly isCompressed: boolean;
  /** Why there is no more than the head; null: there may be. `chunks` throw it, too. */
  readonly failure: unknown;
}

type Packing = Exclude<Content['kind'], 'tar' | 'text' | 'unreadable'>;

const UNPACK: Readonly<Record<Packing, (chunks: Chunks) => Chunks>> = {
  gzip: gunzip,
  zstd: unzstd,
  'utf-16le': (chunks) => recode(chunks, 'utf-16le'),
  'utf-16be': (chunks) => recode(chunks, 'utf-16be'),
};

const isWholeHead = (head: Buffer): boolean => head.length >= HEAD_BYTES;

/**
 * Takes off what an input is wrapped in, by its content: one compression, then UTF-16. Throws `Failure` for what is binary or of a kind
 * that is not read here. `isEnough` tells when the first bytes suffice, for streams that may pause.
 */
export async function unpack(source: Chunks, isEnough: (head: Buffer) => boolean = isWholeHead): Promise<Unpacked> {
  let { head, chunks, failure } = await peek(source, HEAD_BYTES, isEnough);
  let isCompressed = false;
  for (;;) {
    const content = sniff(head);
    switch (content.kind) {
      case 'tar':
      case 'text':
        return { content: content.kind, head, chunks, isCompressed, failure };
      case 'unreadable':
        throw failure ?? new Failure('input', `it is ${content.what}`, content.hint);
      case 'gzip':
      case 'zstd':
        if (isCompressed) throw new Failure('input', 'it is compressed twice', 'zcat FILE | meshmend');
        isCompressed = true;
    }
    ({ head, chunks, failure } = await peek(UNPACK[content.kind](chunks), HEAD_BYTES, isWholeHead));
  }
}

/** UTF-16 as UTF-8, without the byte order mark; what is no character becomes U+FFFD. */
async function* recode(source: Chunks, encoding: 'utf-16le' | 'utf-16be'): AsyncGenerator<Buffer, void, undefined> {
  const decoder = new TextDecoder(encoding);
  for await (const chunk of source) yield Buffer.from(decoder.decode(chunk, { stream: true }));
  yield Buffer.from(decoder.decode());
}
