import { NOTHING_TOLD, type Wrapping } from '../../src/model/line.ts';
import { parseInstant } from '../../src/text/time.ts';

const HEAD = /^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)\t(?=[[{]|\d{4}-\d\d-\d\dT)/;

/** `TIME\tL`, the text that Grafana Explore saves; the time is the browser's. ztunnel's own time is followed by a level. */
export const grafanaText: Wrapping = {
  id: 'grafana-text',
  title: 'Grafana Explore, downloaded as text',
  unwrap(text) {
    if (text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return null;
    const head = HEAD.exec(text);
    if (head === null) return null;
    return { ...NOTHING_TOLD, payload: text.slice(head[0].length), time: parseInstant(head[1] ?? '') };
  },
};
