import { NOTHING_TOLD, type Wrapping } from '../../src/model/line.ts';

const TAG = String.raw`<(?:/?[A-Za-z][A-Za-z0-9-]{0,20}(?:\s[^<>]{0,300})?/?|!\[CDATA\[)>?`;
const OPENING = new RegExp(String.raw`^(?:\s{0,64}${TAG}){1,12}(?=\S)`);
const CLOSING = /(?:\]\]>|<\/?[A-Za-z][A-Za-z0-9-]{0,20}\s?\/?>){1,12}\s{0,64}$/;

/** `<pre>L</pre>`, `<td class="line">L</td>`, `L<br/>`, `<system-out><![CDATA[L`: tags of HTML and XML at both ends of a line. */
export const htmlTags: Wrapping = {
  id: 'html-tags',
  title: 'tags of HTML or XML around the line',
  unwrap(text) {
    const payload = text.replace(CLOSING, '').replace(OPENING, '');
    return payload === text || payload === '' ? null : { ...NOTHING_TOLD, payload };
  },
};
