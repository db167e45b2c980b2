import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { Command } from 'commander';
import { decodeManifests } from '../mesh/manifests.ts';
import { Failure } from '../model/failure.ts';
import type { MeshView } from '../model/mesh.ts';
import type { Fit } from '../model/plan.ts';
import { decodePatch } from '../remedy/edits/apply-patch.ts';
import { checkCreation, checkPatch } from '../remedy/patch/check-patch.ts';
import { renderFits } from '../render/fit.ts';
import { printable } from '../text/sanitize.ts';
import { EXIT } from './exit.ts';
import { deployedMesh } from './mesh.ts';

interface CheckOptions {
  readonly mesh: readonly string[];
}

/** A larger file is no patch. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

const ABOUT = `
PATH is a file that -o patch --output-directory wrote, or the folder of them. An API server refuses a patch
that does not fit any more without saying why; this says which field has changed.`;

/** `meshmend check`: do patches that were written down still fit? `setCode` gets the exit code. */
export function checkCommand(setCode: (code: number) => void): Command {
  return new Command('check')
    .description('say whether patches of an earlier run still fit the objects as they are now')
    .argument('<PATH...>', 'patch files, or folders of them')
    .requiredOption('--mesh <PATH...>', 'the objects as they are now: manifests, kubectl dumps, folders; - is stdin')
    .addHelpText('after', ABOUT)
    .action(async (paths: string[], options: CheckOptions) => {
      setCode(await run(paths, options));
    });
}

async function run(paths: readonly string[], options: CheckOptions): Promise<number> {
  const files = paths.flatMap(filesOf);
  const { mesh, problems } = await deployedMesh(options.mesh);
  for (const { message } of problems) process.stderr.write(`meshmend: ${printable(message)}\n`);
  const fits = files.flatMap((file) => check(file, mesh));
  process.stdout.write(renderFits(fits));
  return fits.every(({ state }) => state !== 'stale') ? EXIT.ok : EXIT.findings;
}

/** The patches and manifests that a path means, in the order of the numbers that their names begin with. */
function filesOf(path: string): readonly string[] {
  if (!statOf(path).isDirectory()) return [path];
  const names = readdirSync(path).filter((name) => /^\d+-.*\.(?:json|yaml)$/.test(name));
  if (names.length === 0) throw new Failure('input', `no patch in ${path}`, 'name a folder that -o patch wrote');
  return names.toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)).map((name) => join(path, name));
}

function statOf(path: string): ReturnType<typeof statSync> & object {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) throw new Failure('input', `cannot read ${path}`, 'check the name');
  if (status.size > MAX_FILE_BYTES) throw new Failure('input', `${path} is larger than ${MAX_FILE_BYTES} bytes`);
  return status;
}

function check(file: string, mesh: MeshView): readonly Fit[] {
  const text = textOf(file);
  if (extname(file) !== '.json') return checkManifest(file, text, mesh);
  const operations = decodePatch(parseJson(text));
  const verdict = operations === null ? null : checkPatch(operations, mesh);
  if (verdict === null) {
    throw new Failure('input', `${file} is no JSON Patch of meshmend`, 'name files that -o patch wrote');
  }
  return [{ file: basename(file), ...verdict }];
}

function checkManifest(file: string, text: string, mesh: MeshView): readonly Fit[] {
  const { objects, problems } = decodeManifests(text, file);
  const [problem] = problems;
  if (problem !== undefined || objects.length === 0) {
    throw new Failure(
      'input',
      problem?.message ?? `${file}: no Kubernetes object in it`,
      'name files that -o patch wrote',
    );
  }
  return objects.map((object) => ({ file: basename(file), ...checkCreation(object, mesh) }));
}

function textOf(file: string): string {
  statOf(file);
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Failure('input', `cannot read ${file}`, 'check the name', error);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
