import type { MeshView } from '../../model/mesh.ts';
import { MeshEngines } from './engines.ts';

/** Compiled once per mesh; a view never changes. */
const ENGINES = new WeakMap<MeshView, MeshEngines>();

/** The engines of a mesh, made when they are first asked for. Objects that admission refuses count as absent in them. */
export function enginesOf(mesh: MeshView): MeshEngines {
  const known = ENGINES.get(mesh);
  if (known !== undefined) return known;
  const engines = new MeshEngines(mesh);
  ENGINES.set(mesh, engines);
  return engines;
}
