import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Report } from '../src/model/report.ts';
import { tarOf, zstdOf } from './packing.ts';

const BIN = resolve('dist/cli.js');
const A = 'fixtures/demo/ztunnel-worker-a.log';
const B = 'fixtures/demo/ztunnel-worker-b.log';
const folder = mkdtempSync(join(tmpdir(), 'meshmend-cli-'));

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function run(words: readonly string[], input: string | Buffer = ''): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...words], {
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, FORCE_COLOR: '' },
  });
  return { code: status, out: stdout, err: stderr };
}

function reportOf({ out }: Run): Report {
  return JSON.parse(out) as Report;
}

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe('the library', () => {
  it('is an ES module that can be imported, and does what the program does', () => {
    const script = `import { analyze } from ${JSON.stringify(pathToFileURL(resolve('dist/index.js')).href)};
      import { readFileSync } from 'node:fs';
      const lines = readFileSync(${JSON.stringify(A)}, 'utf8').split('\\n');
      const report = await analyze(lines, { generatedAt: '2026-01-02T03:04:05.000000Z' });
      process.stdout.write(JSON.stringify(report.findings.map(({ fingerprint }) => fingerprint)));`;
    const { status, stdout, stderr } = spawnSync(process.execPath, [file('library.mjs', script)], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toEqual(reportOf(run([A, '-o', 'json'])).findings.map(({ fingerprint }) => fingerprint));
  });
});

describe('meshmend analyze', () => {
  it('reads a file that begins with a byte order mark like one that does not', () => {
    const marked = file('marked.log', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), readFileSync(A)]));
    const [plain, bom] = [run([A, '-o', 'json']), run([marked, '-o', 'json'])];
    expect(reportOf(bom).totals).toEqual(reportOf(plain).totals);
  });

  it('reads files and stdin alike, with and without its name', () => {
    const [named, bare, piped] = [
      run(['analyze', A, '-o', 'json']),
      run([A, '-o', 'json']),
      run(['-o', 'json'], readFileSync(A)),
    ];
    expect([named.code, bare.code, piped.code]).toEqual([0, 0, 0]);
    const findings = [named, bare, piped].map((one) =>
      reportOf(one).findings.map(({ fingerprint, count, firstSeen, lastSeen }) => [
        fingerprint,
        count,
        firstSeen,
        lastSeen,
      ]),
    );
    expect(findings[0]).toEqual(findings[1]);
    expect(findings[0]).toEqual(findings[2]);
    expect(findings[0]?.length).toBeGreaterThan(5);
  });

  it('is the same run after run, but for the time it was made', () => {
    const [once, again] = [run([A, B, '-o', 'json']), run([A, B, '-o', 'json'])].map((one) => reportOf(one));
    expect({ ...once, generatedAt: '' }).toEqual({ ...again, generatedAt: '' });
  });

  it('prints at most 80 columns but for commands, no colour into a pipe, and what to do next', () => {
    const { out } = run([A, B, '--mesh', 'fixtures/demo/mesh.yaml']);
    const long = out.split('\n').filter((line) => line.length > 80 && !/^ {3}(?:Check|Try|Run) /.test(line));
    expect(long).toEqual([]);
    expect(out).not.toContain('\u001b');
    expect(out.trimEnd().split('\n').at(-2)).toMatch(/^next: meshmend explain /);
  });

  it('a finding takes one or two dozen lines', () => {
    const { out } = run([A, B, '--mesh', 'fixtures/demo/mesh.yaml']);
    const blocks = out.split('\n\n').filter((block) => /^\d+ +(?:ERROR|WARNING)/.test(block));
    expect(blocks.length).toBeGreaterThan(5);
    for (const block of blocks) expect(block.split('\n').length).toBeLessThanOrEqual(30);
  });

  it('-o ndjson prints one finding a line and a summary', () => {
    const lines = run([A, '-o', 'ndjson'])
      .out.trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.at(-1).event).toBe('summary');
    expect(lines.slice(0, -1).every((line) => line.event === 'finding' && line.level >= 30)).toBe(true);
  });

  it('--fail-on makes the exit code', () => {
    expect(run([A, '--fail-on', 'error']).code).toBe(1);
    expect(run(['--fail-on', 'error'], '2026-01-02T03:04:05.000000Z\tinfo\tapp\tnothing here\t\n').code).toBe(0);
  });

  it('--since and --until cut the span', () => {
    const late = reportOf(run([A, '-o', 'json', '--since', '2026-11-21T11:48:58Z']));
    const all = reportOf(run([A, '-o', 'json']));
    expect(late.totals.failures).toBeLessThan(all.totals.failures);
    expect(late.findings.every(({ firstSeen }) => firstSeen === null || firstSeen >= '2026-11-21T11:48:58')).toBe(true);
  });

  it('--access-log-format reads a format of the mesh', () => {
    const line = 'POST /pay 403 rbac_access_denied_matched_policy[none] inbound|8080|| 10.0.0.7:8080 10.0.0.9:5000\n';
    const format =
      '%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %UPSTREAM_CLUSTER% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS%';
    const report = reportOf(run(['-o', 'json', '--access-log-format', format], line));
    expect(report.findings.map(({ category }) => category)).toEqual(['authorization']);
  });

  it('tells a live stream of a finding before the stream ends, and counts at its end', async () => {
    const lines = readFileSync(A, 'utf8')
      .split('\n')
      .filter((line) => line.includes('401 Unauthorized'));
    const child = spawn(process.execPath, [BIN], { stdio: ['pipe', 'pipe', 'inherit'] });
    let out = '';
    const told = new Promise<void>((done) => {
      child.stdout.on('data', (chunk: Buffer) => {
        out += chunk.toString();
        if (out.includes('authorization')) done();
      });
    });
    child.stdin.write(`${lines[0]}\n`);
    await told;
    expect(out).not.toContain('meshmend:');
    child.stdin.end(`${lines[0]}\n`);
    await new Promise((done) => child.on('close', done));
    expect(out).toContain('1 cause behind 2 failures');
  });

  it('Ctrl-C prints what was read so far', async () => {
    const child = spawn(process.execPath, [BIN, '-o', 'json'], { stdio: ['pipe', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stdin.write(readFileSync(A));
    await new Promise((done) => setTimeout(done, 1500));
    child.kill('SIGINT');
    const code = await new Promise((done) => child.on('close', done));
    expect(code).toBe(130);
    const report = JSON.parse(out) as Report;
    expect([report.partial, report.totals.records > 100]).toEqual([true, true]);
  });

  it('a reader that leaves early is no error', () => {
    const { status, stderr } = spawnSync('bash', ['-c', `"${process.execPath}" "${BIN}" ${A} ${B} -o json | head -1`], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
  });

  it('works as a kubectl plugin, without node_modules', () => {
    cpSync('dist', join(folder, 'dist'), { recursive: true });
    cpSync('package.json', join(folder, 'package.json'));
    const plugin = join(folder, 'kubectl-meshmend');
    symlinkSync(join(folder, 'dist', 'cli.js'), plugin);
    const { stdout, status } = spawnSync(process.execPath, [plugin, '--help'], { encoding: 'utf8', cwd: folder });
    expect(status).toBe(0);
    expect(stdout).toContain('kubectl meshmend');
  });
});

describe('files as operators have them', () => {
  const told = (one: Run): unknown =>
    reportOf(one).findings.map(({ fingerprint, count, firstSeen }) => [fingerprint, count, firstSeen]);

  it('compressed logs, archives and folders say what the logs in them say', () => {
    const tar = tarOf([A, B].map((path) => ({ name: `bug-report/proxies/${path}`, bytes: readFileSync(path) })));
    mkdirSync(join(folder, 'both'), { recursive: true });
    writeFileSync(join(folder, 'both', 'a.log'), readFileSync(A));
    writeFileSync(join(folder, 'both', 'b.log.gz'), gzipSync(readFileSync(B)));
    const plain = run([A, B, '-o', 'json']);
    for (const one of [
      run([
        file('a.log.zst', zstdOf(readFileSync(A), 5000)),
        file('b.log.gz', gzipSync(readFileSync(B))),
        '-o',
        'json',
      ]),
      run([file('bug-report.tgz', gzipSync(tar)), '-o', 'json']),
      run(['-o', 'json'], gzipSync(tar)),
      run([join(folder, 'both'), '-o', 'json']),
      run([join(folder, 'both', '*.*'), '-o', 'json']),
    ]) {
      expect(one.code).toBe(0);
      expect(told(one)).toEqual(told(plain));
    }
  });

  it('an archive is the mesh of its own logs', () => {
    const mesh = { name: 'bug-report/cluster/crs', bytes: readFileSync('fixtures/demo/mesh.yaml') };
    const archive = file('with-mesh.tar', tarOf([{ name: 'bug-report/a.log', bytes: readFileSync(A) }, mesh]));
    const [packed, plain] = [run([archive, '-o', 'json']), run([A, '--mesh', 'fixtures/demo/mesh.yaml', '-o', 'json'])];
    expect(told(packed)).toEqual(told(plain));
    expect(reportOf(packed).mesh.counts).toEqual(reportOf(plain).mesh.counts);
    const piped = reportOf(run(['-o', 'json'], readFileSync(archive)));
    expect(piped.mesh.known).toBe(false);
    expect(piped.problems.map(({ message }) => message).join()).toContain('piped in are not used');
  });

  it('what is cut off is used up to there, and told', () => {
    const packed = gzipSync(readFileSync(A));
    const { code, out } = run([file('cut.log.gz', packed.subarray(0, packed.length / 2)), '-o', 'json']);
    const report = JSON.parse(out) as Report;
    expect([code, report.totals.records > 20]).toEqual([0, true]);
    expect(report.problems[0]?.message).toContain('cut off after byte');
  });
});

describe('bad input', () => {
  it('an empty input is told', () => {
    for (const one of [run([], ''), run([file('empty.log', '')])]) {
      expect(one.code).toBe(3);
      expect(one.out).toContain('nothing was understood');
      expect(one.out).toContain('it is empty');
    }
  });

  it('an input of which no line is known is told, and exits 3', () => {
    const { code, out } = run([], 'hello\nworld, this is an application\n');
    expect(code).toBe(3);
    expect(out).toContain('none of its 2 lines is of a format known here');
  });

  it('binary, invalid UTF-8, CRLF and lines of 50 MB are accounted for', () => {
    const denial =
      readFileSync(B, 'utf8')
        .split('\n')
        .find((line) => line.includes('none allowed')) ?? '';
    const bytes = Buffer.concat([
      Buffer.from([0, 1, 2, 255, 254, 10]),
      Buffer.alloc(50_000_000, 'x'),
      Buffer.from(`\r\n${denial}\r\n\r\n`),
      Buffer.from([0xc3, 0x28, 10]),
    ]);
    for (const report of [
      reportOf(run(['-o', 'json'], bytes)),
      reportOf(run([file('odd.log', bytes), '-o', 'json'])),
    ]) {
      const [input] = report.inputs;
      expect(input).toMatchObject({ lines: 5, records: 1, truncated: 1, skipped: 3, malformed: 0, joined: 0 });
      expect(report.findings).toHaveLength(1);
    }
  });

  it('a missing file, a folder and a file without permission are told; the others are used', () => {
    mkdirSync(join(folder, 'logs'), { recursive: true });
    const { code, out } = run([A, join(folder, 'no-such.log'), join(folder, 'logs'), '-o', 'json']);
    expect(code).toBe(3);
    const report = JSON.parse(out) as Report;
    expect(report.problems.map((problem) => problem.message)).toEqual([
      expect.stringContaining('no such file'),
      'no log in it could be read',
    ]);
    expect(report.findings.length).toBeGreaterThan(5);
  });

  it('YAML with errors is named with file and line; the rest is used', () => {
    const broken = file(
      'broken.yaml',
      'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n---\nkind: [\n---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: other\n',
    );
    const report = reportOf(run([A, '-o', 'json', '--mesh', broken]));
    expect(report.mesh.counts).toEqual({ Namespace: 2 });
    expect(report.problems.some(({ message }) => /broken\.yaml:\d+/.test(message))).toBe(true);
  });

  it.each([
    [['--no-such-option'], 'unknown option'],
    [['--mehs', 'x'], 'Did you mean --mesh'],
    [['analyse'], 'did you mean analyze'],
    [['explian'], 'did you mean explain'],
    [['no-such-thing'], 'neither a command nor a file'],
    [['-o', 'yaml'], 'Allowed choices'],
    [['--since', '99999999999d'], 'longer ago'],
    [['--mesh', '-'], 'stdin cannot be both'],
    [['--since', 'yesterday'], 'neither a time nor a duration'],
    [['--log-format', 'nginx'], 'unknown'],
    [['--top', '0'], 'whole number'],
    [['--access-log-format', '{"a"'], 'JSON'],
    [['explain', 'no-such-rule'], 'there is no diagnosis'],
  ])('%j is a clear usage error', (words, message) => {
    const { code, err, out } = run(words, 'x\n');
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(out).toBe('');
  });

  it('what is packed in a way that is not read here is refused with the command to use', () => {
    const bytes = Buffer.concat([Buffer.from('BZh9'), readFileSync(A)]);
    for (const one of [run([], bytes), run([file('a.log.bz2', bytes)])]) {
      expect(one.code).toBe(3);
      expect(one.out).toContain('compressed with bzip2');
      expect(one.out).toContain('bzcat FILE | meshmend');
    }
  });

  it('what cannot be read at all is told without a stack trace', () => {
    const { code, out, err } = run(['/proc/self/mem']);
    expect([code, err]).toEqual([3, '']);
    expect(out).toContain('cannot read');
  });

  it('log files may follow the paths of the mesh', () => {
    const log = file('app.log.1', readFileSync(A));
    const report = reportOf(run(['-o', 'json', '--mesh', 'fixtures/demo/mesh.yaml', log]));
    expect([report.mesh.known, report.totals.records > 100]).toEqual([true, true]);
  });

  it('policies that istiod would refuse are named', () => {
    const refused = file(
      'refused.yaml',
      'apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: shop}\nspec: {action: allow}\n',
    );
    const report = reportOf(run([A, '-o', 'json', '--mesh', refused]));
    expect(report.problems.map(({ message }) => message).join()).toContain(
      'AuthorizationPolicy shop/p would be refused',
    );
  });

  it('a mesh that cannot be read is an error', () => {
    const { code, err } = run([A, '--mesh', join(folder, 'nowhere')]);
    expect(code).toBe(3);
    expect(err).toContain('no such file');
  });
});

describe('meshmend explain and schema', () => {
  it('prints the list and a page', () => {
    expect(run(['explain']).out).toContain('ztunnel-allow-missed');
    expect(run(['explain', 'ztunnel-allow-missed']).out).toContain('What to change');
  });

  it('prints a schema', () => {
    expect(JSON.parse(run(['schema']).out).title).toBe('meshmend report');
  });

  it('--version is that of the package', () => {
    expect(run(['--version']).out.trim()).toBe(JSON.parse(readFileSync('package.json', 'utf8')).version);
  });
});
