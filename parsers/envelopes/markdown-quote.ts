import { UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';

/** `> `, the four blanks or the tab of a code block, a list item. Of a quote's blanks one belongs to the quote. */
const PREFIX = /^(?:>[ ]?|[ ]{1,64}(?=\S)|\t(?=\S)|[-*] (?=\S))/;

/** A line quoted in a ticket: `> L`, `- L`, indented, or between backticks. */
export const markdownQuote: Wrapping = {
  id: 'markdown-quote',
  title: 'quoted in Markdown',
  unwrap(text) {
    const payload = inBackticks(text) ?? withoutPrefix(text);
    return payload === null ? null : { payload, time: null, origin: UNKNOWN_ORIGIN, more: false, stream: null };
  },
};

function inBackticks(text: string): string | null {
  const isQuoted = text.length > 1 && text.charCodeAt(0) === 96 && text.charCodeAt(text.length - 1) === 96;
  return isQuoted ? text.slice(1, -1) : null;
}

function withoutPrefix(text: string): string | null {
  const prefix = PREFIX.exec(text)?.[0];
  return prefix === undefined ? null : text.slice(prefix.length);
}
