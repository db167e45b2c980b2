import { UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';

/**
 * What a terminal is told between the characters (ECMA-48): colours and other control sequences, titles and marks of a CI system
 * (OSC, APC), returns at the end. ESC may be spelt out as pagers and `cat -v` do, before colours and grep's erase-line.
 */
const CONTROLS =
  /\u001b\[[0-?]{0,32}[ -/]{0,2}[@-~]|\u001b[\]_][^\u0007\u001b]{0,256}(?:\u0007|\u001b\\)|(?:\^\[|\\(?:x1b|033|e|u001b))\[[0-9;:]{0,32}[mK]|^\r+|\r+$/gi;

/** Colours that stern, kubetail, grep or a pager put around words. ztunnel escapes ESC in its own values. */
export const ansi: Wrapping = {
  id: 'ansi',
  title: 'terminal colours',
  unwrap(text) {
    const payload = text.replace(CONTROLS, '');
    return payload === text ? null : { payload, time: null, origin: UNKNOWN_ORIGIN, more: false, stream: null };
  },
};
