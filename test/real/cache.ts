import { createHash, type Hash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const OK = 'ok';

/** Where what was built or fetched once is kept; outside the repository. */
function cacheRoot(): string {
  return process.env['MESHMEND_REAL_CACHE'] || join(homedir(), '.cache', 'meshmend-real');
}

/**
 * The folder of a component, filled by `fill` if it is not there whole: `<name>-<version>-<os>-<arch>`. It is filled under
 * another name; its file `ok`, written last, holds the hash of all others, so a folder that was cut short is made anew.
 */
export function cached(name: string, version: string, fill: (folder: string) => void): string {
  const folder = join(cacheRoot(), `${name}-${version}-${process.platform}-${process.arch}`);
  if (isWhole(folder)) return folder;
  const part = `${folder}.${process.pid}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  try {
    fill(part);
    writeFileSync(join(part, OK), `${hashOf(part)}\n`);
    rmSync(folder, { recursive: true, force: true });
    renameSync(part, folder);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  return folder;
}

function isWhole(folder: string): boolean {
  const ok = join(folder, OK);
  return existsSync(ok) && readFileSync(ok, 'utf8').trim() === hashOf(folder);
}

function hashOf(folder: string): string {
  const files = readdirSync(folder)
    .filter((file) => file !== OK)
    .sort();
  const hash: Hash = createHash('sha256');
  for (const file of files) hash.update(`${file}\n`).update(readFileSync(join(folder, file)));
  return hash.digest('hex');
}
