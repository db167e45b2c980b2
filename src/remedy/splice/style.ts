import { isScalar, type Node, stringify, visit } from 'yaml';
import { isRecord } from '../../text/kube-object.ts';
import { printableJson } from '../../text/sanitize.ts';

/** In which quotes texts are written, those that could do without. */
type Quote = 'plain' | 'single' | 'double';

/** The quotes around a place: most people quote what they list in another way than what they name. */
export interface Quotes {
  readonly items: Quote;
  readonly fields: Quote;
  /** Those of a text that cannot do without. */
  readonly mark: Exclude<Quote, 'plain'>;
}

/** How values are written in a file: what its author does around the place where something is added. */
export interface Style extends Quotes {
  /** Columns by which a mapping below a key is indented. */
  readonly step: number;
  /** Whether the dashes of a list stand further in than the key above them. */
  readonly indentedLists: boolean;
  /** The text is JSON, and has to stay it. */
  readonly json: boolean;
}

/** How texts are quoted below some nodes; the first in which there are any tells. */
export function quotesIn(nodes: readonly Node[]): Quotes {
  const all = nodes.map(lastQuotes);
  return {
    items: all.find(({ items }) => items !== null)?.items ?? 'plain',
    fields: all.find(({ fields }) => fields !== null)?.fields ?? 'plain',
    mark: all.find(({ mark }) => mark !== null)?.mark ?? 'double',
  };
}

/** The same for what replaces a node: a text gets the quotes of the one before it. */
export function quotesLike(old: Node, around: Quotes): Quotes {
  const type = isScalar(old) ? QUOTES[old.type ?? ''] : undefined;
  if (type === undefined) return around;
  return { items: type, fields: type, mark: type === 'plain' ? around.mark : type };
}

const QUOTES: Readonly<Record<string, Quote>> = { PLAIN: 'plain', QUOTE_SINGLE: 'single', QUOTE_DOUBLE: 'double' };

type Found = { -readonly [name in keyof Quotes]: Quotes[name] | null };

/** The last in a node; null: there are none. */
function lastQuotes(node: Node): Found {
  const found: Found = { items: null, fields: null, mark: null };
  visit(node, {
    Scalar: (key, { value, type }) => {
      const quote = QUOTES[type ?? ''];
      if (key === 'key' || typeof value !== 'string' || quote === undefined) return;
      if (quote !== 'plain') found.mark = quote;
      if (isPlain(value)) found[key === 'value' ? 'fields' : 'items'] = quote;
    },
  });
  return found;
}

/** True if a text can stand without quotes, and YAML 1.1, which kubectl reads, takes it for a text too. */
function isPlain(text: string): boolean {
  return SIMPLE.test(text) && scalarOf(text) === text;
}

const SIMPLE = /^[\x20-\x7e]*$/;

function scalarOf(value: unknown): string {
  return stringify(value, { lineWidth: 0, compat: 'yaml-1.1', blockQuote: false }).replace(/\n$/, '');
}

/** Where a value stands: the quotes of its like, and whether brackets and commas have a meaning there. */
interface Position {
  readonly quote: Quote;
  readonly inFlow: boolean;
}

/** A scalar on one line. */
function scalarText(value: unknown, style: Style, { quote, inFlow }: Position): string {
  if (style.json || value === null) return quoted(value);
  if (typeof value !== 'string') return scalarOf(value);
  const plain = isPlain(value) && !(inFlow && /[[\]{},]|:$/.test(value));
  if (plain && quote === 'plain') return value;
  const mark = plain && quote !== 'plain' ? quote : style.mark;
  return mark === 'double' || !SIMPLE.test(value) ? quoted(value) : `'${value.replaceAll("'", "''")}'`;
}

/** JSON is YAML too; what other readers of YAML take for a line end or drop is written as an escape. */
function quoted(value: unknown): string {
  return printableJson(JSON.stringify(value) ?? 'null');
}

/** An item of a list on one line. */
export function flowItem(value: unknown, style: Style): string {
  return flowText(value, style, style.items);
}

/** A field of a mapping on one line. */
export function flowField(key: string, value: unknown, style: Style): string {
  return `${keyText(key, style, true)}: ${flowText(value, style, style.fields)}`;
}

function flowText(value: unknown, style: Style, quote: Quote): string {
  if (Array.isArray(value)) return `[${value.map((item) => flowItem(item, style)).join(', ')}]`;
  if (!isRecord(value)) return scalarText(value, style, { quote, inFlow: true });
  const fields = Object.entries(value).map(([key, field]) => flowField(key, field, style));
  return `{${fields.join(', ')}}`;
}

function keyText(key: string, style: Style, inFlow: boolean): string {
  return scalarText(key, style, { quote: 'plain', inFlow });
}

/** True for a value that is written over several lines in block style. */
export function isBlock(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : isRecord(value) && Object.keys(value).length > 0;
}

/** The value of an entry on one line, where a list or mapping around it is in block style. */
export function inlineValue(value: unknown, style: Style, quote: Quote): string {
  const isScalarValue = !Array.isArray(value) && !isRecord(value);
  return isScalarValue ? scalarText(value, style, { quote, inFlow: false }) : flowText(value, style, quote);
}

/** A list or mapping in block style; the first line stands where it begins, the others are indented from there. */
export function blockLines(value: unknown, style: Style): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item) => itemLines(item, ' ', style));
  return Object.entries(value ?? {}).flatMap(([key, field]) => fieldLines(key, field, style));
}

/** An item of a list in block style; `gap` stands behind the dash. */
export function itemLines(item: unknown, gap: string, style: Style): readonly string[] {
  const lines = isBlock(item) ? blockLines(item, style) : [inlineValue(item, style, style.items)];
  return lines.map((line, index) => `${index === 0 ? `-${gap}` : ` ${' '.repeat(gap.length)}`}${line}`);
}

/** A field of a mapping in block style. */
export function fieldLines(key: string, value: unknown, style: Style): readonly string[] {
  const name = `${keyText(key, style, false)}:`;
  if (!isBlock(value)) return [`${name} ${inlineValue(value, style, style.fields)}`];
  const indent = ' '.repeat(indentBelow(value, style));
  return [name, ...blockLines(value, style).map((line) => indent + line)];
}

/** Columns by which a value in block style is indented below its key. */
export function indentBelow(value: unknown, { step, indentedLists }: Style): number {
  return Array.isArray(value) && !indentedLists ? 0 : step;
}
