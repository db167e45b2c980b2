import type { MeshView } from '../../model/mesh.ts';
import type { ObjectChange } from '../../model/remedy.ts';
import { remembered } from '../../text/remembered.ts';
import { recordOf } from '../../text/untyped.ts';
import { type Difference, firstDifference } from './difference.ts';
import { parseSource, plainValue, type Section, sectionsOf, withObject } from './documents.ts';
import { indentationOf, splicesFor } from './place.ts';
import { nodesOn, type Source, spliced } from './source.ts';
import { type ChangedPart, unifiedDiff } from './unified.ts';

type Json = Readonly<Record<string, unknown>>;

/** Small differences that one change makes in a document, at most. */
const MAX_SPLICES = 32;

/**
 * The changes with their diffs, where the file they belong to is one that people write. Each diff is against the file as it
 * is: of two in one file the second may not apply after the first (`spliceChange` makes one text of both).
 */
export function withDiffs(changes: readonly ObjectChange[], mesh: MeshView): readonly ObjectChange[] {
  return changes.map((change) => {
    const { file, jsonPatch } = change;
    const text = file === null ? null : mesh.sourceText(file);
    if (file === null || text === null) return change;
    const known = knownDiffs(mesh);
    const document = documentOf(change, mesh);
    const key = JSON.stringify([file, document, change.object, jsonPatch]);
    const sections = known.sections.get(file) ?? sectionsOf(text);
    known.sections.set(file, sections);
    const diff = known.diffs.get(key) ?? diffIn(change, { text, sections, document });
    known.diffs.set(key, diff);
    return { ...change, diff };
  });
}

/** What was found in a mesh's files before: where their documents stand, and the diffs, as many findings have one remedy. */
interface Known {
  readonly sections: Map<string, readonly Section[]>;
  readonly diffs: Map<string, string | null>;
}

const knownDiffs = remembered((_mesh: MeshView): Known => ({ sections: new Map(), diffs: new Map() }));

/** Number of the document in its file that an object was read from. */
export function documentOf({ object }: ObjectChange, mesh: MeshView): number {
  return mesh.object(object)?.source.document ?? 0;
}

/**
 * A change as a unified diff of the file that its object was read from, as number `document` (from 0) of it. Null: there is
 * no such file, or no such diff (see `spliceChange`).
 */
export function diffOf(change: ObjectChange, text: string, document: number): string | null {
  return diffIn(change, { text, sections: sectionsOf(text), document });
}

interface Place {
  readonly text: string;
  readonly sections: readonly Section[];
  readonly document: number;
}

function diffIn(change: ObjectChange, place: Place): string | null {
  const changed = change.file === null ? null : spliceIn(change, place);
  return changed === null || change.file === null ? null : unifiedDiff(change.file, place.text, changed);
}

/**
 * The text of a file with a change made in it, so that comments, order, style and line ends stay. Null: the object was
 * not read from a file that somebody wrote, but is what an API server answered; or the change cannot be written so that
 * the document read again is exactly the changed one (aliases on the way, templates, broken or unusual YAML).
 */
export function spliceChange(change: ObjectChange, text: string, document: number): string | null {
  const changed = spliceIn(change, { text, sections: sectionsOf(text), document });
  return changed === null ? null : text.slice(0, changed.from) + changed.after + text.slice(changed.to);
}

/** The document that holds the object, changed. */
function spliceIn({ op, before, after }: ObjectChange, { text, sections, document }: Place): ChangedPart | null {
  const section = sections[document];
  if (op !== 'patch' || before === null || after === null || section === undefined || isFromServer(before)) return null;
  const changed = spliceDocument(text.slice(section.from, section.to), before, after);
  return changed === null ? null : { ...section, after: changed };
}

/** Nobody writes these down: they stand in what `kubectl get` prints. */
function isFromServer(object: Json): boolean {
  const metadata = recordOf(object['metadata']);
  return ['managedFields', 'resourceVersion', 'selfLink', 'uid'].some((field) => (metadata[field] ?? '') !== '');
}

/** Difference by difference, each in the text that the one before left, until the document reads as wanted. */
function spliceDocument(text: string, before: Json, after: Json): string | null {
  let source = parseSource(text);
  const wanted = source === null ? null : withObject(plainValue(source), before, after);
  if (source === null || wanted === null) return null;
  const json = isJson(text);
  for (let count = 0; count <= MAX_SPLICES; count += 1) {
    const difference = firstDifference(plainValue(source), wanted);
    if (difference === null) return json && !isJson(source.text) ? null : source.text;
    const next: Source | null = spliceOne(source, difference, json);
    if (next === null) return null;
    source = next;
  }
  return null;
}

function spliceOne(source: Source, difference: Difference, json: boolean): Source | null {
  const way = nodesOn(source.document, difference.at.slice(0, -1));
  if (way === null) return null;
  const splices = splicesFor(source, difference, { ...indentationOf(source, way), json });
  return splices === null ? null : parseSource(spliced(source.text, splices));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
