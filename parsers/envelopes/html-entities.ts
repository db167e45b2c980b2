import { UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';

const ENTITY = /&(?:#34|#39|#38|#60|#62|quot|apos|lt|gt|amp);/g;

const CHARACTERS: Readonly<Record<string, string>> = {
  '&#34;': '"',
  '&quot;': '"',
  '&#39;': "'",
  '&apos;': "'",
  '&#60;': '<',
  '&lt;': '<',
  '&#62;': '>',
  '&gt;': '>',
  '&#38;': '&',
  '&amp;': '&',
};

/** A line copied out of the source of a web page: quotes and angle brackets are written as HTML entities. */
export const htmlEntities: Wrapping = {
  id: 'html-entities',
  title: 'HTML source',
  unwrap(text) {
    if (!text.includes('&')) return null;
    const payload = text.replace(ENTITY, (entity) => CHARACTERS[entity] ?? entity);
    return payload === text ? null : { payload, time: null, origin: UNKNOWN_ORIGIN, more: false, stream: null };
  },
};
