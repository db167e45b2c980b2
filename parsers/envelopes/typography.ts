import { NOTHING_TOLD, type Wrapping } from '../../src/model/line.ts';

/** Curly quotes, blanks that do not break, and characters without width that word processors and chats put in. */
const CHANGED =
  /[\u00a0\u00ad\u2000-\u200d\u2010\u2011\u202f\u205f\u2060\u3000\ufeff\u201c-\u201f\u2018\u2019\u00ab\u00bb]/g;
const BLANK = /[\u00a0\u2000-\u200a\u202f\u205f\u3000]/;
const NOTHING = '\u00ad\u200b\u200c\u200d\u2060\ufeff';
const HYPHENS = '\u2010\u2011';
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
  if (BLANK.test(character)) return ' ';
  if (NOTHING.includes(character)) return '';
  if (HYPHENS.includes(character)) return '-';
  return SINGLE.includes(character) ? "'" : '"';
}
