import { type Class, classOf } from './classes.ts';
import { COLUMN, type Column } from './columns.ts';
import { isAbsent } from './shapes.ts';

/** One column of lines in an unknown format. */
export interface Candidate {
  /** What its key says; null: it has none that is known. */
  readonly hint: Column | null;
  /** As printed, one a line. Untrusted. */
  readonly values: readonly string[];
  /** Whether the format sets it in quotes. */
  readonly isQuoted: boolean;
}

/** A candidate and what its values can only be. */
interface Seen extends Candidate {
  readonly name: Class;
}

/** Columns with what their values must be for a key to be believed; others are believed whatever they hold. */
const WANTED: ReadonlyMap<Column, readonly Class[]> = new Map<Column, readonly Class[]>([
  [COLUMN.time, ['time', 'number']],
  [COLUMN.status, ['code']],
  [COLUMN.flags, ['flags', 'absent']],
  [COLUMN.details, ['details', 'absent', 'termination', 'other']],
  [COLUMN.method, ['method', 'absent']],
  [COLUMN.protocol, ['protocol', 'absent']],
  [COLUMN.path, ['path', 'url', 'absent']],
  [COLUMN.bytesReceived, ['number', 'code', 'absent']],
  [COLUMN.bytesSent, ['number', 'code', 'absent']],
  [COLUMN.durationMs, ['number', 'code', 'absent']],
  [COLUMN.upstreamServiceMs, ['number', 'code', 'absent']],
  [COLUMN.attempts, ['number', 'code', 'absent']],
  [COLUMN.upstreamHost, ['address', 'absent']],
  [COLUMN.upstreamLocal, ['address', 'absent']],
  [COLUMN.downstreamLocal, ['address', 'absent', 'forwarded']],
  [COLUMN.downstreamRemote, ['address', 'absent', 'forwarded']],
  [COLUMN.downstreamDirect, ['address', 'absent', 'forwarded']],
  [COLUMN.sourceIdentity, ['identity', 'absent']],
  [COLUMN.destinationIdentity, ['identity', 'absent']],
]);

/** Classes whose only candidate is that column. */
const ONLY: readonly (readonly [name: Class, column: Column])[] = [
  ['method', COLUMN.method],
  ['protocol', COLUMN.protocol],
  ['flags', COLUMN.flags],
  ['details', COLUMN.details],
  ['termination', COLUMN.termination],
  ['failure', COLUMN.transportFailure],
  ['cluster', COLUMN.cluster],
  ['sni', COLUMN.serverName],
  ['uuid', COLUMN.requestId],
  ['agent', COLUMN.userAgent],
  ['grpc', COLUMN.grpcStatus],
];

/**
 * Which column each candidate is, by its key and by what its values can only be; null: nothing that is certain. Null for all:
 * the lines are no access log of Envoy, or what its columns are is not certain. Such a log has a status, what only Envoy
 * says of it, and a request.
 */
export function assignColumns(candidates: readonly Candidate[]): readonly (Column | null)[] | null {
  const seen = candidates.map((candidate) => ({ ...candidate, name: classOf(candidate.values) }));
  const columns = new Assignment(seen);
  columns.takeHints();
  columns.takeFirst('time', COLUMN.time);
  for (const [name, column] of ONLY) columns.takeOnly(name, column);
  columns.takeFirst('path', COLUMN.path);
  columns.takeStatus();
  columns.takeFlags();
  columns.takeCounts();
  columns.takeAddresses();
  columns.takeRemote();
  return columns.isProven() ? columns.list : null;
}

/** Details that no other program prints; words such as `route_not_found` may be an application's. */
const PROOF =
  /^(?:via_upstream$|rbac_access_denied_matched_policy\[|jwt_authn_access_denied\{|upstream_reset_(?:before|after)_response_started\{|ext_authz_(?:denied|error)$|filter_chain_not_found$|no_healthy_upstream$|upstream_(?:response|per_try)_timeout$)/;
/** Lines that must have flags where nothing but these proves an access log of Envoy's. */
const MIN_FLAGS = 2;

class Assignment {
  readonly #seen: readonly Seen[];
  readonly #columns: (Column | null)[];

  constructor(seen: readonly Seen[]) {
    this.#seen = seen;
    this.#columns = seen.map(() => null);
  }

  get list(): readonly (Column | null)[] {
    return this.#columns;
  }

  takeHints(): void {
    this.#seen.forEach(({ hint, name }, index) => {
      if (hint === null || this.#has(hint)) return;
      const wanted = WANTED.get(hint);
      if (wanted === undefined || wanted.includes(name)) this.#columns[index] = hint;
    });
  }

  takeFirst(name: Class, column: Column): void {
    if (this.#has(column)) return;
    const [first] = this.#open(name);
    if (first !== undefined) this.#columns[first] = column;
  }

  /** Takes the candidate of a class if there is just one; what several could be is not certain. */
  takeOnly(name: Class, column: Column): void {
    const [first, ...others] = this.#has(column) ? [] : this.#open(name);
    if (first !== undefined && others.length === 0) this.#columns[first] = column;
  }

  /** The status stands beside the request or what Envoy says of the answer; else it has to be the only number like one. */
  takeStatus(): void {
    if (this.#has(COLUMN.status)) return;
    const codes = this.#open('code').filter((index) => this.#seen[index]?.values.every(isStatus));
    const beside = codes.filter((index) => this.#isBesideAnswer(index));
    const [first, ...others] = beside.length > 0 ? beside : codes;
    if (first !== undefined && others.length === 0) this.#columns[first] = COLUMN.status;
  }

  #isBesideAnswer(index: number): boolean {
    const [before, after] = [this.#columns[index - 1], this.#columns[index + 1]];
    const request: readonly (Column | null | undefined)[] = [COLUMN.protocol, COLUMN.path];
    const answer: readonly (Column | null | undefined)[] = [COLUMN.flags, COLUMN.details];
    return request.includes(before) || answer.includes(after);
  }

  /** Flags that no line has stand behind the status, and before the details where there are any, as in all published formats. */
  takeFlags(): void {
    const status = this.#columns.indexOf(COLUMN.status);
    const isAbsentThere = this.#seen[status + 1]?.name === 'absent' && this.#seen[status + 1]?.hint === null;
    if (status < 0 || this.#has(COLUMN.flags) || !isAbsentThere) return;
    const isNext = this.#columns[status + 2] === COLUMN.details;
    const isOnly = !this.#has(COLUMN.details) && this.#isClass(COLUMN.cluster, 'cluster');
    if (isNext || isOnly) this.#columns[status + 1] = COLUMN.flags;
  }

  /**
   * Received, sent, duration and the time of the upstream in a row, as Envoy's defaults have them: the last is absent where no
   * upstream answered, and never longer than the one before.
   */
  takeCounts(): void {
    const row = [COLUMN.bytesReceived, COLUMN.bytesSent, COLUMN.durationMs, COLUMN.upstreamServiceMs];
    if (row.some((column) => this.#has(column))) return;
    const start = this.#seen.findIndex((_one, index) => row.every((_column, place) => this.#isCount(index + place)));
    const [duration, service] = [this.#seen[start + 2]?.values ?? [], this.#seen[start + 3]?.values ?? []];
    const fits = service.every((value, line) => isAbsent(value) || Number(value) <= Number(duration[line]));
    const isTold = service.some(isAbsent) && !service.every(isAbsent);
    if (start < 0 || this.#isCount(start - 1) || this.#isCount(start + 4) || !fits || !isTold) return;
    for (const [place, column] of row.entries()) this.#columns[start + place] = column;
  }

  #isCount(index: number): boolean {
    const { name } = this.#seen[index] ?? {};
    return this.#columns[index] === null && (name === 'number' || name === 'code');
  }

  /** The host stands before the cluster, own side and both ends of the client's behind it, as in Istio's defaults. */
  takeAddresses(): void {
    const cluster = this.#columns.indexOf(COLUMN.cluster);
    if (cluster < 0) return;
    this.#takeAddress(cluster - 1, COLUMN.upstreamHost);
    const behind = [COLUMN.upstreamLocal, COLUMN.downstreamLocal, COLUMN.downstreamRemote];
    const isRow = behind.every((_column, place) => this.#isAddress(cluster + 1 + place));
    if (!isRow || this.#isAddress(cluster + 4)) return;
    behind.forEach((column, place) => {
      this.#takeAddress(cluster + 1 + place, column);
    });
  }

  /** The only address that is never absent and has another port nearly each time is the client's. */
  takeRemote(): void {
    const open = this.#open('address').filter((index) => isClient(this.#seen[index]?.values ?? []));
    const [first, ...others] = this.#has(COLUMN.downstreamRemote) ? [] : open;
    if (first !== undefined && others.length === 0) this.#columns[first] = COLUMN.downstreamRemote;
  }

  #takeAddress(index: number, column: Column): void {
    if (this.#isAddress(index) && !this.#has(column)) this.#columns[index] = column;
  }

  #isAddress(index: number): boolean {
    const { name, values = [] } = this.#seen[index] ?? {};
    return this.#columns[index] === null && (name === 'address' || (name === 'absent' && values.length > 0));
  }

  /**
   * What no other program prints has to be there: details of Envoy's, a cluster of Istio's, or flags of Envoy's beside the
   * status.
   */
  isProven(): boolean {
    const status = this.#columns.indexOf(COLUMN.status);
    const hasRequest = [COLUMN.path, COLUMN.method, COLUMN.authority, COLUMN.cluster].some((column) =>
      this.#has(column),
    );
    const hasAnswer = this.#has(COLUMN.details) || this.#has(COLUMN.flags);
    if (status < 0 || !hasRequest || !hasAnswer) return false;
    if (this.#isClass(COLUMN.cluster, 'cluster')) return true;
    if (this.#isClass(COLUMN.details, 'details') && this.#holds(COLUMN.details, PROOF)) return true;
    const flags = this.#columns.indexOf(COLUMN.flags);
    const told = this.#seen[flags]?.values.filter((value) => !isAbsent(value)).length ?? 0;
    if (told < MIN_FLAGS) return false;
    return this.#isClass(COLUMN.flags, 'flags') && (flags === status + 1 || this.#seen[flags]?.hint === COLUMN.flags);
  }

  #isClass(column: Column, name: Class): boolean {
    return this.#seen[this.#columns.indexOf(column)]?.name === name;
  }

  #holds(column: Column, pattern: RegExp): boolean {
    return this.#seen[this.#columns.indexOf(column)]?.values.some((value) => pattern.test(value)) ?? false;
  }

  #has(column: Column): boolean {
    return this.#columns.includes(column);
  }

  /** Candidates of a class that are no column yet and whose key says nothing else. */
  #open(name: Class): readonly number[] {
    return this.#seen.flatMap((one, index) =>
      this.#columns[index] === null && one.hint === null && one.name === name ? [index] : [],
    );
  }
}

/** Status codes that servers send; 0: none was sent. */
const STATUSES: ReadonlySet<string> = new Set(
  (
    '0 100 101 103 200 201 202 203 204 205 206 207 301 302 303 304 307 308 400 401 402 403 404 405 406 407 408 409 410 411 412 ' +
    '413 414 415 416 417 418 421 422 423 424 425 426 428 429 431 451 499 500 501 502 503 504 505 507 508 511'
  ).split(' '),
);

function isStatus(value: string): boolean {
  return STATUSES.has(value);
}

function isClient(addresses: readonly string[]): boolean {
  const ports = new Set(addresses.map((address) => address.slice(address.lastIndexOf(':') + 1)));
  return !addresses.some(isAbsent) && ports.size > 2 && ports.size > addresses.length / 2;
}
