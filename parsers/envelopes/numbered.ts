import { NOTHING_TOLD, type Wrapping } from '../../src/model/line.ts';

const NUMBER =
  /^#\d{1,6} \d{1,8}\.\d{1,9} |^\s{0,16}\d{1,8}(?:[.):|]\s{0,4}|\t|\s{1,4}\|\s?|\s{1,4}(?=[[{]|\d{4}-\d\d-\d\dT))/;

/**
 * `12. L`, `12\tL`, `12 | L`: lines with their numbers as `cat -n`, `less -N` and web pages show them, or a numbered list;
 * `#12 3.456 L` of BuildKit.
 */
export const numbered: Wrapping = {
  id: 'numbered',
  title: 'numbered lines',
  unwrap(text) {
    const number = NUMBER.exec(text);
    return number === null ? null : { ...NOTHING_TOLD, payload: text.slice(number[0].length) };
  },
};
