import { text as textOf } from 'node:stream/consumers';
import { deployed } from '../mesh/deployed.ts';
import { decodeManifests, type Manifests } from '../mesh/manifests.ts';
import { readMeshAndArchives } from '../mesh/read.ts';
import { createMesh } from '../mesh/view.ts';
import { Failure } from '../model/failure.ts';
import type { MeshView } from '../model/mesh.ts';
import type { Problem } from '../model/report.ts';

/** The mesh that `--mesh` paths tell of, `-` being stdin, with the pods that its manifests would make. Throws `Failure`. */
export async function deployedMesh(
  paths: readonly string[],
): Promise<{ readonly mesh: MeshView; readonly problems: readonly Problem[] }> {
  const files = await readMeshAndArchives(
    paths.filter((path) => path !== '-'),
    [],
  );
  const piped: Manifests = paths.includes('-')
    ? decodeManifests(await textOf(process.stdin), 'stdin')
    : { objects: [], problems: [] };
  const objects = [...files.objects, ...piped.objects];
  const problems = [...files.problems, ...piped.problems];
  const [first] = problems;
  if (objects.length === 0) {
    throw new Failure('input', first?.message ?? `no Kubernetes object in ${paths.join(', ')}`, 'check --mesh');
  }
  return { mesh: createMesh(deployed(objects), { sources: paths, texts: files.texts }), problems };
}
