import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../model/failure.ts';
import type { Plan } from '../model/plan.ts';
import { type PatchFile, patchFiles, renderNothing, renderPatchStream, renderWritten } from '../render/patch.ts';

/**
 * Puts out a plan: one YAML stream without a folder, else the files in it (the folder is made). Answers what to print.
 * Nothing that is there is ever overwritten: a file of the same content stays, so that the same run may be done again; one of other
 * content throws `Failure`, before anything is written.
 */
export function putOutPlan(plan: Plan, folder: string | null): string {
  if (folder === null) return renderPatchStream(plan);
  const files = patchFiles(plan);
  if (files.length === 0) return renderNothing(plan);
  try {
    mkdirSync(folder, { recursive: true });
    const missing = files.filter((file) => !isThere(folder, file));
    for (const { name, text } of missing) writeFileSync(join(folder, name), text, { flag: 'wx' });
  } catch (error) {
    if (error instanceof Failure) throw error;
    const reason = error instanceof Error ? error.message.split(', ', 1)[0] : String(error);
    throw new Failure('input', `cannot write to ${folder}: ${reason}`, 'check --output-directory', error);
  }
  return renderWritten(files, plan, folder);
}

/** Throws `Failure` if a file of the name has other content. */
function isThere(folder: string, { name, text }: PatchFile): boolean {
  const path = join(folder, name);
  try {
    if (readFileSync(path, 'utf8') === text) return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
  throw new Failure(
    'input',
    `${path} is there with other content`,
    'give another --output-directory, or remove what an earlier run left there',
  );
}
