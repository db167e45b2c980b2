import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineCutter, MAX_LINE_BYTES } from '../src/input/line-cutter.ts';
import { readLines } from '../src/input/lines.ts';
import { type LogSink, readInput } from '../src/input/read.ts';
import { type Line, UNKNOWN_ORIGIN } from '../src/model/line.ts';
import { readLogPath } from '../src/text/log-path.ts';

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

/** Everything comes as lines again. */
function sinkOf(lines: Line[]): LogSink {
  return {
    feedBytes: (input, line, bytes, start, end) =>
      lines.push({ at: { input, line }, text: bytes.toString('utf8', start, end), truncated: false }),
    feed: (line) => lines.push(line),
    end: () => undefined,
    addProblem: () => undefined,
  };
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

describe('cutting bytes into lines', () => {
  function cutLinesOf(chunks: readonly Buffer[]): Line[] {
    const lines: Line[] = [];
    const cutter = new LineCutter('test', sinkOf(lines));
    for (const chunk of chunks) {
      // Whoever reads uses a chunk again for the next one.
      const copy = Buffer.from(chunk);
      cutter.take(copy);
      copy.fill('!');
    }
    cutter.end();
    expect(cutter.lines).toBe(lines.length);
    return lines;
  }

  it('gives the lines that the stream gives, however they are chunked', async () => {
    const piece = fc.oneof(fc.constantFrom('\n', '\r\n', '\r', '', 'text', 'é', '😀'), fc.string({ unit: 'binary' }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        async (pieces, sizes) => {
          const bytes = Buffer.from(pieces.join(''));
          expect(cutLinesOf(chunked(bytes, sizes))).toEqual(await linesOf([bytes]));
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each([-2, -1, 0, 1, MAX_LINE_BYTES - 1, MAX_LINE_BYTES, 4 * MAX_LINE_BYTES + 17])(
    'gives the lines that the stream gives around a line of the limit and %i bytes',
    async (more) => {
      const long = Buffer.alloc(MAX_LINE_BYTES + more, 'x');
      const bytes = Buffer.concat([Buffer.from('a\n'), long, Buffer.from('\nb\n'), long]);
      const shape = (lines: Line[]): unknown =>
        lines.map(({ at, text, truncated }) => [at.line, text.length, truncated]);
      const wanted = shape(await linesOf(chunked(bytes, [65_536])));
      for (const sizes of [[65_536], [1_048_576], [bytes.length]]) {
        expect(shape(cutLinesOf(chunked(bytes, sizes)))).toEqual(wanted);
      }
    },
  );
});

describe('reading a file', () => {
  const path = join(mkdtempSync(join(tmpdir(), 'meshmend-')), 'input.log');

  async function fileLinesOf(bytes: Buffer): Promise<string[]> {
    writeFileSync(path, bytes);
    const lines: Line[] = [];
    await readInput(path, sinkOf(lines), new AbortController().signal);
    return lines.map(({ text }) => text);
  }

  it('takes UTF-16 with its mark, either way round, and characters that run over chunks', async () => {
    const text = `2026-01-02T03:04:05Z grüße 😀\r\nzwei\n${'x'.repeat(600_000)}ü\n`;
    const little = Buffer.from(`\ufeff${text}`, 'utf16le');
    const wanted = text.trimEnd().split(/\r?\n/);
    expect(await fileLinesOf(little)).toEqual(wanted);
    expect(await fileLinesOf(Buffer.from(little).swap16())).toEqual(wanted);
  });

  it('takes Latin-1 for what it is not, and goes on', async () => {
    expect(await fileLinesOf(Buffer.from('gr\u00fc\u00dfe\nzwei\n', 'latin1'))).toEqual(['gr\ufffd\ufffde', 'zwei']);
  });

  it('refuses what is binary, but not a log that begins with the hole of what was cut off', async () => {
    const noise = Buffer.from([...Array(4096).keys()].map((byte) => (byte % 3 === 0 ? 0 : byte & 255)));
    await expect(fileLinesOf(noise)).rejects.toThrow('it is binary');
    const holed = Buffer.concat([Buffer.alloc(40_000), Buffer.from('\n2026-01-02T03:04:05Z one\n')]);
    expect((await fileLinesOf(holed)).at(-1)).toBe('2026-01-02T03:04:05Z one');
  });
});

describe('who wrote a log, by its path', () => {
  const id = '0123456789abcdef'.repeat(4);
  it.each([
    [
      'bug-report.tgz!bug-report/proxies/shop/web-6d4cf56db6-x2k8p/istio-proxy.log',
      'shop',
      'web-6d4cf56db6-x2k8p',
      'istio-proxy',
    ],
    ['./bug-report/istio/istio-system/istiod-1-20-5d8b/discovery.log', 'istio-system', 'istiod-1-20-5d8b', 'discovery'],
    [
      'must-gather/q/namespaces/shop/pods/web-0/istio-proxy/istio-proxy/logs/current.log',
      'shop',
      'web-0',
      'istio-proxy',
    ],
    ['m.tar!x/namespaces/shop/pods/web-0/app/app/logs/rotated/0.log.20260102-030405.gz', 'shop', 'web-0', 'app'],
    ['/var/log/pods/shop_web-0_0b2f9c1e-8a54-4d3a-9a60-1c1f00aa77bb/istio-proxy/0.log', 'shop', 'web-0', 'istio-proxy'],
    [`/var/log/containers/web-0_shop_istio-proxy-${id}.log`, 'shop', 'web-0', 'istio-proxy'],
    ['logs/web-6d4cf56db6-x2k8p.log', null, 'web-6d4cf56db6-x2k8p', null],
    ['logs/ztunnel-4wq7x.txt', null, 'ztunnel-4wq7x', null],
    ['C:\\logs\\web-6d4cf56db6-x2k8p.log', null, 'web-6d4cf56db6-x2k8p', null],
    ['/home/me/istio/logs/today/all.log', null, null, null],
    ['ztunnel-worker-a.log', null, null, null],
    ['web-0.log', null, null, null],
    ['a.tgz!proxies/../etc/passwd', null, null, null],
    ['stdin', null, null, null],
    ['x'.repeat(100_000), null, null, null],
  ])('%s', (path, namespace, pod, container) => {
    expect(readLogPath(path)).toEqual({ ...UNKNOWN_ORIGIN, namespace, pod, container });
  });
});
