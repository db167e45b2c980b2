import { bare, isSame, takeOff } from '../traffic/peeled.ts';
import type { Wrapped } from '../traffic/recognize.ts';

/**
 * What may differ between lines with the same wrappings: a time of this length, without its zone; or what JSON has there, a string
 * without escapes, a number, a list of both.
 */
export type Gap = number | 'string' | 'number' | 'list';

/** The wrappings on one side of a payload: texts that stay, a gap between each two of them. Latin-1: a character a byte. */
export interface Side {
  readonly texts: readonly string[];
  readonly gaps: readonly Gap[];
}

/** What is around the payloads of lines that have the same wrappings, by the same pod. */
export interface Frame {
  readonly before: Side;
  readonly after: Side;
  /** The payload is what a string of JSON holds, but for this line end. Null: it is the rest of the line, as it stands. */
  readonly lineEnd: (typeof LINE_ENDS)[number] | null;
}

const LINE_ENDS = ['', '\n', '\r\n'] as const;
const NOTHING: Side = { texts: [''], gaps: [] };

/** Characters that wrappings have at most. */
const MAX_LENGTH = 16 * 1024;

/**
 * Keys under which collectors and log servers keep when a line came and which one it is: Fluent Bit, Docker, Vector, Filebeat
 * (`offset`), Elasticsearch (`_id`, `sort`, `_score`), Loki, OTLP, Google Cloud (`insertId`), CloudWatch, Azure, Splunk,
 * journald (`__CURSOR` and the clocks, systemd docs/JOURNAL_EXPORT_FORMATS). Who wrote the line stands under none of them.
 */
const KEYS =
  `time timestamp @timestamp date ts Time Date _time TimeGenerated timeUnixNano observedTimeUnixNano receiveTimestamp
  ingestionTime _indextime insertId eventId id _id sort _score offset _seqno _cd _bkt __CURSOR __REALTIME_TIMESTAMP
  __MONOTONIC_TIMESTAMP __SEQNUM _SOURCE_REALTIME_TIMESTAMP _SOURCE_MONOTONIC_TIMESTAMP`.split(/\s+/);
const TEXT = String.raw`"[^"\\\x00-\x1f]{0,256}"`;
const NUMBER = String.raw`-?(?:0|[1-9]\d{0,19})(?:\.\d{1,20})?`;
const LIST = String.raw`\[(?:${TEXT}|${NUMBER})(?:,(?:${TEXT}|${NUMBER})){0,8}\]`;
/** Behind a backslash quotes are others: nothing in a string looks like a key. */
const GAP = new RegExp(
  String.raw`(?<key>"(?:${KEYS.join('|')})"\s?:\s?)(?:(?<string>${TEXT})|(?<number>${NUMBER})(?=[\s,}\]])|(?<list>${LIST}))|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?`,
  'g',
);
const STRING = /"(?:[^"\\]|\\.)*"/g;

/**
 * Learns from one line, given as Latin-1, what is around its payload; null: that cannot be told. It is tried out: with another
 * payload in the frame, in which all stands that a wrapping may look for, and with other things in its gaps, the wrappings
 * must come off as before. Linear.
 */
export function frameOf(line: string, wrapped: Wrapped): Frame | null {
  const payload = Buffer.from(wrapped.payload).toString('latin1');
  if (payload === '' || line.length - payload.length > MAX_LENGTH) return null;
  const frame = line.endsWith(payload) ? plainFrame(line.slice(0, -payload.length)) : jsonFrame(line, payload);
  const isTrue = frame !== null && TRIALS.every((trial) => holds(frame, wrapped, trial));
  return isTrue ? frame : null;
}

function plainFrame(before: string): Frame {
  return { before: cut(before), after: NOTHING, lineEnd: null };
}

/** Null: the payload stands in no string of the line, or in several. */
function jsonFrame(line: string, payload: string): Frame | null {
  const strings = [...line.matchAll(STRING)].filter(([string]) => string.length > payload.length);
  const places = strings.flatMap(({ 0: string, index }) => {
    const text = textOf(string);
    const lineEnd = LINE_ENDS.find((end) => text === payload + end);
    return lineEnd === undefined ? [] : [{ start: index + 1, end: index + string.length - 1, lineEnd }];
  });
  const [place, second] = places;
  if (place === undefined || second !== undefined) return null;
  return { before: cut(line.slice(0, place.start)), after: cut(line.slice(place.end)), lineEnd: place.lineEnd };
}

function textOf(string: string): string | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(string, 'latin1').toString());
    return typeof value === 'string' ? Buffer.from(value).toString('latin1') : null;
  } catch {
    return null;
  }
}

function cut(text: string): Side {
  const texts: string[] = [];
  const gaps: Gap[] = [];
  let from = 0;
  for (const { 0: whole, index, groups } of text.matchAll(GAP)) {
    const start = index + (groups?.['key']?.length ?? 0);
    const kind = (['string', 'number', 'list'] as const).find((name) => groups?.[name] !== undefined);
    texts.push(text.slice(from, start));
    gaps.push(kind ?? whole.length);
    from = index + whole.length;
  }
  return { texts: [...texts, text.slice(from)], gaps };
}

/** What a frame is tried with. */
interface Trial {
  readonly time: string;
  readonly string: string;
  readonly number: string;
  readonly list: string;
  /** What stands behind the payload. */
  readonly more: string;
}

const TRIALS: readonly Trial[] = [
  { time: '2001-02-03T04:05:06.070809101', string: '""', number: '0', list: '[""]', more: '' },
  {
    time: '2099-12-31T23:59:59.999999999',
    string: '"a_b.c:d/e f-1"',
    number: '1795262748841.732',
    list: '[1795262748841,"x",0.5]',
    // What wrappings look for in the midst of a line or at its end, or change there.
    more: ' [pod/p/c] 2026-01-02T03:04:05Z stdout P {"log":"x","message":["y"]}=>, "z" “q” `c` \\_ &quot; \u001b[0m | ] } \\',
  },
];

function holds(frame: Frame, { recipe, origin, payload }: Wrapped, trial: Trial): boolean {
  const wanted = payload + trial.more;
  const inside = frame.lineEnd === null ? wanted : JSON.stringify(wanted + frame.lineEnd).slice(1, -1);
  const text = `${filled(frame.before, trial)}${inside}${filled(frame.after, trial)}`;
  const peeled = takeOff(bare({ at: NOWHERE, text, truncated: false }), recipe.wrappings, recipe.ids);
  return peeled !== null && peeled.payload === wanted && isSame(peeled.origin, origin);
}

const NOWHERE = { input: '', line: 0 };

function filled({ texts, gaps }: Side, trial: Trial): string {
  const parts = texts.map((text, index) => {
    const gap = gaps[index - 1];
    if (gap === undefined) return text;
    return (typeof gap === 'number' ? trial.time.slice(0, gap) : trial[gap]) + text;
  });
  return Buffer.from(parts.join(''), 'latin1').toString();
}
