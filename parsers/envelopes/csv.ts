import type { DocumentReader, Wrapping } from '../../src/model/line.ts';
import { readDelimited } from '../../src/text/delimited.ts';

/** What is held of a row that runs over several lines. */
const MAX_ROW_LENGTH = 64 * 1024;
const MAX_ROW_LINES = 200;
const MAX_COLUMNS = 256;
/** Rows without the right number of values, one after the other, until the table is taken to be over. */
const MAX_STRAYS = 4;

/** Columns that hold the line, and others that stand beside it in the tables of log servers; compared without case. */
const LINES = new Set(
  '_raw message @message log line logmessage logentry textpayload content log_line event.original body'.split(' '),
);
const OTHERS =
  /^(?:@?timestamp|@?time(?:generated|stamp)?|_time|date|tsns|labels|id|_id|@ptr|@log(?:stream)?|log(?:stream|group)name|host|service|status|source(?:type)?|computer|(?:container|pod)(?:id|_?name|_?namespace)|insertid|severity|level|stream|tags|namespace|pod|container|node|(?:kubernetes|resource|k8s)[._].{1,100})$/i;

/**
 * A table whose first line names the columns (RFC 4180: quoted values may hold delimiters, quotes and line ends), as Splunk,
 * Datadog, Kibana, CloudWatch Insights, Azure and Grafana export it. Every row becomes an object of JSON, as a collector
 * writes it.
 */
export const csv: Wrapping = {
  id: 'csv',
  title: 'CSV export',
  unwrap: () => null,
  begin(text): DocumentReader | null {
    if (text.length > MAX_HEADER || !/message|_raw|log|line|content|textpayload|event\.original|body/i.test(text))
      return null;
    const delimiter = [',', ';', '\t'].find((sign) => text.includes(sign)) ?? ',';
    const columns = readDelimited(text, delimiter)?.map(columnName);
    return columns !== undefined && isHeader(columns) ? new CsvReader(columns, delimiter) : null;
  },
};

const MAX_HEADER = 4096;

/** Names of columns, before which no mark of another wrapping stands. */
const NAME = /^[A-Za-z_@][^"'<>[\]{}|]{0,127}$/;

/** A line's column, and another that such tables have; Splunk's `_raw` may stand alone. */
function isHeader(columns: readonly string[]): boolean {
  if (columns.length > MAX_COLUMNS || !columns.every((name) => name === '' || NAME.test(name))) return false;
  const lines = columns.filter((name) => LINES.has(name.toLowerCase()));
  return (
    lines.length > 0 &&
    (columns.some((name) => OTHERS.test(name)) || lines.includes('_raw') || lines.includes('@message'))
  );
}

/** `TimeGenerated [UTC]` in exports of Azure's portal. */
function columnName(title: string): string {
  return title.trim().replace(/ \[[^\]]{1,40}\]$/, '');
}

class CsvReader implements DocumentReader {
  readonly #columns: readonly string[];
  readonly #delimiter: string;
  #isHeader = true;
  #row = '';
  #lines = 0;
  #strays = 0;

  constructor(columns: readonly string[], delimiter: string) {
    this.#columns = columns;
    this.#delimiter = delimiter;
  }

  next(text: string): readonly string[] | 'open' | 'left' {
    if (this.#isHeader || (this.#lines === 0 && text === '')) {
      this.#isHeader = false;
      return [];
    }
    this.#row = this.#lines === 0 ? text : `${this.#row}\n${text}`;
    this.#lines++;
    const values = readDelimited(this.#row, this.#delimiter);
    if (values === null && this.#lines < MAX_ROW_LINES && this.#row.length < MAX_ROW_LENGTH) return 'open';
    this.#lines = 0;
    if (values !== null && values.length === this.#columns.length) {
      this.#strays = 0;
      return [JSON.stringify(Object.fromEntries(this.#columns.map((name, index) => [name, values[index]])))];
    }
    return ++this.#strays < MAX_STRAYS ? [] : 'left';
  }
}
