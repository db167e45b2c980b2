import { NOTHING_TOLD, UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';
import { readContainerLogName } from '../../src/text/container-log-name.ts';
import { parseInstant } from '../../src/text/time.ts';

/** Not CRI's stream and tag, and not a second time. */
const DETAILED =
  /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (?!std(?:out|err) [PF]|\d{4}-\d\d-\d\dT)([^\s"{[]\S{0,511}) /;
/** Without a zone: the clock of whoever ran it. */
const SHORT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})? /;

/** `TIME STREAM L`, or `TIME L` with a time that has no zone (aws-cli awscli/customizations/logs/tail). */
export const cloudwatchTail: Wrapping = {
  id: 'cloudwatch-tail',
  title: 'aws logs tail (CloudWatch)',
  unwrap(text) {
    if (text.charCodeAt(4) !== 45 || text.charCodeAt(10) !== 84) return null;
    const detailed = DETAILED.exec(text);
    if (detailed !== null) {
      const [head, stamp = '', stream = ''] = detailed;
      const origin = readContainerLogName(stream) ?? UNKNOWN_ORIGIN;
      return { ...NOTHING_TOLD, payload: text.slice(head.length), time: parseInstant(stamp), origin };
    }
    const short = SHORT.exec(text);
    return short === null ? null : { ...NOTHING_TOLD, payload: text.slice(short[0].length) };
  },
};
