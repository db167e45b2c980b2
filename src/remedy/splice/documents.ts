import { parseAllDocuments } from 'yaml';
import { isRecord } from '../../text/kube-object.ts';
import { recordOf, valueAt } from '../../text/untyped.ts';
import { editsBetween } from '../edits/edits-between.ts';
import { makePatch, sameData } from '../edits/json-patch.ts';
import { asStored } from '../edits/stored.ts';
import type { Source } from './source.ts';

type Json = Readonly<Record<string, unknown>>;

/** A longer document is no file that people write, and none that is parsed for every change of it. */
const MAX_DOCUMENT_LENGTH = 64 * 1024;
/** Nested lists that are looked into, as when objects are read. */
const MAX_DEPTH = 8;

/** One document of a YAML text. What is outside cannot be meant by what is inside. */
export interface Section {
  /** Offsets of its first character, and behind its last. */
  readonly from: number;
  readonly to: number;
  /** Lines before it. */
  readonly line: number;
}

/**
 * The documents of a YAML text, in order. A line that begins with `---` separates them wherever it stands: even a text
 * block cannot hold one (YAML 1.2.2, rule c-forbidden). Empty: the text is of a form that is not taken apart here.
 */
export function sectionsOf(text: string): readonly Section[] {
  // Directives belong to the document after them, and a carriage return alone ends a line for YAML but not for a diff.
  if (/(?:^|\n)%|\r(?!\n)|\{\{/.test(text)) return [];
  const starts = [0, ...[...text.matchAll(/(?<=^|\n)---(?=\s|$)/g)].map(({ index }) => index)];
  const sections: Section[] = [];
  let line = 0;
  for (const [number, from] of starts.entries()) {
    const to = starts[number + 1] ?? text.length;
    const own = text.slice(from, to);
    if (number > 0 || /^[ \t]*[^\s#]/m.test(own)) sections.push({ from, to, line });
    line += own.split('\n').length - 1;
  }
  return sections;
}

/** A document ready to be changed; null: it is too long, has errors, or is more than one. */
export function parseSource(text: string): Source | null {
  if (text.length > MAX_DOCUMENT_LENGTH) return null;
  try {
    const documents = parseAllDocuments(text, {
      keepSourceTokens: true,
      merge: true,
      prettyErrors: false,
      logLevel: 'silent',
    });
    const [document] = documents;
    if (document === undefined || documents.length !== 1 || document.errors.length > 0) return null;
    return { text, document, eol: text.includes('\r\n') ? '\r\n' : '\n' };
  } catch {
    return null;
  }
}

/** The document as plain data in which no part occurs twice; undefined: it is none. */
export function plainValue({ document }: Source): unknown {
  try {
    return JSON.parse(JSON.stringify(document.toJS({ maxAliasCount: 100 })) ?? 'null');
  } catch {
    return undefined;
  }
}

/**
 * A document with another object in the place of one; null: the object does not stand in it exactly once. What only an API
 * server would fill in is not written into it.
 */
export function withObject(value: unknown, before: Json, after: Json): unknown {
  const places = placesOf(value, before, []);
  const [place] = places;
  if (place === undefined || places.length > 1) return null;
  const written = recordOf(valueAt(value, ...place));
  const changed = sameData(written, before) ? after : makePatch(written, editsBetween(before, after))?.after;
  return changed === undefined ? null : replacedAt(value, place, changed);
}

type Keys = readonly (string | number)[];

/** Where an object stands in a document: by itself, or in (nested) Lists. */
function placesOf(value: unknown, wanted: Json, at: Keys): readonly Keys[] {
  if (at.length > 2 * MAX_DEPTH) return [];
  if (Array.isArray(value)) return value.flatMap((item, index) => placesOf(item, wanted, [...at, index]));
  if (!isRecord(value)) return [];
  if (value['kind'] === 'List') return placesOf(value['items'], wanted, [...at, 'items']);
  return sameData(asStored(value), wanted) ? [at] : [];
}

function replacedAt(value: unknown, [key, ...rest]: Keys, after: Json): unknown {
  if (key === undefined) return after;
  if (Array.isArray(value)) return value.map((item, index) => (index === key ? replacedAt(item, rest, after) : item));
  return isRecord(value) ? { ...value, [key]: replacedAt(value[key], rest, after) } : value;
}
