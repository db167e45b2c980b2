import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const README = readFileSync('README.md', 'utf8');
const EXAMPLE = /```sh\nmeshmend (.+)\n```\n\n<!-- output[^\n]+-->\n```text\n[\s\S]*?```/;

describe('README.md', () => {
  it('shows what the program prints (npm run update writes it)', async () => {
    const [block = '', words = ''] = EXAMPLE.exec(README) ?? [];
    const { stdout, status } = spawnSync(process.execPath, ['dist/cli.js', ...words.split(' ')], { encoding: 'utf8' });
    expect(status).toBe(0);
    expect(block).not.toBe('');
    const shown = block.replace(/```text\n[\s\S]*?```/, () => `\`\`\`text\n${stdout}\`\`\``);
    await expect(README.replace(block, () => shown)).toMatchFileSnapshot('../README.md');
  });

  it('names only options and commands that exist', () => {
    const help = ['analyze', 'explain', 'schema'].map(
      (command) => spawnSync(process.execPath, ['dist/cli.js', command, '--help'], { encoding: 'utf8' }).stdout,
    );
    const options = [...README.matchAll(/(?<=meshmend[^\n]*)--[a-z-]+/g)].map(([option]) => option);
    for (const option of options) expect(help.join('\n')).toContain(option);
  });

  it('the commands it tells a fresh machine to run exist', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(README).toContain('npm ci && npm run demo');
    expect(README).toContain('npm ci && npm test');
    expect(scripts.demo).toContain('fixtures/demo/ztunnel-worker-a.log');
    expect(readFileSync('.ci/run', 'utf8')).toContain('npm ci && npm test');
  });
});
