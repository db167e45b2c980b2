import { UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';

const ENTITY = /&(?:#(?:34|39|38|60|62|9|160|x22|x27|x26|x3[ceCE]|x2[fF]|x9|x[aA]0)|quot|apos|lt|gt|amp|nbsp);/g;

const CHARACTERS: Readonly<Record<string, string>> = {
  '&#9;': '\t',
  '&#x9;': '\t',
  '&nbsp;': ' ',
  '&#160;': ' ',
  '&#xa0;': ' ',
  '&#x2f;': '/',
  '&#34;': '"',
  '&#x22;': '"',
  '&quot;': '"',
  '&#39;': "'",
  '&#x27;': "'",
  '&apos;': "'",
  '&#60;': '<',
  '&#x3c;': '<',
  '&lt;': '<',
  '&#62;': '>',
  '&#x3e;': '>',
  '&gt;': '>',
  '&#38;': '&',
  '&#x26;': '&',
  '&amp;': '&',
};

/** A line copied out of the source of a web page: quotes and angle brackets are written as HTML entities. */
export const htmlEntities: Wrapping = {
  id: 'html-entities',
  title: 'HTML source',
  unwrap(text) {
    if (!text.includes('&')) return null;
    const payload = text.replace(ENTITY, (entity) => CHARACTERS[entity.toLowerCase()] ?? entity);
    return payload === text ? null : { payload, time: null, origin: UNKNOWN_ORIGIN, more: false, stream: null };
  },
};
