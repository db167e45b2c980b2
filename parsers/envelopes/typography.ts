import { NOTHING_TOLD, type Wrapping } from '../../src/model/line.ts';

/** Curly quotes, blanks that do not break, and characters without width that word processors and chats put in. */
const CHANGED = /[\u00a0\u2007\u202f\u200b\ufeff\u201c-\u201f\u2018\u2019\u00ab\u00bb]/g;
const BLANKS = '\u00a0\u2007\u202f';
const NOTHING = '\u200b\ufeff';
const SINGLE = '\u2018\u2019';

/** A line that went through a word processor, a chat or a wiki, which put nicer characters in place of quotes and blanks. */
export const typography: Wrapping = {
  id: 'typography',
  title: 'curly quotes and special blanks',
  unwrap(text) {
    const payload = text.replace(CHANGED, plain);
    return payload === text ? null : { ...NOTHING_TOLD, payload };
  },
};

function plain(character: string): string {
  if (BLANKS.includes(character)) return ' ';
  if (NOTHING.includes(character)) return '';
  return SINGLE.includes(character) ? "'" : '"';
}
