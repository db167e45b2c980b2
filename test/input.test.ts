import { closeSync, mkdtempSync, openSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFileLines } from '../src/input/file-lines.ts';
import { MAX_LINE_BYTES, readLines } from '../src/input/lines.ts';
import type { Line } from '../src/model/line.ts';

async function linesOf(chunks: Iterable<Buffer>): Promise<Line[]> {
  const lines: Line[] = [];
  await readLines(
    Readable.from(chunks, { objectMode: false }),
    'test',
    (line) => lines.push(line),
    new AbortController().signal,
  );
  return lines;
}

function chunked(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let start = 0, turn = 0; start < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    chunks.push(bytes.subarray(start, start + size));
    start += size;
  }
  return chunks;
}

describe('reading lines', () => {
  it('chunking does not matter', async () => {
    const text = fc.array(fc.string({ unit: 'grapheme' }).map((line) => line.replace(/[\r\n]/g, '')));
    await fc.assert(
      fc.asyncProperty(text, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), async (wanted, sizes) => {
        const lines = await linesOf(chunked(Buffer.from(wanted.map((line) => `${line}\n`).join('')), sizes));
        expect(lines.map((line) => line.text)).toEqual(wanted);
        expect(lines.map((line) => line.at.line)).toEqual(wanted.map((_, index) => index + 1));
      }),
    );
  });

  it('takes CRLF, a last line without an end, and bytes that are not UTF-8', async () => {
    const lines = await linesOf([Buffer.from('one\r\ntwo\n'), Buffer.from([0x74, 0xff, 0x68])]);
    expect(lines.map((line) => line.text)).toEqual(['one', 'two', 't\ufffdh']);
  });

  it('an empty input has no lines', async () => {
    expect(await linesOf([])).toEqual([]);
  });

  it('cuts a line of the limit or more, and only that one', async () => {
    const long = Buffer.alloc(5 * MAX_LINE_BYTES, 'x');
    const lines = await linesOf(
      chunked(Buffer.concat([Buffer.from('before\n'), long, Buffer.from('\nafter\n')]), [65536]),
    );
    expect(lines.map((line) => [line.at.line, line.truncated])).toEqual([
      [1, false],
      [2, true],
      [3, false],
    ]);
    expect(lines[1]?.text.length).toBe(MAX_LINE_BYTES);
    expect(lines[2]?.text).toBe('after');
  });

  it('a line just below the limit is whole', async () => {
    const [line] = await linesOf(chunked(Buffer.alloc(MAX_LINE_BYTES - 1, 'x'), [100_000]));
    expect([line?.truncated, line?.text.length]).toEqual([false, MAX_LINE_BYTES - 1]);
  });

  it('stops when told to', async () => {
    const stop = new AbortController();
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.from('line\n');
      })(),
      { objectMode: false },
    );
    const seen: Line[] = [];
    const outcome = await readLines(
      endless,
      'test',
      (line) => {
        seen.push(line);
        if (seen.length === 100) stop.abort();
      },
      stop.signal,
    );
    expect(outcome).toBe('aborted');
    expect(seen.length).toBeGreaterThanOrEqual(100);
  });
});

describe('reading lines of a file', () => {
  const path = join(mkdtempSync(join(tmpdir(), 'meshmend-')), 'input.log');

  async function fileLinesOf(bytes: Buffer): Promise<Line[]> {
    writeFileSync(path, bytes);
    const file = openSync(path, 'r');
    const lines: Line[] = [];
    const sink = {
      feedBytes: (input: string, line: number, buffer: Buffer, start: number, end: number) =>
        lines.push({ at: { input, line }, text: buffer.toString('utf8', start, end), truncated: false }),
      feed: (line: Line) => lines.push(line),
    };
    await readFileLines(file, 'test', sink, new AbortController().signal);
    closeSync(file);
    return lines;
  }

  it('gives the lines that the stream gives', async () => {
    const piece = fc.oneof(fc.constantFrom('\n', '\r\n', '\r', '', 'text', 'é', '😀'), fc.string({ unit: 'binary' }));
    await fc.assert(
      fc.asyncProperty(fc.array(piece), async (pieces) => {
        const bytes = Buffer.from(pieces.join(''));
        expect(await fileLinesOf(bytes)).toEqual(await linesOf([bytes]));
      }),
    );
  });

  it.each([-2, -1, 0, 1, MAX_LINE_BYTES - 1, MAX_LINE_BYTES, 4 * MAX_LINE_BYTES + 17])(
    'gives the lines that the stream gives around a line of the limit and %i bytes',
    async (more) => {
      const long = Buffer.alloc(MAX_LINE_BYTES + more, 'x');
      const bytes = Buffer.concat([Buffer.from('a\n'), long, Buffer.from('\nb\n'), long]);
      const shape = (lines: Line[]): unknown =>
        lines.map(({ at, text, truncated }) => [at.line, text.length, truncated]);
      expect(shape(await fileLinesOf(bytes))).toEqual(shape(await linesOf(chunked(bytes, [65_536]))));
    },
  );
});
