import { NOTHING_TOLD, type Wrapping } from '../../src/model/line.ts';

/** What Markdown would take for a sign of its own. Quotes and backslashes are not among them: proxies escape those. */
const ESCAPED = /\\([[\]_*`<>#|~{}()+.!-])/g;

/** A line that an editor wrote as Markdown: `\[2026-…\] … rbac\_access\_denied`. */
export const markdownEscapes: Wrapping = {
  id: 'markdown-escapes',
  title: 'escaped for Markdown',
  unwrap(text) {
    if (!text.includes('\\')) return null;
    const payload = text.replace(ESCAPED, '$1');
    return payload === text ? null : { ...NOTHING_TOLD, payload };
  },
};
