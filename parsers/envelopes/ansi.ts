import { UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';

/** Colours, and the erase-line that grep prints with them (ECMA-48 SGR and EL); ESC may be spelt out as pagers and `cat -v` do. */
const COLOUR = /(?:\u001b|\^\[|\\(?:x1b|033|e|u001b))\[[0-9;:]{0,32}[mK]/gi;

/** Colours that stern, kubetail, grep or a pager put around words. ztunnel escapes ESC in its own values. */
export const ansi: Wrapping = {
  id: 'ansi',
  title: 'terminal colours',
  unwrap(text) {
    if (!text.includes('[')) return null;
    const payload = text.replace(COLOUR, '');
    return payload === text ? null : { payload, time: null, origin: UNKNOWN_ORIGIN, more: false, stream: null };
  },
};
