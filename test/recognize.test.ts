import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Envelope, type Origin, UNKNOWN_ORIGIN, type Wrapping } from '../src/model/line.ts';
import type { DiagnosticRecord, LogRecord, Parsed, Parser } from '../src/model/record.ts';
import type { InputTally } from '../src/model/traffic.ts';
import { Recognizer } from '../src/traffic/recognize.ts';
import { emptyTally } from '../src/traffic/traffic.ts';

function recordOf(envelope: Envelope, parser: string): DiagnosticRecord {
  return {
    kind: 'diagnostic',
    at: envelope.at,
    parser,
    proxy: 'ztunnel',
    reporter: null,
    origin: envelope.origin,
    time: null,
    raw: envelope.payload,
    severity: 'error',
    scope: 'test',
    message: envelope.payload,
    fields: {},
  };
}

/** `REC text` is a record, `REC BROKEN` a broken one, `OPEN …` goes on to a line `CLOSE`; `+text` goes on after any record. */
const plainParser: Parser = {
  id: 'test-plain',
  title: 'test',
  parse(envelope): Parsed {
    const { payload } = envelope;
    if (payload.startsWith('OPEN ')) {
      if (payload.endsWith('\nCLOSE')) return recordOf(envelope, 'test-plain');
      return payload
        .split('\n')
        .slice(1)
        .every((line) => line === '' || line.startsWith('  '))
        ? { kind: 'unfinished' }
        : null;
    }
    if (payload === 'REC BROKEN') return { kind: 'malformed', reason: 'test says so' };
    return payload.startsWith('REC ') ? recordOf(envelope, 'test-plain') : null;
  },
  continues: (_record, payload) => payload.startsWith('+more+'),
};

/** Takes only what is wrapped: to see that a wrapping is peeled for nobody else. */
const otherParser: Parser = {
  id: 'test-other',
  title: 'test',
  parse: (envelope) => (/^(?:OPEN BUT )?OTHER/.test(envelope.payload) ? recordOf(envelope, 'test-other') : null),
};

const bracket: Wrapping = {
  id: 'bracket',
  title: 'test',
  unwrap(text) {
    const match = /^\[(\w+)\] (.*)$/s.exec(text);
    if (match === null) return null;
    return {
      payload: match[2] ?? '',
      time: null,
      origin: { ...UNKNOWN_ORIGIN, pod: match[1] ?? '' },
      more: false,
      stream: null,
    };
  },
};

const pieces: Wrapping = {
  id: 'pieces',
  title: 'test',
  unwrap(text) {
    const match = /^(PART|FULL):(\w+)(?:@(stdout|stderr))?:(.*)$/s.exec(text);
    if (match === null) return null;
    const stream = match[3] === 'stdout' || match[3] === 'stderr' ? match[3] : null;
    const origin = { ...UNKNOWN_ORIGIN, pod: match[2] ?? '' };
    return { payload: match[4] ?? '', time: null, origin, more: match[1] === 'PART', stream };
  },
};

function read(texts: readonly string[], home: Origin = UNKNOWN_ORIGIN): { records: LogRecord[]; tally: InputTally } {
  const tally = emptyTally('test');
  const records: LogRecord[] = [];
  const recognizer = new Recognizer({
    parsers: [plainParser, otherParser],
    wrappings: [bracket, pieces],
    tally,
    home,
    fold: (record) => {
      records.push(record);
      return null;
    },
  });
  texts.forEach((text, index) => {
    recognizer.feed({ at: { input: 'test', line: index + 1 }, text, truncated: text === 'REC truncated' });
  });
  recognizer.end();
  return { records, tally };
}

function accounted(tally: InputTally): number {
  return tally.records + tally.joined + tally.skipped + tally.malformed + tally.truncated;
}

describe('recognising lines', () => {
  it('peels wrappings to any depth, only around something that a parser takes', () => {
    const { records, tally } = read(['REC plain one', '[a] REC wrapped', '[a] [b] OTHER twice', '[a] nothing in here']);
    expect(records.map((record) => [record.parser, record.origin.pod, record.raw])).toEqual([
      ['test-plain', null, 'REC plain one'],
      ['test-plain', 'a', 'REC wrapped'],
      ['test-other', 'a', 'OTHER twice'],
    ]);
    expect(tally.skipped).toBe(1);
  });

  it('joins a record over several lines, in the stream of its own pod', () => {
    const { records, tally } = read([
      '[a] OPEN one',
      '[b] REC between',
      '[a]   inner',
      '[a] CLOSE',
      '[b] REC after it',
    ]);
    expect(records.map((record) => record.raw)).toEqual(['REC between', 'OPEN one\n  inner\nCLOSE', 'REC after it']);
    expect([tally.records, tally.joined]).toEqual([3, 2]);
  });

  it('a record that is never completed is malformed, and its other lines are read on their own', () => {
    const { records, tally } = read(['OPEN one', '  inner lines', 'REC second one', 'REC third one']);
    expect(records.map((record) => record.raw)).toEqual(['REC second one', 'REC third one']);
    expect([tally.malformed, tally.skipped]).toEqual([1, 1]);
    expect(tally.problems[0]?.line).toBe(1);
  });

  it('a parser that began a record and gave up leaves it to the parsers after it', () => {
    const { records } = read(['OPEN BUT OTHER', 'REC second one']);
    expect(records.map((record) => record.parser)).toEqual(['test-other', 'test-plain']);
  });

  it('lines that go on with the last record are joined to it', () => {
    const { tally } = read(['REC with more lines', '+more+ of it', '+more+ again', 'none of ours', 'REC another one']);
    expect([tally.records, tally.joined, tally.skipped]).toEqual([2, 2, 1]);
  });

  it('puts pieces of a cut line together, per pod', () => {
    const { records, tally } = read(['PART:a:REC be', 'PART:b:REC o', 'FULL:a:gin', 'FULL:b:ther']);
    expect(records.map((record) => record.raw)).toEqual(['REC begin', 'REC other']);
    expect([tally.records, tally.joined]).toEqual([2, 2]);
  });

  it('puts pieces of the two streams of one container together, each on its own', () => {
    const { records, tally } = read([
      'PART:a@stdout:REC be',
      'PART:a@stderr:REC o',
      'FULL:a@stdout:gin',
      'FULL:a@stderr:ther',
    ]);
    expect(records.map((record) => record.raw)).toEqual(['REC begin', 'REC other']);
    expect([tally.records, tally.joined]).toEqual([2, 2]);
  });

  it('a line of an open record may be cut', () => {
    const { records, tally } = read([
      'FULL:a:OPEN one',
      'PART:a:  in',
      'FULL:a:ner',
      'FULL:a:CLOSE',
      'FULL:a:REC after it',
    ]);
    expect(records.map((record) => record.raw)).toEqual(['OPEN one\n  inner\nCLOSE', 'REC after it']);
    expect([tally.records, tally.joined]).toEqual([2, 3]);
  });

  it('pieces without end are dropped and counted', () => {
    const { tally } = read(Array.from({ length: 2000 }, () => `PART:a:${'x'.repeat(100)}`));
    expect([tally.lines, tally.truncated]).toEqual([2000, 2000]);
  });

  it('a cut line without its rest is malformed', () => {
    const { tally } = read(['PART:a:REC be', 'REC something else']);
    expect([tally.records, tally.malformed]).toEqual([1, 1]);
  });

  it('lines that do not say who wrote them are by whoever wrote the input; those that say another pod are not', () => {
    const home = { ...UNKNOWN_ORIGIN, namespace: 'shop', pod: 'a', container: 'istio-proxy' };
    const { records } = read(['REC plain one', '[a] REC same', '[b] REC other', 'OPEN one', '  inner', 'CLOSE'], home);
    expect(records.map(({ raw, origin }) => [raw, origin])).toEqual([
      ['REC plain one', home],
      ['REC same', home],
      ['REC other', { ...UNKNOWN_ORIGIN, pod: 'b' }],
      ['OPEN one\n  inner\nCLOSE', home],
    ]);
  });

  it('every line is accounted for once, whatever comes', () => {
    const text = fc.constantFrom(
      'REC fine line',
      'REC BROKEN',
      'REC truncated',
      'OPEN one',
      '  inner lines',
      'CLOSE',
      '+more+ of it',
      '',
      'garbage',
      '{',
      'PART:a:REC x',
      'FULL:a:yyyyyyy',
      '[p] OPEN two',
      '[p]   inner',
      '[p] CLOSE',
      '[p] REC in pod',
      '[p] noise in pod',
      'OTHER line here',
      'OPEN BUT OTHER',
      'PART:p:OPEN th',
      'FULL:p:ree three',
      'PART:p:  inn',
      'FULL:p:er lines',
      'FULL:p:CLOSE',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(text, fc.string())), (texts) => {
        const { records, tally } = read(texts);
        expect(accounted(tally)).toBe(tally.lines);
        expect(tally.lines).toBe(texts.length);
        expect(records.length).toBe(tally.records);
      }),
    );
  });
});
