import type { DocumentReader, Unwrapped, Wrapping } from '../../src/model/line.ts';
import { jsonText, parseJsonObject } from '../../src/text/json-line.ts';
import { holdsLines } from '../../src/text/line-start.ts';
import { streamOf } from '../../src/text/stream.ts';
import { beginJsonDocument } from './json/document.ts';
import { type Json, lineObject, lineText, originOf, timeOf } from './json/fields.ts';

/**
 * A line inside the JSON object of a log collector or a log server (where, says the table in `json/fields.ts`), and documents
 * of many such objects. A line that the collector parsed is printed as JSON again.
 */
export const collectorJson: Wrapping = {
  id: 'collector-json',
  title: 'JSON of a log collector or log server',
  unwrap(text): Unwrapped | null {
    const record = BEGIN.test(text) ? parseJsonObject(text.replace(AROUND, '')) : null;
    if (record === null || isDocker(record)) return null;
    const line = lineText(record) ?? jsonText(lineObject(record));
    // Of many lines each is read on its own.
    if (line === null || holdsLines(line)) return null;
    return {
      payload: line.replace(/\r?\n$/, ''),
      time: timeOf(record),
      origin: originOf(record),
      more: isPartial(record),
      stream: streamOf(record['stream'] ?? record['LogSource'] ?? record['LogEntrySource']),
    };
  },
  begin(text): DocumentReader | null {
    return beginJsonDocument(text);
  },
};

/** A brace; before and behind it, what a list with one record a line has around each. */
const BEGIN = /^\s{0,64}[[,]?\s{0,8}\{/;
const AROUND = /^[\s[,]{1,74}|(?<=\})[\],][\s\],]{0,8}$/g;

/** Docker's own file has a wrapping of its own. */
function isDocker(record: Json): boolean {
  const keys = Object.keys(record);
  return (
    keys.length >= 3 && keys.every((key) => key === 'log' || key === 'stream' || key === 'time' || key === 'attrs')
  );
}

/** A piece of a line: tag P of the container's log (Fluent Bit), a mark of Vector, of Docker's driver for Fluentd. */
function isPartial(record: Json): boolean {
  if (record['_p'] === 'P' || record['logtag'] === 'P' || record['_partial'] === true) return true;
  return isTrue(record['partial_message']) && !isTrue(record['partial_last']);
}

function isTrue(value: unknown): boolean {
  return value === true || value === 'true';
}
