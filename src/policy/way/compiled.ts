import type { MeshView } from '../../model/mesh.ts';
import { remembered } from '../../text/remembered.ts';
import { MeshEngines } from './engines.ts';

/**
 * The engines of a mesh, made when they are first asked for; a view never changes. Objects that admission refuses count as
 * absent in them.
 */
export const enginesOf: (mesh: MeshView) => MeshEngines = remembered((mesh) => new MeshEngines(mesh));
