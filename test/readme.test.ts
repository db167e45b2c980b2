import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const README = readFileSync('README.md', 'utf8');
const EXAMPLE = /```sh\nmeshmend (.+)\n```\n\n<!-- output[^\n]+-->\n```text\n[\s\S]*?```/g;
const EXCERPT = /<!-- file (\S+),[^\n]+-->\n```yaml\n[\s\S]*?```/g;

/** What a command prints; a finding and a failed expectation are no error. */
function outputOf(words: string): string {
  const { stdout, status } = spawnSync(process.execPath, ['dist/cli.js', ...words.split(' ')], { encoding: 'utf8' });
  expect([0, 1]).toContain(status);
  return stdout;
}

/** The block with another text in its last fence. */
function filled(block: string, language: string, text: string): string {
  return block.replace(new RegExp(`\`\`\`${language}\\n[\\s\\S]*?\`\`\`$`), () => `\`\`\`${language}\n${text}\`\`\``);
}

describe('README.md', () => {
  it('shows what the program prints and what files hold (npm run update writes it)', async () => {
    expect(README.match(EXAMPLE)?.length).toBeGreaterThan(3);
    expect(README.match(EXCERPT)?.length).toBeGreaterThan(0);
    const shown = README.replace(EXAMPLE, (block, words: string) => filled(block, 'text', outputOf(words))).replace(
      EXCERPT,
      (block, file: string) => filled(block, 'yaml', readFileSync(file, 'utf8')),
    );
    await expect(shown).toMatchFileSnapshot('../README.md');
  });

  it('names only options and commands that exist', () => {
    const help = ['analyze', 'explain', 'decide', 'test', 'schema', 'check', 'lint'].map(
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
