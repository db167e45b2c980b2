import type { Instant } from '../model/line.ts';
import type { LogRecord } from '../model/record.ts';
import type { Flow, InputTally, Sample, Traffic } from '../model/traffic.ts';
import { flowKey } from './key.ts';
import { marksOf } from './marks.ts';
import { mergeNotices } from './notices.ts';
import { isNotable } from './outcome.ts';
import { mergeShapes } from './shapes.ts';

/** Evidence kept per flow. */
export const MAX_SAMPLES = 3;
/** Source addresses kept per flow: the smallest as text, so that the choice does not depend on order. */
export const MAX_ADDRESSES = 8;
/**
 * Flows kept. Beyond it the rarest are dropped, those without a failure first, down to three quarters; what was dropped
 * is counted in `overflow`. About 3 KiB a flow.
 */
export const MAX_FLOWS = 16_384;

/** Nothing observed yet: the neutral element of `merge`. */
export function emptyTraffic(): Traffic {
  return { flows: new Map(), tallies: new Map(), overflow: { records: 0, failures: 0 } };
}

/** Adds one record and returns its flow. Amortised constant time. */
export function fold(traffic: Traffic, record: LogRecord): Flow {
  const key = flowKey(record);
  const flow = traffic.flows.get(key);
  if (flow !== undefined) {
    grow(flow, record);
    return flow;
  }
  const fresh = newFlow(key, record);
  traffic.flows.set(fresh.key, fresh);
  if (traffic.flows.size > MAX_FLOWS) evict(traffic);
  return fresh;
}

function newFlow(key: string, record: LogRecord): Flow {
  const notable = isNotable(record);
  const address = record.kind === 'diagnostic' ? null : record.source.address;
  return {
    key,
    record: notable ? record : { ...record, raw: '' },
    count: 1,
    firstSeen: record.time,
    lastSeen: record.time,
    bytesSent: record.kind === 'diagnostic' ? null : record.bytesSent,
    bytesReceived: record.kind === 'diagnostic' ? null : record.bytesReceived,
    maxDurationMs: record.kind === 'diagnostic' ? null : record.durationMs,
    samples: notable ? [sampleOf(record)] : [],
    sourceAddresses: address === null ? [] : [address],
  };
}

function grow(flow: Flow, record: LogRecord): void {
  flow.count++;
  const { time } = record;
  if (time !== null) {
    if (flow.firstSeen === null || time < flow.firstSeen) flow.firstSeen = time;
    if (flow.lastSeen === null || time > flow.lastSeen) flow.lastSeen = time;
  }
  if (record.kind !== 'diagnostic') {
    flow.bytesSent = plus(flow.bytesSent, record.bytesSent);
    flow.bytesReceived = plus(flow.bytesReceived, record.bytesReceived);
    flow.maxDurationMs = larger(flow.maxDurationMs, record.durationMs);
    addAddress(flow.sourceAddresses, record.source.address);
  }
  if (earlier(record, flow.record)) {
    flow.record = flow.samples.length === 0 ? { ...record, raw: '' } : record;
  }
  if (flow.samples.length > 0) addSample(flow.samples, record);
}

function addSample(samples: Sample[], record: LogRecord): void {
  const last = samples[samples.length - 1];
  if (last !== undefined && samples.length >= MAX_SAMPLES && !earlier(record, last)) return;
  insertSample(samples, sampleOf(record));
}

function insertSample(samples: Sample[], sample: Sample): void {
  let index = samples.length;
  while (index > 0 && earlier(sample, samples[index - 1] as Sample)) index--;
  samples.splice(index, 0, sample);
  if (samples.length > MAX_SAMPLES) samples.length = MAX_SAMPLES;
}

function sampleOf(record: LogRecord): Sample {
  return { at: record.at, time: record.time, raw: record.raw, marks: marksOf(record) };
}

function addAddress(addresses: string[], address: string | null): void {
  if (address === null || addresses[0] === address || addresses.includes(address)) return;
  let index = addresses.length;
  while (index > 0 && address < (addresses[index - 1] as string)) index--;
  if (index >= MAX_ADDRESSES) return;
  addresses.splice(index, 0, address);
  if (addresses.length > MAX_ADDRESSES) addresses.length = MAX_ADDRESSES;
}

/** A total order of records: by time (unknown last), then input, then line. Decides which samples are kept. */
function earlier(a: Pick<LogRecord, 'at' | 'time'>, b: Pick<LogRecord, 'at' | 'time'>): boolean {
  if (a.time !== b.time) return a.time !== null && (b.time === null || a.time < b.time);
  if (a.at.input !== b.at.input) return a.at.input < b.at.input;
  return a.at.line < b.at.line;
}

function plus(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : a + b;
}

function larger(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}

function smallerInstant(a: Instant | null, b: Instant | null): Instant | null {
  return a === null ? b : b === null || a < b ? a : b;
}

function largerInstant(a: Instant | null, b: Instant | null): Instant | null {
  return a === null ? b : b === null || a > b ? a : b;
}

function evict(traffic: Traffic): void {
  const rarest = [...traffic.flows.values()].sort(
    (a, b) =>
      Math.min(a.samples.length, 1) - Math.min(b.samples.length, 1) || a.count - b.count || (a.key < b.key ? -1 : 1),
  );
  for (const flow of rarest.slice(0, traffic.flows.size - Math.floor((MAX_FLOWS * 3) / 4))) {
    traffic.flows.delete(flow.key);
    traffic.overflow.records += flow.count;
    if (flow.samples.length > 0) traffic.overflow.failures += flow.count;
  }
}

/**
 * What two observations say together. Commutative and associative, and `merge(of A, of B)` equals `of A and B` as long
 * as no bound is hit. The arguments are left as they are.
 */
export function merge(a: Traffic, b: Traffic): Traffic {
  const merged: Traffic = {
    flows: new Map(),
    tallies: new Map(),
    overflow: {
      records: a.overflow.records + b.overflow.records,
      failures: a.overflow.failures + b.overflow.failures,
    },
  };
  for (const flow of [...a.flows.values(), ...b.flows.values()]) {
    const known = merged.flows.get(flow.key);
    merged.flows.set(flow.key, known === undefined ? copyFlow(flow) : mergeFlows(known, flow));
    if (merged.flows.size > MAX_FLOWS) evict(merged);
  }
  for (const tally of [...a.tallies.values(), ...b.tallies.values()]) {
    const known = merged.tallies.get(tally.name);
    merged.tallies.set(tally.name, known === undefined ? structuredClone(tally) : mergeTallies(known, tally));
  }
  return merged;
}

function copyFlow(flow: Flow): Flow {
  return { ...flow, samples: [...flow.samples], sourceAddresses: [...flow.sourceAddresses] };
}

function mergeFlows(a: Flow, b: Flow): Flow {
  const samples = [...a.samples];
  for (const sample of b.samples) insertSample(samples, sample);
  const sourceAddresses = [...a.sourceAddresses];
  for (const address of b.sourceAddresses) addAddress(sourceAddresses, address);
  return {
    key: a.key,
    record: earlier(b.record, a.record) ? b.record : a.record,
    count: a.count + b.count,
    firstSeen: smallerInstant(a.firstSeen, b.firstSeen),
    lastSeen: largerInstant(a.lastSeen, b.lastSeen),
    bytesSent: plus(a.bytesSent, b.bytesSent),
    bytesReceived: plus(a.bytesReceived, b.bytesReceived),
    maxDurationMs: larger(a.maxDurationMs, b.maxDurationMs),
    samples,
    sourceAddresses,
  };
}

/** Examples of unreadable lines kept per input. */
export const MAX_PROBLEMS = 5;

/** A tally of an input of which nothing was read yet. */
export function emptyTally(name: string): InputTally {
  return {
    name,
    lines: 0,
    records: 0,
    joined: 0,
    skipped: 0,
    malformed: 0,
    truncated: 0,
    parsers: {},
    problems: [],
    unrecognised: [],
    notices: [],
  };
}

function mergeTallies(a: InputTally, b: InputTally): InputTally {
  const parsers = { ...a.parsers };
  for (const [id, count] of Object.entries(b.parsers)) parsers[id] = (parsers[id] ?? 0) + count;
  return {
    name: a.name,
    lines: a.lines + b.lines,
    records: a.records + b.records,
    joined: a.joined + b.joined,
    skipped: a.skipped + b.skipped,
    malformed: a.malformed + b.malformed,
    truncated: a.truncated + b.truncated,
    parsers,
    problems: [...a.problems, ...b.problems].sort((x, y) => x.line - y.line).slice(0, MAX_PROBLEMS),
    unrecognised: mergeShapes(a.unrecognised, b.unrecognised),
    notices: mergeNotices(a.notices, b.notices),
  };
}
