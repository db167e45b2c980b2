import { NOTHING_TOLD, type Wrapping } from '../../src/model/line.ts';

const HEAD = /^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{6}\s{1,8}\d{1,10} [^\s:\]]{1,200}:\d{1,6}\] /;

/** `I1121 12:05:48.841732   1 logs.go:42] L`: a Go program that passes on what another one printed (kubernetes klog). */
export const klog: Wrapping = {
  id: 'klog',
  title: 'klog',
  unwrap(text) {
    if (text.charCodeAt(5) !== 32) return null;
    const head = HEAD.exec(text);
    return head === null ? null : { ...NOTHING_TOLD, payload: text.slice(head[0].length) };
  },
};
