import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const BIN = resolve('dist/cli.js');
const LOG = 'fixtures/demo/ztunnel-worker-b.log';
const MESH = 'fixtures/demo/mesh.yaml';
const folder = mkdtempSync(join(tmpdir(), 'meshmend-wishes-'));

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function run(...words: readonly string[]): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...words], {
    input: '',
    encoding: 'utf8',
    env: { ...process.env, FORCE_COLOR: '' },
  });
  return { code: status, out: stdout, err: stderr };
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const CEILING = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ceiling, namespace: istio-system}
`;

describe('--allow-caller', () => {
  it('takes identities, principals, accounts and addresses', () => {
    const ids = [
      'spiffe://cluster.local/ns/shop/sa/web',
      'cluster.local/ns/shop/sa/web',
      'shop/web',
      '10.0.0.1',
      'fd00::1',
    ];
    expect(run(LOG, '--allow-caller', ...ids)).toMatchObject({ code: 0, err: '' });
  });

  it('may be given several times, with several callers, and before the log files', () => {
    expect(run('--allow-caller', 'shop/web', 'shop/cart', '--allow-caller', '10.0.0.1', '-o', 'json', LOG).code).toBe(
      0,
    );
    const before = run('--allow-caller', 'shop/web', LOG, '-o', 'json');
    expect(JSON.parse(before.out).inputs.map(({ name }: { name: string }) => name)).toEqual([LOG]);
  });

  it.each(['*', 'cluster.local/ns/shop/sa/*'])('refuses %j: it names no single caller', (id) => {
    const { code, out, err } = run(LOG, '--allow-caller', id);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('names no single caller');
  });
});

describe('--widen', () => {
  it('takes two words and no other', () => {
    expect(run(LOG, '--widen', 'namespace').code).toBe(0);
    const { code, err } = run(LOG, '--widen', 'everything');
    expect(code).toBe(2);
    expect(err).toContain('namespace, path-template');
  });
});

describe('--ceiling', () => {
  it('takes a file of ALLOW policies, with the mesh', () => {
    expect(run(LOG, '--mesh', MESH, '--ceiling', file('fine.yaml', CEILING)).code).toBe(0);
    const alone = run(LOG, '--ceiling', file('fine.yaml', CEILING));
    expect([alone.code, alone.err]).toEqual([2, expect.stringContaining('--ceiling needs --mesh')]);
  });

  it('says what in the file is not of a ceiling, and where', () => {
    const path = file(
      'deny.yaml',
      `${CEILING}---\n${CEILING.replace('name: ceiling', 'name: two')}spec: {action: DENY, rules: [{}]}\n`,
    );
    const { code, out, err } = run(LOG, '--mesh', MESH, '--ceiling', path);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(`${path}, document 2: AuthorizationPolicy istio-system/two has the action DENY`);
  });

  it('exits with 3 where the file cannot be read', () => {
    const { code, err } = run(LOG, '--mesh', MESH, '--ceiling', join(folder, 'missing.yaml'));
    expect(code).toBe(3);
    expect(err).toContain('check the path after --ceiling');
    expect(run(LOG, '--mesh', MESH, '--ceiling', file('broken.yaml', 'a: [')).code).toBe(3);
  });
});

describe('--dry-run-policy', () => {
  it('is a word by itself', () => {
    expect(run('--dry-run-policy', LOG).code).toBe(0);
  });
});

describe('the help', () => {
  it('tells of all wishes', () => {
    const { out } = run('analyze', '--help');
    for (const option of ['--allow-caller <ID...>', '--widen <WHAT>', '--ceiling <FILE>', '--dry-run-policy']) {
      expect(out).toContain(option);
    }
    expect(out).toMatch(/not\s+bounded/);
  });
});
