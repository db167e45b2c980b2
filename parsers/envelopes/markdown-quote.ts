import { NOTHING_TOLD, type Wrapping } from '../../src/model/line.ts';

/**
 * `> `, the four blanks or the tab of a code block, a list item, a line that a diff adds, Org's fixed
 * width, Jira's quote. Of a quote's blanks one belongs to the quote.
 */
const PREFIX = /^(?:>[ ]?|[ ]{1,64}(?=\S)|\t(?=\S)|[-*+•] |\+(?=[[{\d])|: (?=\S)|bq\. )/;

/** What stands around code within a line: Markdown, Jira and Confluence; and the bars of a table. */
const PAIRS: readonly (readonly [open: string, close: string])[] = [
  ['```', '```'],
  ['`', '`'],
  ['**_', '_**'],
  ['**', '**'],
  ['{{', '}}'],
  ['{code}', '{code}'],
  ['{noformat}', '{noformat}'],
  ['{quote}', '{quote}'],
  ['| ', ' |'],
  ['"', '"'],
  ["'", "'"],
];
/** The opening mark alone, where the block has several lines; Jira's may name a language. */
const OPENING = /^\{(?:code|noformat|color|panel)(?::[^}\n]{0,100})?\}(?=\S)/;
const CLOSING = /(?:\{(?:code|noformat|quote|color|panel)\}|```)$/;

/** A line quoted in a ticket: `> L`, `- L`, indented, between backticks or in a block of code. */
export const markdownQuote: Wrapping = {
  id: 'markdown-quote',
  title: 'quoted in Markdown or Jira',
  unwrap(text) {
    const payload = between(text) ?? withoutMark(text, PREFIX) ?? withoutMark(text, OPENING) ?? withoutClosing(text);
    return payload === null ? null : { ...NOTHING_TOLD, payload };
  },
};

function between(text: string): string | null {
  for (const [open, close] of PAIRS) {
    const fits = text.length >= open.length + close.length && text.startsWith(open) && text.endsWith(close);
    // Many lines in one text.
    if (fits && (open !== '"' || !text.includes('\\n'))) return text.slice(open.length, text.length - close.length);
  }
  return null;
}

function withoutMark(text: string, mark: RegExp): string | null {
  const found = mark.exec(text)?.[0];
  return found === undefined ? null : text.slice(found.length);
}

function withoutClosing(text: string): string | null {
  const found = CLOSING.exec(text);
  return found === null ? null : text.slice(0, found.index);
}
