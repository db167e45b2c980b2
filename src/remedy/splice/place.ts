import { isCollection, isMap, isPair, isSeq, type Node } from 'yaml';
import type { Difference } from './difference.ts';
import {
  beforeLineEnd,
  beginsLine,
  behindMark,
  type Container,
  columnOf,
  contentEnd,
  endOf,
  lineEnd,
  lineStart,
  linesBehind,
  nodeOf,
  nodesOn,
  pairOf,
  type Source,
  type Splice,
  startOf,
} from './source.ts';
import {
  blockLines,
  fieldLines,
  flowField,
  flowItem,
  indentBelow,
  inlineValue,
  isBlock,
  itemLines,
  type Quotes,
  quotesIn,
  quotesLike,
  type Style,
} from './style.ts';

/**
 * The splices that make one small difference in a text, in the style of what stands around it. Null: the place cannot be
 * told or reached, or is of a form that nobody writes. Whether they do what they should is for the caller to check.
 */
export function splicesFor(
  source: Source,
  difference: Difference,
  style: Omit<Style, keyof Quotes>,
): readonly Splice[] | null {
  const key = difference.at.at(-1);
  const way = nodesOn(source.document, difference.at.slice(0, -1));
  const container = way?.at(-1);
  if (key === undefined || way === null || !(isMap(container) || isSeq(container))) return null;
  const place = { source, container, style: { ...style, ...quotesIn([...way].toReversed()) } };
  if (difference.op === 'insert') return insertion(place, key, difference.value);
  const index = indexOf(container, key);
  if (index === null) return null;
  return difference.op === 'remove' ? removal(place, index) : replacement(place, index, difference.value);
}

interface Place {
  readonly source: Source;
  readonly container: Container;
  readonly style: Style;
}

function indexOf(container: Container, key: string | number): number | null {
  if (isSeq(container)) return typeof key === 'number' && key < container.items.length ? key : null;
  const pair = pairOf(container, key);
  return pair === null ? null : container.items.indexOf(pair);
}

function insertion(place: Place, key: string | number, value: unknown): readonly Splice[] | null {
  const { container, source, style } = place;
  const index = typeof key === 'number' && isSeq(container) ? key : container.items.length;
  if (index === 0) return null;
  const end = endOf(container, index - 1);
  const start = startOf(container, index - 1);
  if (end === null || start === null) return null;
  if (container.flow === true) {
    const entry = isSeq(container) ? flowItem(value, style) : flowField(String(key), value, style);
    return intoFlow(place, { index, start, end }, entry);
  }
  const lines = isSeq(container)
    ? itemLines(value, gapBehind(place, index - 1), style)
    : fieldLines(String(key), value, style);
  const indent = ' '.repeat(columnOf(source, start));
  return [
    linesBehind(
      source,
      end,
      lines.map((line) => indent + line),
    ),
  ];
}

/** The blanks between a dash and what follows on its line. */
function gapBehind({ source, container }: Place, index: number): string {
  const behind = behindMark(container, index);
  const value = nodeOf(container, index)?.range?.[0];
  const gap = behind === null || value === undefined ? '' : source.text.slice(behind, value);
  return /^ +$/.test(gap) ? gap : ' ';
}

interface Neighbour {
  /** Index of the new entry. */
  readonly index: number;
  /** The entry before. */
  readonly start: number;
  readonly end: number;
}

/** Behind an entry: on the same line, or on one of its own where the entry has one. A comma at the end of the list stays. */
function intoFlow(
  { source, container }: Place,
  { index, start, end }: Neighbour,
  entry: string,
): readonly Splice[] | null {
  const close = (container.range?.[1] ?? 0) - 1;
  const isLast = index === container.items.length;
  const comma = isLast ? /^[ \t]*,/.exec(source.text.slice(end, close)) : null;
  const behind = end + (comma?.[0].length ?? 0);
  const opensLine = beginsLine(source, start);
  const mark = { from: end, to: end, text: comma === null ? ',' : '' };
  if (!isLast || !opensLine) return [{ from: behind, to: behind, text: comma === null ? `, ${entry}` : ` ${entry}` }];
  const line = `${source.eol}${' '.repeat(columnOf(source, start))}${entry}`;
  const stop = lineEnd(source, behind);
  if (stop > close) return [{ from: behind, to: behind, text: `${mark.text}${line}` }];
  return [mark, { from: stop, to: stop, text: comma === null ? line : `${line},` }];
}

/** One of several entries goes, with its line ends; what is said about it in comments above stays. */
function removal({ source, container }: Place, index: number): readonly Splice[] | null {
  const start = startOf(container, index);
  const end = endOf(container, index);
  if (start === null || end === null) return null;
  if (container.flow !== true && beginsLine(source, start)) return [wholeLines(source, start, end)];
  const before = index === 0 ? null : endOf(container, index - 1);
  if (before !== null) return container.flow === true ? [{ from: before, to: end, text: '' }] : null;
  const next = startOf(container, index + 1);
  return next === null ? null : [{ from: start, to: next, text: '' }];
}

function wholeLines(source: Source, start: number, end: number): Splice {
  const from = lineStart(source, start);
  if (source.text[end - 1] === '\n') return { from, to: end, text: '' };
  const next = source.text.indexOf('\n', end) + 1;
  if (next > 0) return { from, to: next, text: '' };
  // The last line of a file without a line end at its end: the last one before that is not blank takes its place.
  let below = from;
  let last = lineStart(source, below - 1);
  while (last > 0 && source.text.slice(last, below).trim() === '') {
    below = last;
    last = lineStart(source, below - 1);
  }
  return { from: lineEnd(source, last), to: source.text.length, text: '' };
}

/** Another value stands in an entry. A scalar is quoted as the one it replaces. */
function replacement(place: Place, index: number, value: unknown): readonly Splice[] | null {
  const { source, container } = place;
  const old = nodeOf(container, index);
  const style = old === null ? place.style : { ...place.style, ...quotesLike(old, place.style) };
  const isList = isSeq(container);
  const quote = isList ? style.items : style.fields;
  const range = old?.range ?? null;
  if (container.flow === true) {
    return range === null
      ? null
      : [{ from: range[0], to: range[1], text: flowItem(value, { ...style, items: quote }) }];
  }
  const behind = behindMark(container, index);
  const start = startOf(container, index);
  if (behind === null || start === null) return null;
  if (!isBlock(value) || staysFlow(old, value)) {
    return exchange(source, { behind, old, lines: [inlineValue(value, style, quote)], below: false, indent: '' });
  }
  const column = isList
    ? columnOf(source, range === null ? behind + 1 : range[0])
    : columnOf(source, start) + indentBelow(value, style);
  return exchange(source, { behind, old, lines: blockLines(value, style), below: !isList, indent: ' '.repeat(column) });
}

/** Names that come into an empty list stay on its line. */
function staysFlow(old: Node | null, value: unknown): boolean {
  return isSeq(old) && old.items.length === 0 && Array.isArray(value) && !value.some(isBlock);
}

interface Exchange {
  /** Behind the dash or the colon. */
  readonly behind: number;
  readonly old: Node | null;
  readonly lines: readonly string[];
  /** The new lines begin on a line of their own. */
  readonly below: boolean;
  readonly indent: string;
}

function exchange(source: Source, { behind, old, lines, below, indent }: Exchange): readonly Splice[] | null {
  const [first = '', ...rest] = lines;
  const inline = [first, ...rest.map((line) => indent + line)].join(source.eol);
  const under = lines.map((line) => indent + line);
  if (old === null) {
    return below ? [linesBehind(source, behind, under)] : [{ from: behind, to: behind, text: ` ${inline}` }];
  }
  const start = old.range?.[0] ?? null;
  const content = contentEnd(old);
  if (start === null || content === null) return null;
  const end = beforeLineEnd(source, content);
  if (!source.text.slice(behind, start).includes('\n')) {
    if (!below) return [{ from: start, to: end, text: inline }];
    return [{ from: behind, to: end, text: '' }, linesBehind(source, end, under)];
  }
  const stop = lineEnd(source, behind);
  if (below) return [{ from: stop, to: end, text: under.map((line) => source.eol + line).join('') }];
  return [
    { from: behind, to: behind, text: ` ${inline}` },
    { from: stop, to: lineEnd(source, end), text: '' },
  ];
}

/** How a document is indented, by the nodes that lead to a place: what is nearest counts. */
export function indentationOf(source: Source, way: readonly Node[]): Pick<Style, 'step' | 'indentedLists'> {
  const around = [...way].toReversed();
  const first = (find: (node: Node) => number | null): number | null =>
    around.reduce<number | null>((found, node) => found ?? find(node), null);
  const step = first((node) => firstBelow(source, node, isMap));
  const list = first((node) => firstBelow(source, node, isSeq));
  return { step: step === null || step < 1 ? 2 : step, indentedLists: list === null || list > 0 };
}

/** Columns between a key and what stands below it in block style, for the first value of a form in a node. */
function firstBelow(source: Source, node: Node, isForm: (value: unknown) => boolean): number | null {
  if (!isMap(node) && !isSeq(node)) return null;
  for (const [index, item] of node.items.entries()) {
    const value = nodeOf(node, index);
    if (value === null) continue;
    const start = startOf(node, index);
    const begin = isForm(value) && isCollection(value) && value.flow !== true ? value.range?.[0] : undefined;
    if (isPair(item) && begin !== undefined && start !== null) return columnOf(source, begin) - columnOf(source, start);
    const below = firstBelow(source, value, isForm);
    if (below !== null) return below;
  }
  return null;
}
