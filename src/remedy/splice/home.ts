import type { MeshView } from '../../model/mesh.ts';
import type { ObjectChange } from '../../model/remedy.ts';
import { homeFile, homeOf } from '../../platforms/file-layout.ts';
import { remembered } from '../../text/remembered.ts';
import { toYaml } from '../edits/change.ts';
import { unifiedDiff } from './unified.ts';

/**
 * A change with the file in which the operator's repository keeps such objects, and the diff of it, where the repository has a layout that is known
 * (`src/platforms`): a new object goes to the end of its namespace's file. Where that file is not there yet, and what stands in for it is applied
 * to several namespaces, it is begun with the object that this namespace had from there: it would lose that one otherwise.
 */
export function withHome(change: ObjectChange, mesh: MeshView): ObjectChange {
  const file = homeFileOf(change, mesh);
  const text = file === null ? null : withObject(change, mesh.sourceText(file), mesh);
  if (file === null || text === null) return change;
  const before = mesh.sourceText(file) ?? '';
  const lines = before.split('\n').length - 1;
  const after = text.slice(before.length);
  const part = { from: before.length, to: before.length, line: lines, after };
  return { ...change, file, diff: text.startsWith(before) ? unifiedDiff(file, before, part) : null };
}

/** The text of the file that a change belongs to, with its object at the end; null: it is no such change. `text` null: there is no such file yet. */
export function withObject(change: ObjectChange, text: string | null, mesh: MeshView): string | null {
  const file = homeFileOf(change, mesh);
  if (file === null || (change.op === 'patch' && text !== null)) return null;
  const { kind, namespace } = change.object;
  const begun =
    text ??
    mesh
      .objectsOf(kind, namespace)
      .filter(({ source }) => source.file === file && change.op === 'create')
      .map(({ raw }) => toYaml(raw))
      .join('---\n');
  const gap = begun === '' || begun.endsWith('\n') ? '' : '\n';
  return `${begun}${gap}${begun === '' ? '' : '---\n'}${change.yaml}`;
}

/** Null: it has a file that exists, or nothing tells where it belongs. */
function homeFileOf({ op, object, file }: ObjectChange, mesh: MeshView): string | null {
  if (op === 'delete' || (op === 'patch' && (file === null || mesh.sourceText(file) !== null))) return null;
  if (op === 'patch') return homeOf(object.kind, file ?? '') === null ? null : file;
  const root = rootOf(mesh);
  return root === null ? null : homeFile(object.kind, root, object.namespace);
}

/** The folder in which a layout that is known begins; null: none was read. */
const rootOf = remembered((mesh: MeshView): string | null => {
  for (const { kind, source } of mesh.objects) {
    const home = homeOf(kind, source.file);
    if (home !== null) return home.root;
  }
  return null;
});
