import { isMap, isNode, isScalar, isSeq, type Node } from 'yaml';
import type { Evidence } from '../model/finding.ts';
import type { KubeObject, MeshView } from '../model/mesh.ts';
import { parseSource, sectionsOf } from '../remedy/splice/documents.ts';
import { pairOf, type Source } from '../remedy/splice/source.ts';
import { refText } from '../text/object-ref.ts';
import { remembered } from '../text/remembered.ts';
import { textOf, valueAt } from '../text/untyped.ts';

type Keys = readonly (string | number)[];

/** Where a document of a file begins, and the document; null: it is not one that people write. */
interface Section {
  readonly line: number;
  readonly source: Source | null;
}

/** Lists within lists that are looked into. */
const MAX_DEPTH = 8;

/**
 * The line of the file that a place in an object stands on, as evidence. Line 0: the text is not kept, or of a form that is
 * not taken apart; then the object's name stands for it.
 */
export function placeOf(object: KubeObject, at: Keys, mesh: MeshView): Evidence {
  const { kind, metadata, source } = object;
  const name = refText({ kind, namespace: metadata.namespace, name: metadata.name });
  const unknown = { input: source.file, line: 0, raw: name };
  const section = sectionsIn(mesh).of(source.file, source.document, mesh);
  if (section === null || section.source === null) return unknown;
  const own = nodeOfObject(section.source.document.contents, object, 0);
  const offset = own === null ? null : offsetAt(own, at);
  if (offset === null) return unknown;
  const { text } = section.source;
  const before = text.slice(0, offset);
  const start = before.lastIndexOf('\n') + 1;
  const [raw = ''] = text.slice(start).split('\n', 1);
  return { input: source.file, line: section.line + before.split('\n').length, raw: raw.replace(/\r$/, '') };
}

/** The documents of the mesh's files, each taken apart once. */
class Sections {
  readonly #known = new Map<string, readonly (() => Section)[]>();

  of(file: string, document: number, mesh: MeshView): Section | null {
    const known = this.#known.get(file) ?? this.#read(file, mesh);
    return known[document]?.() ?? null;
  }

  #read(file: string, mesh: MeshView): readonly (() => Section)[] {
    const text = mesh.sourceText(file);
    const sections = text === null ? [] : sectionsOf(text);
    const readers = sections.map(({ from, to, line }) => {
      let section: Section | null = null;
      return (): Section => {
        section ??= { line, source: parseSource((text ?? '').slice(from, to)) };
        return section;
      };
    });
    this.#known.set(file, readers);
    return readers;
  }
}

const sectionsIn = remembered((_mesh: MeshView) => new Sections());

/** The node of an object in a document: the document itself, or an item of its (nested) lists. */
function nodeOfObject(node: unknown, object: KubeObject, depth: number): Node | null {
  if (!isNode(node) || depth > MAX_DEPTH) return null;
  const items = isSeq(node) ? node : isMap(node) ? pairOf(node, 'items')?.value : null;
  if (isSeq(items)) {
    for (const item of items.items) {
      const found = nodeOfObject(item, object, depth + 1);
      if (found !== null) return found;
    }
    return null;
  }
  return isMap(node) && isObject(node.toJSON(), object) ? node : null;
}

function isObject(value: unknown, { kind, metadata }: KubeObject): boolean {
  const namespace = textOf(valueAt(value, 'metadata', 'namespace')) ?? '';
  const isThere = namespace === metadata.namespace || namespace === '';
  return valueAt(value, 'kind') === kind && isThere && valueAt(value, 'metadata', 'name') === metadata.name;
}

/** Offset of the deepest place on the way that is there: of a field its key, of an item the item. */
function offsetAt(node: Node, at: Keys): number | null {
  let here: unknown = node;
  let offset = node.range?.[0] ?? null;
  for (const key of at) {
    let next: unknown = null;
    let start: unknown = null;
    if (isMap(here)) {
      const pair = pairOf(here, key);
      [next, start] = [pair?.value ?? null, pair?.key ?? null];
    } else if (isSeq(here) && typeof key === 'number') {
      next = here.items[key];
      start = next;
    }
    const begin = isScalar(start) || isNode(start) ? (start.range?.[0] ?? null) : null;
    if (begin === null) break;
    offset = begin;
    here = next;
  }
  return offset;
}
