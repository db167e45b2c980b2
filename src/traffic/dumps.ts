import type { Instant } from '../model/line.ts';
import type { DiagnosticRecord, LogRecord } from '../model/record.ts';
import { instantMs } from '../text/time.ts';

/** Threads of which a dump is kept, over all pods of an input. */
const MAX_THREADS = 1024;
/** A verdict follows its dump in the same call: what is further apart is of another request, whose dump was lost. */
const MAX_APART_MS = 1000;
/** Fields of a dump that are of the line and not of what was asked for. */
const OF_THE_LINE: ReadonlySet<string> = new Set(['source', 'thread', 'connection', 'stream']);

/**
 * Tells the verdicts of Envoy's RBAC filter what they are about. The filter prints in its debug log first what it was asked, who
 * calls included, and then what it decided, in one go and from one thread (envoy 1.37
 * source/extensions/filters/{http,network}/rbac/rbac_filter.cc); lines of other threads may stand between. A verdict that denies
 * gets the fields of its dump.
 */
export class Dumps {
  /** The dump that each thread of each pod printed last and did not decide yet, the oldest first. */
  readonly #open = new Map<string, DiagnosticRecord>();

  /** The record, or the same with what its dump told. */
  toldOf(record: LogRecord): LogRecord {
    if (record.kind !== 'diagnostic' || record.scope !== 'envoy rbac') return record;
    const thread = threadOf(record);
    if (thread === null) return record;
    if (record.message.startsWith('checking ')) {
      this.#keep(thread, record);
      return record;
    }
    const { mode, result } = record.fields;
    const dump = result === undefined ? undefined : this.#open.get(thread);
    // A dry run is told before what counts, by the same dump.
    if (mode === 'enforced') this.#open.delete(thread);
    if (dump === undefined || result !== 'denied' || !isOfOne(dump, record)) return record;
    const told = Object.entries(dump.fields).filter(([name]) => !OF_THE_LINE.has(name));
    return { ...record, fields: { ...Object.fromEntries(told), ...record.fields } };
  }

  #keep(thread: string, dump: DiagnosticRecord): void {
    this.#open.delete(thread);
    this.#open.set(thread, dump);
    const [oldest] = this.#open.size > MAX_THREADS ? this.#open.keys() : [];
    if (oldest !== undefined) this.#open.delete(oldest);
  }
}

/** Which thread of which proxy printed a line; null: releases before Istio 1.17 do not tell. */
function threadOf({ origin: { cluster, namespace, pod }, fields: { thread } }: DiagnosticRecord): string | null {
  return thread === undefined ? null : [cluster, namespace, pod, thread].join(' ');
}

/** Whether the two are of one request as far as their connections, requests and times tell. */
function isOfOne(dump: DiagnosticRecord, verdict: DiagnosticRecord): boolean {
  const isSame = (name: string): boolean => (dump.fields[name] ?? null) === (verdict.fields[name] ?? null);
  return isSame('connection') && isSame('stream') && isNear(dump.time, verdict.time);
}

function isNear(dump: Instant | null, verdict: Instant | null): boolean {
  return dump === null || verdict === null || Math.abs(instantMs(verdict) - instantMs(dump)) <= MAX_APART_MS;
}
