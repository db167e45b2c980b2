import { type Alias, aliasOf } from './aliases.ts';
import { COLUMN, cell, emptyRow, hasColumn, type Row } from './columns.ts';
import { areKnownFlags, isKnownDetails } from './details.ts';

/**
 * Collects the keys and values of a line in an unknown format, and says whether they are an access log of Envoy. Of two
 * keys with one meaning the first that has a value counts.
 */
export class Guess {
  readonly row: Row = emptyRow();
  #weight = 0;
  /** A key says that an application wrote the line. */
  #foreign = false;
  /** `why` or `reason`: details in some formats, transport failure in others. */
  #why: string | null = null;

  /** Takes one key. `value` as printed; `''` or `-` where it is absent. */
  add(key: string, value: string): void {
    const alias = aliasOf(key);
    this.#weight += alias.weight;
    if (APPLICATION_KEYS.has(alias.name)) this.#foreign = true;
    else if (alias.name === 'why' || alias.name === 'reason') this.#why ??= value;
    else this.#set(alias, value);
  }

  /** The row if the line is an access log: a numeric response code (or a TCP record) and something only Envoy prints. */
  finish(): Row | null {
    this.#placeWhy();
    const status = this.row[COLUMN.status] ?? null;
    if (status !== null && !/^(?:\d{1,3}|-|)$/.test(status)) return null;
    if (status === null && !hasColumn(this.row, COLUMN.flags)) return null;
    return this.#weight >= (this.#foreign ? 3 : 2) || (!this.#foreign && this.#reads(status)) ? this.row : null;
  }

  #set(alias: Alias, value: string): void {
    const { column, name } = alias;
    if (column === null) return;
    if (name === 'upstream') this.#setUpstream(value);
    else if (name === 'peer' && !value.startsWith('spiffe://') && value.length > 1)
      this.#fill(COLUMN.downstreamDirect, value);
    else if (name !== 'cluster' || value.includes('|') || value.endsWith('Cluster')) this.#fill(column, value);
  }

  #fill(column: (typeof COLUMN)[keyof typeof COLUMN], value: string): void {
    if (cell(this.row, column) === null) this.row[column] = value;
  }

  /** `host|cluster`, as `upstream=%UPSTREAM_HOST%|%UPSTREAM_CLUSTER%` prints it, or the host alone. */
  #setUpstream(value: string): void {
    const bar = value.indexOf('|');
    this.#fill(COLUMN.upstreamHost, bar < 0 ? value : value.slice(0, bar));
    if (bar >= 0) this.#fill(COLUMN.cluster, value.slice(bar + 1));
  }

  #placeWhy(): void {
    if (this.#why === null) return;
    const taken = hasColumn(this.row, COLUMN.details);
    this.#fill(taken || TRANSPORT_FAILURE.test(this.#why) ? COLUMN.transportFailure : COLUMN.details, this.#why);
  }

  /** Weak keys (`flags`, `details`, `why`) count by their values. */
  #reads(status: string | null): boolean {
    const details = this.row[COLUMN.details] ?? null;
    const flags = this.row[COLUMN.flags] ?? null;
    if (details !== null && isKnownDetails(details)) return true;
    if (flags !== null && areKnownFlags(flags)) return true;
    if (flags === '-') return details !== null || hasColumn(this.row, COLUMN.cluster);
    // TCP prints code 0 and nothing in the columns of HTTP.
    return status === '0' && (details === '' || details === '-');
  }
}

const TRANSPORT_FAILURE = /^(?:TLS_error|(?:delayed|immediate)_connect_error|tunnel_response|failed_to_bind)/;
const APPLICATION_KEYS: ReadonlySet<string> = new Set([
  'level',
  'lvl',
  'severity',
  'loglevel',
  'msg',
  'message',
  'logger',
  'loggername',
  'scope',
  'stacktrace',
  'caller',
  'thread',
]);
