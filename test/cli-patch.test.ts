import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';

const BIN = resolve('dist/cli.js');
const FIXTURE = 'fixtures/rules/ztunnel-allow-missed/caller-is-waypoint';

/** A new folder with a log, a mesh, and nothing else; programs run in it. */
class Place {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'meshmend-patch-'));

  constructor() {
    for (const name of ['input.log', 'mesh.yaml']) cpSync(`${FIXTURE}/${name}`, join(this.folder, name));
  }

  run(words: readonly string[], program = process.execPath): { code: number | null; out: string; err: string } {
    const all = program === process.execPath ? [BIN, ...words] : words;
    const { status, stdout, stderr } = spawnSync(program, all, { cwd: this.folder, encoding: 'utf8', input: '' });
    return { code: status, out: stdout, err: stderr };
  }

  patch(...more: readonly string[]): ReturnType<Place['run']> {
    return this.run(['input.log', '--mesh', 'mesh.yaml', '-o', 'patch', ...more]);
  }

  edit(name: string, change: (text: string) => string): void {
    const path = join(this.folder, name);
    writeFileSync(path, change(readFileSync(path, 'utf8')));
  }
}

const FILES = [
  '1-authorizationpolicy-batch-callers-waypoint.yaml',
  '2-authorizationpolicy-batch-callers.json',
  'changes.diff',
  'commands.txt',
  'kustomization.yaml',
];

describe('meshmend analyze -o patch', () => {
  it('prints one stream of YAML, the same one again', () => {
    const place = new Place();
    const { code, out, err } = place.patch();
    expect([code, err]).toEqual([0, '']);
    expect([...out.matchAll(/^# file: (.+)$/gm)].map(([, name]) => name).sort()).toEqual(FILES);
    expect(parseAllDocuments(out).flatMap(({ errors }) => errors)).toEqual([]);
    expect(place.patch().out).toBe(out);
  });

  it('writes the same files to a folder, may be run again, and never overwrites', () => {
    const place = new Place();
    const { code, out } = place.patch('--output-directory', 'out/new');
    expect([code, readdirSync(join(place.folder, 'out/new')).sort()]).toEqual([0, FILES]);
    for (const name of FILES) expect(out).toContain(name);
    expect(out).toContain('kubectl create --validate=strict --dry-run=server -f 1-authorizationpolicy-batch-callers');
    expect(place.patch('--output-directory', 'out/new')).toMatchObject({ code: 0, out });
    place.edit('out/new/commands.txt', (text) => `${text}# mine\n`);
    const again = place.patch('--output-directory', 'out/new');
    expect([again.code, again.out]).toEqual([3, '']);
    expect(again.err).toContain('commands.txt is there with other content');
    expect(place.patch('--output-directory', 'mesh.yaml').code).toBe(3);
  });

  it('git takes the diff; with all changes made there is nothing to do', () => {
    const place = new Place();
    place.patch('--output-directory', 'out');
    const before = readFileSync(join(place.folder, 'mesh.yaml'), 'utf8').split('\n');
    expect(place.run(['apply', 'out/changes.diff'], 'git')).toMatchObject({ code: 0, err: '' });
    const after = readFileSync(join(place.folder, 'mesh.yaml'), 'utf8').split('\n');
    expect(after).not.toEqual(before);
    expect(before.filter((line) => line.includes('#'))).toEqual(after.filter((line) => line.includes('#')));
    const { code, out } = place.run([
      'input.log',
      '--mesh',
      'mesh.yaml',
      'out',
      '-o',
      'patch',
      '--output-directory',
      'two',
    ]);
    expect([code, out]).toEqual([0, 'meshmend: nothing to do\n']);
    expect(readdirSync(place.folder)).not.toContain('two');
  });

  it('tells problems on stderr, and refuses a folder for other formats', () => {
    const place = new Place();
    writeFileSync(join(place.folder, 'broken.yaml'), 'kind: [\n');
    const { code, out, err } = place.patch('--mesh', 'mesh.yaml', 'broken.yaml');
    expect([code, out.startsWith('---\n')]).toEqual([0, true]);
    expect(err).toContain('broken.yaml');
    expect(place.run(['input.log', '--output-directory', 'out']).code).toBe(2);
  });
});

describe('meshmend check', () => {
  it('says what fits, what is done, and which field is in the way', () => {
    const place = new Place();
    place.patch('--output-directory', 'out');
    const check = (...words: readonly string[]): ReturnType<Place['run']> =>
      place.run(['check', 'out', '--mesh', ...words]);
    const fits = check('mesh.yaml');
    expect([fits.code, fits.out.match(/^fits: /gm)?.length]).toEqual([0, 2]);
    place.run(['apply', 'out/changes.diff'], 'git');
    const done = check('mesh.yaml', 'out');
    expect([done.code, done.out.match(/^already done: /gm)?.length]).toEqual([0, 2]);
    place.run(['apply', '--reverse', 'out/changes.diff'], 'git');
    place.edit('mesh.yaml', (text) =>
      text.replace('matchLabels:\n      app: report-runner', 'matchLabels:\n      app: other'),
    );
    const stale = check('mesh.yaml');
    expect(stale.code).toBe(1);
    expect(stale.out).toContain(
      'no longer fits: AuthorizationPolicy batch/callers, 2-authorizationpolicy-batch-callers.json\n',
    );
    expect(stale.out.replace(/\s+/g, ' ')).toContain(
      'spec.selector.matchLabels.app is now other, was report-runner when the logs were read',
    );
  });

  it('tells wrong use and unreadable files apart', () => {
    const place = new Place();
    place.patch('--output-directory', 'out');
    expect(place.run(['check', '--mesh', 'mesh.yaml']).code).toBe(2);
    expect(place.run(['check', 'out']).code).toBe(2);
    expect(place.run(['check', 'nowhere', '--mesh', 'mesh.yaml']).code).toBe(3);
    expect(place.run(['check', 'input.log', '--mesh', 'mesh.yaml']).code).toBe(3);
    expect(place.run(['check', 'out', '--mesh', 'nowhere']).code).toBe(3);
    writeFileSync(join(place.folder, 'other.json'), '[{"op":"add","path":"/spec","value":1}]');
    const { code, err } = place.run(['check', 'other.json', '--mesh', 'mesh.yaml']);
    expect([code, err]).toEqual([3, expect.stringContaining('other.json is no JSON Patch of meshmend')]);
  });
});
