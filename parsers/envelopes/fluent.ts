import { NOTHING_TOLD, UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';
import { readContainerLogName } from '../../src/text/container-log-name.ts';
import { parseEpoch } from '../../src/text/epoch.ts';
import { parseInstant } from '../../src/text/time.ts';

/** Fluentd: `TIME TAG: {…}` on stdout, `TIME\tTAG\t{…}` in files, with blanks or commas if so configured. */
const FLUENTD =
  /^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z| ?[+-]\d\d:?\d\d)?)[\t ,]([^\s,]{1,512}?):?[\t ,](?=\{)/;
/** Fluent Bit on stdout: `[0] TAG: [[SECONDS, {metadata}], {…}]`; up to 2.0 `[0] TAG: [SECONDS, {…}]`. */
const FLUENT_BIT =
  /^\[\d{1,10}\] (\S{1,512}): \[(?:\[(\d{1,10}(?:\.\d{1,9})?), \{[^{}]{0,1024}\}\]|(\d{1,10}(?:\.\d{1,9})?)), (?=\{)/;
/** How Fluent Bit prints a key: the arrow of Ruby. Behind a backslash it is text. */
const ARROW = /("(?:[^"\\]|\\.)*")=>/g;

/** What Fluentd and Fluent Bit print of a record: time and tag, and the record as JSON, or nearly. */
export const fluent: Wrapping = {
  id: 'fluent',
  title: 'Fluentd and Fluent Bit, standard output and files',
  unwrap(text) {
    const first = text.charCodeAt(0);
    if (first === BRACKET) return fromFluentBit(text);
    if (first < 48 || first > 57) return null;
    const head = FLUENTD.exec(text);
    if (head === null) return null;
    const [prefix, stamp = '', tag = ''] = head;
    const origin = readContainerLogName(tag) ?? UNKNOWN_ORIGIN;
    return { ...NOTHING_TOLD, payload: text.slice(prefix.length), time: parseInstant(stamp), origin };
  },
};

const BRACKET = 91;

function fromFluentBit(text: string): ReturnType<Wrapping['unwrap']> {
  const head = FLUENT_BIT.exec(text);
  if (head === null || !text.endsWith(']')) return null;
  const [prefix, tag = '', withMetadata, seconds] = head;
  return {
    ...NOTHING_TOLD,
    payload: text.slice(prefix.length, -1).replace(ARROW, '$1:'),
    time: parseEpoch(withMetadata ?? seconds),
    origin: readContainerLogName(tag) ?? UNKNOWN_ORIGIN,
  };
}
