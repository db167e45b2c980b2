import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';

/** A text that replaces the one from `from` up to `to`, both offsets. */
export interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** One document and the text that it was parsed from, with source tokens. Offsets are those of the text. */
export interface Source {
  readonly text: string;
  readonly document: Document;
  /** How its lines end. */
  readonly eol: string;
}

/** A list or mapping that holds something. */
export type Container = YAMLMap | YAMLSeq;

/** The nodes that keys lead through, the document's own first; null: the way ends early, or leads through an alias or anchor. */
export function nodesOn(document: Document, keys: readonly (string | number)[]): readonly Node[] | null {
  const way: Node[] = [];
  let here: unknown = document.contents;
  for (const key of [...keys, null]) {
    if (!isNode(here) || isAlias(here) || here.anchor !== undefined) return null;
    way.push(here);
    if (key !== null) here = childOf(here, key);
  }
  return way;
}

function childOf(node: Node, key: string | number): unknown {
  if (isMap(node)) return pairOf(node, key)?.value;
  return isSeq(node) && typeof key === 'number' ? node.items[key] : undefined;
}

/** The pair of a key; null: there is none of its own (it may come from a merge). */
export function pairOf(map: YAMLMap, key: string | number): Pair | null {
  return map.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(key)) ?? null;
}

/** Offset of the column 0 of a line. */
export function lineStart({ text }: Source, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1;
}

/** Offset of the end of a line, before what ends it. */
export function lineEnd({ text }: Source, offset: number): number {
  const feed = text.indexOf('\n', offset);
  if (feed < 0) return text.length;
  return feed > offset && text[feed - 1] === '\r' ? feed - 1 : feed;
}

/** Columns before an offset. */
export function columnOf(source: Source, offset: number): number {
  return offset - lineStart(source, offset);
}

/** Whether nothing but blanks stands before an offset on its line. */
export function beginsLine(source: Source, offset: number): boolean {
  return source.text.slice(lineStart(source, offset), offset).trim() === '';
}

/** Where an entry of a list or mapping begins: its dash, or its key; in flow style its value or key. Null: not to be told. */
export function startOf(container: Container, index: number): number | null {
  const item: unknown = container.items[index];
  if (isPair(item)) return isNode(item.key) ? (item.key.range?.[0] ?? null) : null;
  if (container.flow !== true) return markOf(container, index);
  return isNode(item) ? (item.range?.[0] ?? null) : null;
}

/** Where the value of an entry may begin: behind the dash or the colon, in block style. */
export function behindMark(container: Container, index: number): number | null {
  const mark = markOf(container, index);
  return mark === null ? null : mark + 1;
}

/** The dash or the colon of an entry. */
function markOf(container: Container, index: number): number | null {
  const token = container.srcToken;
  if (token === undefined || !('items' in token)) return null;
  const entry = token.items[index];
  const mark =
    entry?.start.find(({ type }) => type === 'seq-item-ind') ??
    (entry !== undefined && 'sep' in entry ? entry.sep?.find(({ type }) => type === 'map-value-ind') : undefined);
  return mark?.offset ?? null;
}

/** The value of an entry; null: it has none that stands in the text. */
export function nodeOf(container: Container, index: number): Node | null {
  const item: unknown = container.items[index];
  const value: unknown = isPair(item) ? item.value : item;
  if (!isNode(value) || value.range === undefined || value.range === null) return null;
  return value.range[0] === value.range[1] ? null : value;
}

/** Where an entry ends: behind the last character of its value, comments and line ends not included. Null: not to be told. */
export function endOf(container: Container, index: number): number | null {
  const value = nodeOf(container, index);
  if (value !== null) return contentEnd(value);
  const item: unknown = container.items[index];
  if (container.flow !== true) return behindMark(container, index);
  return isPair(item) && isNode(item.key) ? (item.key.range?.[1] ?? null) : null;
}

/** Collections in block style reach over the comments behind them; their last entry does not. */
export function contentEnd(node: Node): number | null {
  if (isCollection(node) && node.flow !== true && (isMap(node) || isSeq(node)) && node.items.length > 0) {
    return endOf(node, node.items.length - 1);
  }
  return node.range?.[1] ?? null;
}

/**
 * New lines behind the line of an offset. A text block (`|`) ends behind its line end; the new lines then begin there.
 */
export function linesBehind(source: Source, offset: number, lines: readonly string[]): Splice {
  const { eol, text } = source;
  if (text[offset - 1] === '\n') return { from: offset, to: offset, text: lines.map((line) => line + eol).join('') };
  const end = lineEnd(source, offset);
  return { from: end, to: end, text: lines.map((line) => eol + line).join('') };
}

/** An end that does not take the line end of a text block with it. */
export function beforeLineEnd({ text }: Source, end: number): number {
  if (text[end - 1] !== '\n') return end;
  return text[end - 2] === '\r' ? end - 2 : end - 1;
}

/** The text with the splices made; they must not overlap, and of two at one place the first stands first. */
export function spliced(text: string, splices: readonly Splice[]): string {
  return splices
    .map((splice, order) => ({ ...splice, order }))
    .toSorted((a, b) => b.from - a.from || b.order - a.order)
    .reduce((done, splice) => done.slice(0, splice.from) + splice.text + done.slice(splice.to), text);
}
