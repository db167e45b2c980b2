import { NOTHING_TOLD, UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';
import { parseInstant } from '../../src/text/time.ts';

const STAMP = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)`;
/** RFC 5424, section 6: structured data is `-` or bracketed; the message may begin with a byte order mark. */
const RFC_5424 = new RegExp(
  String.raw`^<\d{1,3}>\d{1,2} (-|${STAMP}) (\S{1,255}) \S{1,48} \S{1,128} \S{1,32} (?:-|(?:\[(?:[^\]\\]|\\.){0,4096}\]){1,16})(?: \ufeff?|$)`,
);
/** RFC 3164, and the same without priority as in `/var/log/syslog` and from journalctl (short, short-iso, short-precise). */
const RFC_3164 = new RegExp(
  String.raw`^(?:<\d{1,3}>)?(?:([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?)|(${STAMP})) ([\w.:-]{1,255}) [^\s:[]{1,128}(?:\[\d{1,10}\])?: ?`,
);

/** `<14>1 TIME HOST APP PID ID - L`, `Nov 21 12:05:48 HOST APP[PID]: L`. The year that the second lacks is not guessed. */
export const syslog: Wrapping = {
  id: 'syslog',
  title: 'syslog, journalctl',
  unwrap(text) {
    const modern = text.charCodeAt(0) === 60 ? RFC_5424.exec(text) : null;
    if (modern !== null) return told(text.slice(modern[0].length), modern[1] ?? '', modern[2] ?? '');
    const old = RFC_3164.exec(text);
    return old === null ? null : told(text.slice(old[0].length), old[2] ?? '', old[3] ?? '');
  },
};

function told(payload: string, stamp: string, host: string): ReturnType<Wrapping['unwrap']> {
  const node = host === '' || host === '-' ? null : host;
  return { ...NOTHING_TOLD, payload, time: parseInstant(stamp), origin: { ...UNKNOWN_ORIGIN, node } };
}
