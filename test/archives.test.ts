import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partKind } from '../src/input/part-kind.ts';
import { expandPatterns } from '../src/input/patterns.ts';
import { type LogSink, readInput } from '../src/input/read.ts';
import { readMeshAndArchives } from '../src/mesh/read.ts';
import { Failure } from '../src/model/failure.ts';
import { gzipInMembers, memberOf, type Packed, tarOf, zstdBomb, zstdOf } from './packing.ts';

const folder = mkdtempSync(join(tmpdir(), 'meshmend-archives-'));
const LOG = 'fixtures/demo/ztunnel-worker-a.log';
const POLICY = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n';

/** What came of an input: lines by input, what was told, and why nothing could be read. */
interface Outcome {
  readonly lines: Readonly<Record<string, readonly string[]>>;
  readonly problems: readonly string[];
  readonly failure: string | null;
}

async function read(path: string, signal: AbortSignal = new AbortController().signal): Promise<Outcome> {
  const lines: Record<string, string[]> = {};
  const problems: string[] = [];
  const add = (input: string, line: number, text: string): void => {
    const known = lines[input] ?? [];
    lines[input] = known;
    known.push(text);
    expect(line).toBe(known.length);
  };
  const sink: LogSink = {
    feedBytes: (input, line, bytes, start, end) => add(input, line, bytes.toString('latin1', start, end)),
    feed: ({ at, text }) => add(at.input, at.line, text),
    end: (input) => {
      lines[input] ??= [];
    },
    addProblem: ({ about, message }) => problems.push(`${about}: ${message}`),
  };
  try {
    await readInput(path, sink, signal);
    return { lines, problems, failure: null };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { lines, problems, failure: error.message };
  }
}

function write(name: string, bytes: Buffer | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

async function readBytes(bytes: Buffer): Promise<Outcome> {
  return read(write('input', bytes));
}

/** The lines of a text as it stands; bytes are letters. */
function linesOf(bytes: Buffer): string[] {
  const lines = bytes.toString('latin1').split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => line.replace(/\r$/, ''));
}

function log(name: string, bytes: Buffer | string): Packed {
  return { name, bytes: Buffer.from(bytes) };
}

/** A log that begins like one, so that nothing takes it for something else. */
const content = fc
  .array(fc.oneof(fc.string({ maxLength: 60 }), fc.constantFrom('', '\r', 'é', 'error="http status: 401"')), {
    maxLength: 60,
  })
  .map((lines) => Buffer.from(['2026-01-02T03:04:05.000000Z info', ...lines].join('\n')));

describe('compressed logs', () => {
  it('are the lines of what was compressed, in any number of members and blocks', async () => {
    await fc.assert(
      fc.asyncProperty(content, fc.integer({ min: 1, max: 400 }), async (bytes, size) => {
        const lines = linesOf(bytes);
        for (const packed of [gzipSync(bytes), gzipInMembers(bytes, size), zstdOf(bytes, size)]) {
          const outcome = await readBytes(packed);
          expect(outcome.failure).toBeNull();
          expect(Object.values(outcome.lines)).toEqual([lines]);
          expect(outcome.problems).toEqual([]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('cut off anywhere, give what came before, and the cut is told', async () => {
    await fc.assert(
      fc.asyncProperty(content, fc.nat(), fc.integer({ min: 1, max: 400 }), async (bytes, at, size) => {
        const packed = gzipInMembers(bytes, size);
        const cut = packed.subarray(0, 3 + (at % (packed.length - 3)));
        const before = gunzipSync(cut, { finishFlush: constants.Z_SYNC_FLUSH });
        const { lines, problems, failure } = await readBytes(cut);
        expect(Object.values(lines).flat()).toEqual(linesOf(before));
        // A cut between two members cannot be told from the end.
        const isWhole = bytes.subarray(0, before.length).equals(before) && wholeGzip(cut);
        expect(problems.length + (failure === null ? 0 : 1)).toBe(isWhole ? 0 : 1);
      }),
      { numRuns: 60 },
    );
  });

  it('cut off within a block of zstd, give the blocks before it', async () => {
    const bytes = Buffer.from('2026-01-02T03:04:05Z one\ntwo\nthree\n');
    const packed = zstdOf(bytes, 10);
    for (let length = 5; length < packed.length; length++) {
      const { lines, problems, failure } = await readBytes(packed.subarray(0, length));
      const whole = Math.min(3, Math.floor(Math.max(0, length - 6) / 13)) * 10;
      expect(Object.values(lines).flat()).toEqual(linesOf(bytes.subarray(0, whole)));
      expect([...problems, failure ?? ''].join()).toContain('cut off');
    }
  });

  it.each(['gzip', 'zstd'] as const)(
    '%s that is damaged is used up to there, or taken for what it says',
    async (kind) => {
      const bytes = readFileSync(LOG);
      const packed = kind === 'gzip' ? gzipSync(bytes) : zstdOf(bytes, 5000);
      await fc.assert(
        fc.asyncProperty(fc.nat(packed.length - 20), fc.integer({ min: 1, max: 255 }), async (at, change) => {
          const damaged = Buffer.from(packed);
          damaged[at + 12] = (damaged[at + 12] ?? 0) ^ change;
          const { lines, problems, failure } = await readBytes(damaged);
          if (kind === 'gzip') expect(problems.length + (failure === null ? 0 : 1)).toBeGreaterThan(0);
          expect(Object.values(lines).flat().length).toBeLessThan(10_000);
        }),
        { numRuns: 40 },
      );
    },
  );

  it('a fault costs nothing of what came before', async () => {
    const bytes = readFileSync(LOG);
    const damaged = gzipSync(bytes);
    damaged.writeUInt32LE(0, damaged.length - 8);
    const { lines, problems } = await readBytes(damaged);
    expect(Object.values(lines)).toEqual([linesOf(bytes)]);
    expect(problems.join()).toContain('damaged');
  });

  it('NULs behind gzip are padding; anything else behind it, or behind zstd, is told', async () => {
    const bytes = gzipSync('2026-01-02T03:04:05Z one\n');
    for (const padding of [1, 511, 100_000]) {
      expect((await readBytes(Buffer.concat([bytes, Buffer.alloc(padding)]))).problems).toEqual([]);
    }
    for (const packed of [bytes, zstdOf(Buffer.from('2026-01-02T03:04:05Z one\n'), 10)]) {
      const { lines, problems } = await readBytes(Buffer.concat([packed, Buffer.from('garbage')]));
      expect(Object.values(lines)).toEqual([['2026-01-02T03:04:05Z one']]);
      expect(problems).toHaveLength(1);
    }
  });

  it('a log twice compressed is refused, and so are other compressions, with what to do', async () => {
    expect((await readBytes(gzipSync(gzipSync('x')))).failure).toBe('it is compressed twice');
    expect((await readBytes(Buffer.from('BZh91AY'))).failure).toContain('bzip2');
    expect((await readBytes(Buffer.from('PK\u0003\u0004'))).failure).toContain('zip archive');
  });

  it.each([
    ['gzip', () => gzipSync(Buffer.alloc(300_000_000))],
    ['zstd', () => zstdBomb(1_000_000)],
  ])('a bomb of %s is given up', async (_kind, bomb) => {
    const { problems, failure } = await readBytes(bomb());
    expect([...problems, failure ?? ''].join()).toContain('bomb');
  });

  it.each([
    ['2 GiB of memory', [0, 0xa8]],
    ['2 GiB of memory for one segment', [0xa0, 0, 0, 0, 0x80]],
  ])('a frame of zstd that asks for %s is refused, behind the one before it', async (_what, header) => {
    const sound = zstdOf(Buffer.from('2026-01-02T03:04:05Z one\n'), 10);
    const greedy = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, ...header, ...Array<number>(100).fill(0)]);
    const { lines, problems } = await readBytes(Buffer.concat([sound, greedy]));
    expect(Object.values(lines)).toEqual([['2026-01-02T03:04:05Z one']]);
    expect(problems.join()).toContain('needs a window');
  });

  it('a frame of zstd with endless tiny blocks is given up', async () => {
    const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x78]);
    const { failure, problems } = await readBytes(
      Buffer.concat([head, Buffer.alloc(3_000_000, Buffer.from([10, 0, 0, 10]))]),
    );
    expect([...problems, failure].join()).toContain('bomb');
  });

  it.skipIf(spawnSync('zstd', ['--version']).status !== 0)('reads what zstd itself makes', async () => {
    const bytes = readFileSync(LOG);
    for (const options of [['-1'], ['-19', '--check'], ['--no-check'], ['--long=24']]) {
      const { stdout } = spawnSync('zstd', ['-c', ...options, LOG]);
      const outcome = await readBytes(Buffer.concat([stdout, stdout]));
      expect([Object.values(outcome.lines).flat(), outcome.problems]).toEqual([
        linesOf(Buffer.concat([bytes, bytes])),
        [],
      ]);
    }
  });
});

function wholeGzip(bytes: Buffer): boolean {
  try {
    gunzipSync(bytes);
    return true;
  } catch {
    return false;
  }
}

describe('archives', () => {
  const members = fc
    .array(fc.tuple(fc.stringMatching(/^[a-z]{1,8}$/), content), { minLength: 1, maxLength: 4 })
    .map((list) => list.map(([name, bytes], index) => log(`bug-report/${name}-${index}.log`, bytes)));

  it('give every log in them its own input, whatever they are compressed with', async () => {
    await fc.assert(
      fc.asyncProperty(members, async (list) => {
        const tar = tarOf(
          list.map(({ name, bytes }, index) =>
            index % 2 === 0 ? { name, bytes } : { name: `${name}.gz`, bytes: gzipSync(bytes) },
          ),
        );
        for (const packed of [tar, gzipSync(tar), zstdOf(tar, 1000)]) {
          const { lines, problems, failure } = await readBytes(packed);
          expect([Object.values(lines), problems, failure]).toEqual([
            list.map(({ bytes }) => linesOf(bytes)),
            [],
            null,
          ]);
          expect(Object.keys(lines)[0]).toBe(`${join(folder, 'input')}!${list[0]?.name}`);
        }
      }),
      { numRuns: 40 },
    );
  });

  /** The lines of the logs of which so much of the archive is there, and where its end mark begins. */
  function linesBefore(before: Buffer, list: readonly Packed[]): { readonly lines: string[]; readonly end: number } {
    let end = 0;
    const lines = list.flatMap(({ bytes }) => {
      const start = end + 512;
      end += memberOf({ name: '', bytes }).length;
      return linesOf(before.subarray(start, start + bytes.length));
    });
    return { lines, end };
  }

  it('cut off anywhere, give what came before, and the cut is told once', async () => {
    await fc.assert(
      fc.asyncProperty(members, fc.nat(), async (list, at) => {
        const tar = tarOf(list);
        const cut = tar.subarray(0, 512 + (at % (tar.length - 512)));
        const { lines, problems, failure } = await readBytes(cut);
        const wanted = linesBefore(cut, list);
        expect(Object.values(lines).flat()).toEqual(wanted.lines);
        const told = problems.filter((problem) => problem.includes('cut off'));
        const isMarked = cut.length >= wanted.end + 512 && cut.length % 512 === 0;
        expect(told).toHaveLength(isMarked ? 0 : 1);
        expect(failure === null).toBe(Object.keys(lines).length > 0);
      }),
      { numRuns: 80 },
    );
  });

  it('compressed and cut off anywhere, the same', async () => {
    await fc.assert(
      fc.asyncProperty(members, fc.nat(), async (list, at) => {
        const packed = gzipSync(tarOf(list));
        const cut = packed.subarray(0, 20 + (at % (packed.length - 20)));
        const { lines, problems, failure } = await readBytes(cut);
        const before = gunzipSync(cut, { finishFlush: constants.Z_SYNC_FLUSH });
        // Without a whole header nothing tells that it is an archive.
        const wanted = before.length < 512 ? linesOf(before) : linesBefore(before, list).lines;
        expect(Object.values(lines).flat()).toEqual(failure === null ? wanted : []);
        expect([...problems, failure].join()).toContain('cut off');
        expect(problems.length + (failure === null ? 0 : 1)).toBeGreaterThan(0);
      }),
      { numRuns: 60 },
    );
  });

  it('of random bytes and damaged blocks do no harm', async () => {
    const tar = tarOf([log('a.log', '2026-01-02T03:04:05Z one\n'), log('b.log', '2026-01-02T03:04:05Z two\n')]);
    const damaged = fc.tuple(fc.nat(tar.length - 1), fc.nat(255)).map(([at, byte]) => {
      const bytes = Buffer.from(tar);
      bytes[at] = byte;
      return bytes;
    });
    const random = fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes));
    const magic = fc.constantFrom([0x1f, 0x8b, 8, 0], [0x28, 0xb5, 0x2f, 0xfd], [0xff, 0xfe], [0x50, 0x2a, 0x4d, 0x18]);
    const disguised = fc.tuple(magic, random).map(([head, bytes]) => Buffer.concat([Buffer.from(head), bytes]));
    await fc.assert(
      fc.asyncProperty(fc.oneof(damaged, random, disguised), async (bytes) => {
        const { lines } = await readBytes(bytes);
        expect(Object.values(lines).flat().length).toBeLessThan(10_000);
      }),
      { numRuns: 400 },
    );
  });

  it('write nothing and follow nothing: paths are labels, links and devices are left out and told', async () => {
    const { lines, problems } = await readBytes(
      tarOf([
        log('../../etc/evil.log', 'one\n'),
        log('/absolute.log', 'two\n'),
        { ...log('link.log', ''), type: '2' },
        { ...log('hard.log', ''), type: '1' },
        { ...log('null', ''), type: '3' },
        log('.hidden/x.log', 'three\n'),
        log('bomb\u001b[2J.log', 'four\n'),
        log('inner.tar', tarOf([log('a.log', 'five\n')])),
        log('core', Buffer.from([...Array(300).keys()].map((byte) => (byte % 2) * byte))),
      ]),
    );
    const archive = join(folder, 'input');
    expect(Object.entries(lines)).toEqual([
      [`${archive}!etc/evil.log`, ['one']],
      [`${archive}!absolute.log`, ['two']],
      [`${archive}!bomb\\u{1b}[2J.log`, ['four']],
    ]);
    expect(problems).toHaveLength(1);
    for (const part of [
      '2 × a link',
      '1 × a device',
      '1 × hidden',
      '1 × an archive in an archive',
      '1 × it is binary',
    ]) {
      expect(problems[0]).toContain(part);
    }
  });

  it('may hold a path twice', async () => {
    const { lines } = await readBytes(tarOf([log('a.log', 'one\n'), log('a.log', 'two\n')]));
    expect(Object.keys(lines).map((name) => name.split('!')[1])).toEqual(['a.log', 'a.log (2)']);
  });

  it.skipIf(spawnSync('tar', ['--version']).status !== 0)('of all dialects of tar are read', async () => {
    const root = join(folder, 'dialects');
    const long = `${'long-folder-name/'.repeat(8)}${'x'.repeat(90)}.log`;
    mkdirSync(join(root, long, '..'), { recursive: true });
    writeFileSync(join(root, long), 'one\n');
    writeFileSync(join(root, 'größe.log'), 'two\n');
    writeFileSync(join(root, 'holes.log'), 'x');
    truncateSync(join(root, 'holes.log'), 1_000_000);
    for (const format of ['gnu', 'pax', 'ustar', 'v7', 'oldgnu']) {
      const options = [format === 'v7' ? '--exclude=long-folder-name' : '', /gnu|pax/.test(format) ? '-S' : ''];
      const { stdout } = spawnSync(
        'tar',
        ['-c', `--format=${format}`, ...options.filter((option) => option !== ''), '-C', root, '.'],
        {
          maxBuffer: 1 << 26,
        },
      );
      const { lines, problems } = await readBytes(stdout);
      const found = Object.entries(lines).map(([name, text]) => [name.split('!')[1], text[0]]);
      expect(found, format).toContainEqual(['größe.log', 'two']);
      if (format !== 'v7') expect(found, format).toContainEqual([long, 'one']);
      if (!options.includes('-S')) continue;
      const sparse = problems.join().includes('sparse file') || found.some(([name]) => name === 'holes.log');
      expect(sparse, format).toBe(true);
    }
  });

  it('without any log in them cannot be read', async () => {
    expect((await readBytes(tarOf([log('policy.yaml', POLICY)]))).failure).toBe('no log in it could be read');
  });

  it('are read no further once they are interrupted', async () => {
    const stop = new AbortController();
    stop.abort();
    const path = write('stopped.tar', tarOf([log('a.log', 'one\n')]));
    expect(await read(path, stop.signal)).toMatchObject({ lines: {}, failure: null });
  });
});

describe('folders and patterns', () => {
  const root = join(folder, 'logs');
  mkdirSync(join(root, 'deep', '.hidden'), { recursive: true });
  writeFileSync(join(root, 'b.log'), 'b\n');
  writeFileSync(join(root, 'deep', 'a.log.1.gz'), gzipSync('a\n'));
  writeFileSync(join(root, 'deep', '.hidden', 'c.log'), 'c\n');
  writeFileSync(join(root, 'deep', 'd.tgz'), gzipSync(tarOf([log('d.log', 'd\n')])));
  writeFileSync(join(root, 'policy.yaml'), POLICY);

  it('a folder is read in order of names, with the archives in it and without what is hidden', async () => {
    const { lines, problems } = await read(root);
    expect(Object.entries(lines).map(([name, text]) => [name.slice(root.length), text])).toEqual([
      ['/b.log', ['b']],
      ['/deep/a.log.1.gz', ['a']],
      ['/deep/d.tgz!d.log', ['d']],
    ]);
    expect(problems).toEqual([]);
  });

  it('what vanishes is told, the rest is read', async () => {
    const path = join(folder, 'vanishing');
    mkdirSync(path);
    symlinkSync(join(path, 'gone'), join(path, 'dangling.log'));
    writeFileSync(join(path, 'a.log'), 'a\n');
    writeFileSync(join(path, 'z.log'), 'z\n');
    const sinkLines: string[] = [];
    const problems: string[] = [];
    const sink: LogSink = {
      feedBytes: (_input, _line, bytes, start, end) => {
        sinkLines.push(bytes.toString('utf8', start, end));
        rmSync(join(path, 'z.log'), { force: true });
      },
      feed: () => undefined,
      end: () => undefined,
      addProblem: ({ about, message }) => problems.push(`${about}: ${message}`),
    };
    await readInput(path, sink, new AbortController().signal);
    expect(sinkLines).toEqual(['a']);
    expect(problems).toEqual([`input ${join(path, 'z.log')}: cannot read ${join(path, 'z.log')}: no such file`]);
  });

  it('a file that is cut off while it is read is told', async () => {
    const path = write('shrinking.log', Buffer.alloc(5_000_000, 'line\n'));
    const problems: string[] = [];
    let lines = 0;
    const sink: LogSink = {
      feedBytes: () => {
        if (lines++ === 0) truncateSync(path, 1_000);
      },
      feed: () => undefined,
      end: () => undefined,
      addProblem: ({ message }) => problems.push(message),
    };
    await readInput(path, sink, new AbortController().signal);
    expect(lines).toBeGreaterThan(1_000);
    expect(problems.join()).toContain('became shorter while it was read');
  });

  it('a pattern that no shell expanded stands for the files it fits', async () => {
    expect(await expandPatterns([`${root}/**/*.gz`, '-', LOG])).toEqual([`${root}/deep/a.log.1.gz`, '-', LOG]);
    expect(await expandPatterns([`${root}/*.nothing`])).toEqual([`${root}/*.nothing`]);
    expect(await expandPatterns(['fixtures/demo/ztunnel-*.log'])).toEqual([
      'fixtures/demo/ztunnel-worker-a.log',
      'fixtures/demo/ztunnel-worker-b.log',
    ]);
  });
});

describe('the mesh in archives', () => {
  const crs = `apiVersion: v1\nitems:\n- ${POLICY.trim().replaceAll('\n', '\n  ')}\nkind: List\n`;
  const archive = write(
    'bug-report.tgz',
    gzipSync(tarOf([log('bug-report/cluster/crs', crs), log('bug-report/proxies/shop/web/istio-proxy.log', 'x\n')])),
  );

  it('is found beside the logs and where --mesh says', async () => {
    for (const [paths, logs] of [
      [[archive], []],
      [[], [archive]],
      [[archive], [archive]],
    ] as const) {
      const { objects, problems, sources } = await readMeshAndArchives(paths, logs);
      expect(objects.map(({ kind, source }) => [kind, source.file])).toEqual([
        ['Namespace', `${archive}!bug-report/cluster/crs`],
      ]);
      expect([problems, sources]).toEqual([[], [archive]]);
    }
  });

  it('gives way to what --mesh says', async () => {
    const policy = write('policy.yaml', POLICY);
    const { objects, problems } = await readMeshAndArchives([policy], [archive]);
    expect(objects.map(({ source }) => source.file)).toEqual([policy]);
    expect(problems).toHaveLength(1);
  });

  it('may be one compressed manifest; half of one is not used', async () => {
    const packed = gzipSync(POLICY);
    expect((await readMeshAndArchives([write('policy.yaml.gz', packed)], [])).objects).toHaveLength(1);
    const { objects, problems } = await readMeshAndArchives([write('cut.yaml.gz', packed.subarray(0, 40))], []);
    expect([objects, problems.map(({ message }) => message).join()]).toEqual([[], expect.stringContaining('cut off')]);
  });

  it('a log is none', async () => {
    const { objects, problems, sources } = await readMeshAndArchives([], [LOG, join(folder, 'no-such')]);
    expect([objects, problems, sources]).toEqual([[], [], []]);
  });
});

describe('what a file of an archive is', () => {
  const POD = 'apiVersion: v1\nkind: Pod\n';
  it.each([
    ['proxies/shop/web/istio-proxy.log', '', 'log'],
    ['pods/web/istio-proxy/istio-proxy/logs/rotated/0.log.20260102-030405.gz', '', 'log'],
    ['namespaces/shop/core/pods.yaml', '', 'manifest'],
    ['cluster/crs', 'apiVersion: v1\nitems:\n- apiVersion: x\n', 'manifest'],
    ['cluster/k8s-resources', POD, 'manifest'],
    ['dump.json', '{\n  "apiVersion": "v1",\n  "items": [', 'manifest'],
    ['access.json', '{"response_code":403}\n', 'log'],
    ['proxies/shop/web/config_dump', '{\n "configs": [\n  {"last_updated": "2026-01-02T03:04:05Z"}', 'other'],
    ['proxies/istio-system/ztunnel-x/config_dump', '{\n "workloads": [\n  {"workloadIps": ["10.0.0.1"]', 'manifest'],
    ['workloads.json', '[\n  {\n    "uid": "a//Pod/b/c", "workloadIps": [', 'manifest'],
    ['proxies/shop/web/stats', 'cluster.x: 1\n', 'other'],
    ['cluster/nodes', 'Name: a\nCreationTimestamp:  Fri, 02 Jan 2026 03:04:05 +0000\n', 'other'],
    ['event-filter.html', '<html>\n2026-01-02T03:04:05Z', 'other'],
    ['ztunnel-worker-a', '2026-01-02T03:04:05.000000Z\tinfo\taccess', 'log'],
    ['kubelet_service', 'I0102 03:04:05.000000       1 main.go:1] x', 'log'],
    ['README.md', '# hello\n', 'other'],
  ])('%s', (name, head, kind) => {
    expect(partKind(name, Buffer.from(head))).toBe(kind);
  });
});
