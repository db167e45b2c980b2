import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { parsers, wrappings } from '../parsers/index.ts';
import { rules } from '../rules/index.ts';
import { Analysis } from '../src/analyze.ts';
import { unknownMesh } from '../src/mesh/view.ts';
import { UNKNOWN_ORIGIN } from '../src/model/line.ts';
import type { LogRecord, Parser, Skimmed } from '../src/model/record.ts';
import { NO_WISHES } from '../src/model/remedy.ts';
import type { Traffic } from '../src/model/traffic.ts';
import { BulkCounter } from '../src/skim/bulk.ts';
import { instantOfStamp, stampAt } from '../src/text/stamp.ts';
import { flowKey } from '../src/traffic/key.ts';
import { Recognizer } from '../src/traffic/recognize.ts';
import { emptyTally, emptyTraffic, fold, MAX_FLOWS } from '../src/traffic/traffic.ts';
import { SOME_TIME } from './analysis.ts';
import { FORMATS, type Format, generateLog } from './bench/generate.ts';
import { hasShared, needsShared, shared } from './shared.ts';
import { WRAPPED, type Wrapped } from './wrapped.ts';

const skimmers = parsers.filter((parser) => parser.skim !== undefined);
const folder = mkdtempSync(join(tmpdir(), 'meshmend-skim-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Calls `onLine` with the place of every line of a log, without line ends, as files are read. */
function eachLine(log: Buffer, onLine: (number: number, start: number, end: number) => void): void {
  let start = 0;
  for (let number = 1; start < log.length; number++) {
    const newline = log.indexOf(10, start);
    const stop = newline < 0 ? log.length : newline;
    onLine(number, start, stop > start && log[stop - 1] === 13 ? stop - 1 : stop);
    start = stop + 1;
  }
}

interface Seen {
  readonly traffic: Traffic;
  /** Lines that were counted without being parsed. */
  readonly counted: number;
}

/** What a log comes to, by the road that parses every line, or by the bulk road. */
function observe(log: Buffer, road: 'plain' | 'bulk'): Seen {
  const traffic = emptyTraffic();
  const tally = emptyTally('log');
  traffic.tallies.set('log', tally);
  const recognizer = new Recognizer({ parsers, wrappings, tally, fold: (record) => fold(traffic, record) });
  const bulk = new BulkCounter(traffic, parsers);
  let counted = 0;
  eachLine(log, (line, start, end) => {
    const skims = road === 'bulk' && !recognizer.busy;
    const known = skims ? bulk.count(log, start, end, recognizer.recipe) : null;
    if (known !== null) {
      counted++;
      recognizer.pass(known);
      return;
    }
    const text = log.toString('utf8', start, end);
    const read = recognizer.feed({ at: { input: 'log', line }, text, truncated: false });
    if (skims && read !== null) bulk.learn(log, start, end, read);
  });
  bulk.forget();
  recognizer.end();
  return { traffic, counted };
}

const POD = 'web-6d4cf56db6-x2k8p.log';

/** The report on a log that comes as several inputs: two line by line in turn, and the log of a pod whose lines stand together. */
function report(log: Buffer, road: 'plain' | 'bulk'): string {
  const tool = { name: 'meshmend', version: 'test' };
  const analysis = new Analysis({
    parsers,
    wrappings,
    rules,
    mesh: unknownMesh,
    tool,
    since: null,
    until: null,
    wishes: NO_WISHES,
  });
  eachLine(log, (line, start, end) => {
    const ofPod = line % 128 < 64;
    const input = ofPod ? POD : line % 2 === 0 ? 'even' : 'odd';
    if (road === 'bulk') analysis.feedBytes(input, line, log, start, end);
    else analysis.feed({ at: { input, line }, text: log.toString('utf8', start, end), truncated: false });
  });
  analysis.end('odd');
  analysis.end('even');
  analysis.end(POD);
  return JSON.stringify(analysis.report(SOME_TIME, false), null, 1);
}

/** Fails unless both roads see the same; answers what the bulk road saw. */
function expectSame(log: Buffer): Seen {
  const bulk = observe(log, 'bulk');
  const plain = observe(log, 'plain');
  expect(bulk.traffic.tallies).toEqual(plain.traffic.tallies);
  expect(bulk.traffic.overflow).toEqual(plain.traffic.overflow);
  expect([...bulk.traffic.flows.values()]).toEqual([...plain.traffic.flows.values()]);
  return bulk;
}

/** A line as a skimmer cuts it: its pieces as text, and the words in the gaps between them, the time first. Null: it does not. */
interface Cut {
  readonly pieces: readonly string[];
  readonly gaps: readonly (readonly [start: number, end: number])[];
  readonly skimmed: Skimmed;
}

function cutOf(parser: Parser, line: string): Cut | null {
  const bytes = Buffer.from(line, 'latin1');
  const spans = new Int32Array(40);
  const skimmed = { spans, pieces: 0, timeStart: 0, timeEnd: 0, bytesSent: 0, bytesReceived: 0, durationMs: 0 };
  if (!parser.skim?.(bytes, 0, bytes.length, skimmed)) return null;
  const bounds = Array.from({ length: skimmed.pieces }, (_, piece): [number, number] => [
    spans[2 * piece] ?? 0,
    spans[2 * piece + 1] ?? 0,
  ]);
  const gaps: [number, number][] = [[skimmed.timeStart, skimmed.timeEnd]];
  const sorted = [...bounds].sort((a, b) => a[0] - b[0]);
  sorted.forEach(([start, stop], index) => {
    const before = sorted[index - 1]?.[1] ?? start;
    expect(0 <= before && before <= start && start <= stop && stop <= bytes.length).toBe(true);
    const isTime = skimmed.timeStart >= before && skimmed.timeEnd <= start;
    if (isTime) return;
    for (const word of line.slice(before, start).matchAll(/[^ "]+/g)) {
      gaps.push([before + word.index, before + word.index + word[0].length]);
    }
  });
  return { pieces: bounds.map(([start, stop]) => line.slice(start, stop)), gaps, skimmed };
}

/** The record of a line. What stands in a log as bytes above 127 is read as Latin-1: it plays no part here. */
function recordOf(parser: Parser, line: string): LogRecord | null {
  const at = { input: 'log', line: 1 };
  const parsed = parser.parse({ at, wrappings: [], time: null, origin: UNKNOWN_ORIGIN, payload: line });
  return parsed === null || parsed.kind === 'malformed' || parsed.kind === 'unfinished' ? null : parsed;
}

/** What the law promises of a record: what is told by its shape, and what is read from the volatile columns. */
function promised(record: LogRecord): readonly unknown[] {
  if (record.kind === 'diagnostic') return ['no traffic'];
  const { parser, kind, proxy, reporter, source, destination, service } = record;
  const ends = { source: { ...source, port: null }, destination, service };
  return [flowKey(record), parser, kind, proxy, reporter, ends];
}

/** Fails if two lines with equal pieces break the law. Answers whether the second one was cut as the first. */
function checkLaw(parser: Parser, first: string, second: string): boolean {
  const a = cutOf(parser, first);
  const b = cutOf(parser, second);
  if (a === null || b === null || JSON.stringify(a.pieces) !== JSON.stringify(b.pieces)) return false;
  const stamp = stampAt(Buffer.from(second, 'latin1'), b.skimmed.timeStart, b.skimmed.timeEnd);
  const known = recordOf(parser, first);
  if (known === null || Number.isNaN(stamp)) return false;
  const record = recordOf(parser, second);
  if (record === null || record.kind === 'diagnostic')
    throw new Error(`has the shape of a record, but is none: ${second}`);
  expect(promised(record)).toEqual(promised(known));
  const { bytesSent, bytesReceived, durationMs } = b.skimmed;
  expect([record.time, record.bytesSent, record.bytesReceived, record.durationMs]).toEqual([
    instantOfStamp(stamp),
    bytesSent,
    bytesReceived,
    durationMs,
  ]);
  return true;
}

function generated(format: Format, bytes: number): Buffer {
  const path = join(folder, format);
  generateLog(path, format, bytes, 7);
  return readFileSync(path);
}

const LOGS: Readonly<Record<Format, Buffer>> = {
  'ztunnel-text': generated('ztunnel-text', 400_000),
  'ztunnel-json': generated('ztunnel-json', 400_000),
  'envoy-text': generated('envoy-text', 400_000),
  'envoy-json': generated('envoy-json', 400_000),
};

const FAILURE =
  '[2026-01-02T03:04:05.001Z] "GET /admin HTTP/1.1" 403 - rbac_access_denied_matched_policy[none] - "-" 0 19 0 - "-" "curl" "a-b" "shop" "-" inbound|80|| - 10.0.0.1:80 10.0.0.5:40001 outbound_.80_._.shop.a.svc.cluster.local default';

/** Lines of the eras and kinds that the generator does not write. */
const OTHERS = [
  FAILURE,
  '[2020-11-25T21:26:18.409Z] "GET /status/418?x=1 HTTP/1.1" 418 - "-" 0 135 4 3 "-" "curl/7.73.0" "84961386-6d84-929d-98bd-c5aee93b5c88" "httpbin:8000" "127.0.0.1:80" inbound|8000|| 127.0.0.1:41854 10.44.1.27:80 10.44.1.23:37652 outbound_.8000_._.httpbin.foo.svc.cluster.local default',
  '[2020-11-25T21:26:19.409Z] "GET /status/200 HTTP/2" 200 - "-" "-" 0 135 4 - "10.1.1.1" "curl/7.73.0" "84961386-6d84-929d-98bd-c5aee93b5c89" "httpbin:8000" "127.0.0.1:80" inbound|8000|| 127.0.0.1:41855 10.44.1.27:80 10.44.1.23:37653 outbound_.8000_._.httpbin.foo.svc.cluster.local default',
  '[2020-12-10T21:06:04.154Z] "- - -" 0 - - - "-" 12 340 14 - "-" "-" "-" "-" "10.244.0.51:8443" outbound|8443||db.shop.svc.cluster.local 10.244.0.52:41000 10.96.0.50:8443 10.244.0.52:35008 - -',
  '[2026-01-02T03:04:05.001Z] "GET /users/1234/orders/8f14e45fceea167a?page=2&token=x#top HTTP/1.1" 200 - via_upstream - "-" 0 1 2 2 "203.0.113.9,10.0.0.1" "Mozilla/5.0 (X11; Linux x86_64)" "a" "shop" "[fd00::7]:8080" inbound|8080|| [::6]:40000 [fd00::7]:8080 [fd00::9]:0 outbound_.80_._.shop.svc default',
  '{"start_time":"2026-01-02T03:04:05.001Z","method":"GET","path":"/a;b=1/77?c","protocol":"HTTP/1.1","response_code":"200","response_flags":"-","bytes_received":"1","bytes_sent":"2","duration":"3","upstream_service_time":"-","x_forwarded_for":"-","user_agent":"x","request_id":"-","authority":"a","upstream_host":"10.0.0.1:80","upstream_cluster":"inbound|80||","upstream_local_address":"127.0.0.6:1","downstream_local_address":"10.0.0.1:80","downstream_remote_address":"10.0.0.2:9","requested_server_name":"-","upstream_transport_failure_reason":"-","route_name":"default","istio_policy_status":"-"}',
  // A request id is all that tells this request from a connection.
  '[2026-01-02T03:04:05.001Z] "- - -" 0 - - - "-" 12 340 14 - "-" "-" "abcd" "-" "10.244.0.51:8443" outbound|8443||db.shop.svc.cluster.local 10.244.0.52:41000 10.96.0.50:8443 10.244.0.52:35008 - -',
  // Port 0 of the caller tells a sidecar from a gateway.
  '[2026-01-02T03:04:05.001Z] "GET /users/0a1b2c3d HTTP/1.1" 200 - via_upstream - "-" 0 1 2 2 "-" "curl" "a-b" "shop" "10.0.0.1:80" outbound|80||shop.a.svc 10.0.0.9:40000 10.96.0.1:80 203.0.113.5:40001 - default',
  // Where a token is met anywhere, more of the line is masked.
  '[2026-01-02T03:04:05.001Z] "GET /authorization=abc/feedbeef HTTP/1.1" 200 - via_upstream - "-" 0 1 2 2 "-" "curl" "a-b" "shop" "10.0.0.1:80" inbound|80|| 127.0.0.6:40000 10.0.0.1:80 10.0.0.5:40001 - default',
];

function linesOf(log: Buffer): string[] {
  return log.toString('latin1').split(/\r?\n/);
}

const LINES: readonly string[] = [...OTHERS, ...Object.values(LOGS).flatMap((log) => linesOf(log).slice(0, 300))];

/** What clients would like to put into the gaps of a line, and what might be read otherwise there. */
const HOSTILE: readonly string[] = [
  ...['', '0', '7', '007', '4242', '65536', '123456789012345678', '-', '--', 'null', '"x"', '1e+05', '1.5', '[::1]:80'],
  ...['2026-01-02T03:04:05.678Z', '2026-13-02T03:04:05.678Z', '9999-99-99T99:99:99.999Z', '0a1b2c3d', 'feedbeef'],
  ...['" "', '"', '\\', '\\"', '\t', '\u001b[0m', ' ', ',', 'eyJhbGciOiJIUzI1NiJ9', 'x?y=1', '/a/1', ';token=x', '#'],
  ...[
    '" 200 - via_upstream - "-" 1 2 3 4 "-" "',
    'kube-probe/1.27',
    'Mozilla/5.0 zgrab/0.x',
    '","duration":9,"x":"',
    '" bytes_sent=1 bytes_recv=1 duration="1ms"',
  ],
];

const gapText: fc.Arbitrary<string> = fc.oneof(
  fc.nat({ max: 99_999 }).map(String),
  fc.constantFrom(...HOSTILE),
  fc.string({ maxLength: 12 }),
);

const anyLine = fc.oneof(fc.constantFrom(...LINES), fc.constantFrom(...OTHERS));

/** Fillings of the gaps of one line, the time first; null leaves one as it is. */
type Fillings = readonly (string | null)[];
const fillings: fc.Arbitrary<Fillings> = fc.array(fc.option(gapText, { freq: 2 }), { maxLength: 17 });
/** The time of a line: a moment of one second, with as many digits as it had. */
const moment = fc.nat({ max: 999_999 }).map((micros) => String(micros).padStart(6, '0'));

function refill(text: string, { gaps }: Cut, contents: Fillings): string {
  const filled = gaps.map(([start, end], index) => ({ start, end, content: contents[index] ?? null }));
  let at = 0;
  let out = '';
  for (const { start, end, content } of filled.sort((a, b) => a.start - b.start)) {
    out += text.slice(at, start) + (content ?? text.slice(start, end));
    at = end;
  }
  return out + text.slice(at);
}

/** The line with one word of its gaps replaced, in every way. */
function eachChange(parser: Parser, text: string): string[] {
  const cut = cutOf(parser, text);
  if (cut === null) return [];
  return cut.gaps.flatMap((_, gap) =>
    HOSTILE.map((content) =>
      refill(
        text,
        cut,
        cut.gaps.map((__, at) => (at === gap ? content : null)),
      ),
    ),
  );
}

/** The line at another moment. */
function retime(text: string, micros: string): string {
  return text.replace(/T\d\d:\d\d:\d\d\.(\d+)Z/, (_, digits: string) => `T04:00:00.${micros.slice(0, digits.length)}Z`);
}

/** Runs `check` on every pair of lines with one shape, the first one of a shape with each other. */
function eachPair(parser: Parser, lines: readonly string[], check: (first: string, second: string) => void): void {
  const first = new Map<string, string>();
  for (const text of lines) {
    const cut = cutOf(parser, text);
    if (cut === null) continue;
    const key = JSON.stringify(cut.pieces);
    const known = first.get(key);
    if (known === undefined) first.set(key, text);
    else check(known, text);
  }
}

describe('the law of shapes: lines with equal pieces parse to records of one flow', () => {
  it('every format has lines that are skimmed', () => {
    for (const parser of skimmers) {
      const count = LINES.filter((text) => cutOf(parser, text) !== null).length;
      expect(count, parser.id).toBeGreaterThan(0);
    }
  });

  it('holds among the lines of logs', () => {
    let compared = 0;
    for (const parser of skimmers) {
      eachPair(parser, LINES, (first, second) => {
        if (checkLaw(parser, first, second)) compared++;
      });
    }
    expect(compared).toBeGreaterThan(50);
  });

  it.each(skimmers)('holds whatever stands in one volatile column: $id', (parser) => {
    const lines = LINES.filter((text) => cutOf(parser, text) !== null).slice(0, 20);
    const changed = lines.flatMap((text) => eachChange(parser, text).map((other) => [text, other] as const));
    const compared = changed.filter(([text, other]) => checkLaw(parser, text, other));
    expect(compared.length).toBeGreaterThan(20);
  });

  it('holds whatever stands in the volatile columns', () => {
    let compared = 0;
    fc.assert(
      fc.property(anyLine, fillings, (text, contents) => {
        for (const parser of skimmers) {
          const cut = cutOf(parser, text);
          if (cut !== null && checkLaw(parser, text, refill(text, cut, contents))) compared++;
        }
      }),
      { numRuns: 10_000 },
    );
    expect(compared).toBeGreaterThan(1000);
  });
});

/** What a line may become on its way into a log. */
const DRESSES: readonly ((text: string) => string)[] = [
  (text) => `${text}\r`,
  (text) => text.slice(0, text.length >> 1),
  (text) => text + text,
  () => '',
  () => '2026-01-02T03:04:05.000000Z\tinfo\tztunnel\trunning with config: proxy: true',
  () => 'caAddress: https://istiod.istio-system.svc:15012',
  () => '[2026-01-02T03:04:05.001Z] "GET /a HTTP/1.1" 200 - via',
];
const WRAPPINGS: readonly ((text: string) => string)[] = [
  (text) => `[pod/web-1/istio-proxy] ${text}`,
  (text) => `2026-01-02T03:04:05.000000Z ${text}`,
  () => '{',
];

/** Logs of a few lines again and again, with other volatile columns and at other moments. */
function logsOf(dresses: readonly ((text: string) => string)[]): fc.Arbitrary<Buffer> {
  const few = fc.array(anyLine, { minLength: 1, maxLength: 4 });
  const plain = (text: string): string => text;
  const dress = fc.oneof(
    { weight: 9, arbitrary: fc.constant(plain) },
    { weight: 1, arbitrary: fc.constantFrom(...dresses) },
  );
  const lines = few.chain((some) =>
    fc.array(fc.tuple(fc.constantFrom(...some), fc.option(fillings, { freq: 2 }), moment, dress), {
      minLength: 20,
      maxLength: 60,
    }),
  );
  return lines.map((parts) => {
    const texts = parts.map(([text, contents, micros, clothe]) => {
      const cut = skimmers.map((parser) => cutOf(parser, text)).find((found) => found !== null) ?? null;
      const changed = cut === null || contents === null ? text : refill(text, cut, [null, ...contents.slice(1)]);
      return clothe(retime(changed, micros));
    });
    return Buffer.from(texts.join('\n'), 'latin1');
  });
}

describe('the bulk road comes to what the plain road comes to', () => {
  it.each(FORMATS)('on a generated log: %s', (format) => {
    const log = LOGS[format];
    expect(report(log, 'bulk')).toBe(report(log, 'plain'));
    expect(expectSame(log).counted).toBeGreaterThan(100);
  });

  it.each([
    { name: 'mutated, cut off, blank, with either line end', dresses: DRESSES },
    { name: 'and wrapped', dresses: [...DRESSES, ...WRAPPINGS] },
  ])('on lines in any order, $name', ({ dresses }) => {
    let counted = 0;
    fc.assert(
      fc.property(logsOf(dresses), (log) => {
        counted += expectSame(log).counted;
        expect(report(log, 'bulk')).toBe(report(log, 'plain'));
      }),
      { numRuns: 120 },
    );
    expect(counted).toBeGreaterThan(200);
  });

  it('on a storm of one failure, out of order', () => {
    const storm = Array.from({ length: 500 }, (_, index) =>
      retime(FAILURE, String((index * 7919) % 100_000).padStart(6, '0')),
    );
    const log = Buffer.from(storm.join('\n'));
    expect(report(log, 'bulk')).toBe(report(log, 'plain'));
    expect(expectSame(log).counted).toBeGreaterThan(400);
  });

  it('on more flows than are kept', () => {
    // Failures of a flow each, which are kept longest, push out flows of successes that come again.
    const pages = MAX_FLOWS >> 2;
    const lines = Array.from({ length: 3 * MAX_FLOWS }, (_, index) => {
      const stamp = new Date(Date.UTC(2026, 0, 2) + index).toISOString();
      const answer = index % 2 === 0 ? '200 - via_upstream' : '503 UC upstream_reset';
      const page = index % 2 === 0 ? `page-${((index >> 1) * 31) % pages}-x` : `page-${index}-y`;
      return `[${stamp}] "GET /${page} HTTP/1.1" ${answer} - "-" 0 1 2 2 "-" "-" "-" "shop" "10.0.0.1:80" inbound|80|| 127.0.0.6:4${index % 1000} 10.0.0.1:80 10.0.0.2:5${index % 1000} - default`;
    });
    const log = Buffer.from(lines.join('\n'));
    const { counted, traffic } = expectSame(log);
    expect(counted).toBeGreaterThan(pages);
    expect(traffic.overflow.records).toBeGreaterThan(0);
  });
});

/** Wrappings that are taken off by bytes, each in the ways of many: with times, escapes, names before and behind the line. */
const BY_BYTES: ReadonlySet<string> = new Set([
  ...['kubectl logs --prefix', 'kubectl logs --prefix --timestamps', 'stern', 'stern -A --timestamps', 'stern -o json'],
  ...['CRI file', 'Docker json-file', 'Fluent Bit', 'Fluentd', 'Vector', 'Filebeat', 'logcli', 'logcli -o jsonl'],
  ...[
    'Elasticsearch dump',
    'Google Cloud, saved in a bucket',
    'journalctl -o json',
    'Datadog archive',
    'docker compose',
  ],
]);
const PODS = ['ztunnel-4wq7x', 'ztunnel-x2k8p', 'web-6d4cf56db6-x2k8p'];

/** The lines as of several pods, some of each at a time. */
function wrapped({ wrap }: Wrapped, lines: readonly string[], each: number): string {
  const parts: string[] = [];
  for (let start = 0; start < lines.length; start += each) {
    const pod = PODS[(start / each) % PODS.length] ?? '';
    parts.push(wrap(lines.slice(start, start + each)).replaceAll('ztunnel-4wq7x', pod));
  }
  return parts.join('');
}

const framed = WRAPPED.filter(({ name }) => BY_BYTES.has(name));

describe('the same of lines in wrappings', () => {
  it.each(WRAPPED)('$name', (one) => {
    for (const format of ['ztunnel-text', 'envoy-json'] as const) {
      const lines = linesOf(LOGS[format]).slice(0, 120);
      const log = Buffer.from(wrapped(one, lines, 7), 'latin1');
      const { counted } = expectSame(log);
      if (BY_BYTES.has(one.name) && format === 'ztunnel-text') expect(counted).toBeGreaterThan(10);
    }
  });

  it('in several wrappings, in any order, with other values in them and whatever clients send', () => {
    const few = fc.array(fc.constantFrom(...OTHERS), { minLength: 1, maxLength: 2 });
    const lines = few.chain((some) =>
      fc.array(fc.tuple(fc.constantFrom(...some), fc.option(fillings, { freq: 2 }), moment), {
        minLength: 20,
        maxLength: 50,
      }),
    );
    const change = fc.tuple(
      fc.nat({ max: 200 }),
      fc.constantFrom(...HOSTILE, '\\u0041', '\\n', '\\u00e9', 'é', '2027'),
    );
    const part = fc.record({
      one: fc.constantFrom(...framed),
      lines,
      change: fc.option(change, { freq: 2 }),
    });
    let counted = 0;
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), fc.boolean(), (parts, ofOne) => {
        const texts = parts.map(({ one, lines, change: other }) => {
          const of = (ofOne ? parts[0]?.one : one) ?? one;
          const text = wrapped(
            of,
            lines.map((given) => changedLine(...given)),
            3,
          );
          return other === null ? text : changedValues(text, ...other);
        });
        const log = Buffer.from(texts.join(''));
        counted += expectSame(log).counted;
        expect(report(log, 'bulk')).toBe(report(log, 'plain'));
      }),
      { numRuns: 40 },
    );
    expect(counted).toBeGreaterThan(100);
  });
});

function changedLine(text: string, contents: Fillings | null, micros: string): string {
  const cut = skimmers.map((parser) => cutOf(parser, text)).find((found) => found !== null) ?? null;
  const changed = cut === null || contents === null ? text : refill(text, cut, [null, ...contents.slice(1)]);
  return retime(changed, micros).replaceAll('\n', ' ');
}

/** Every fourth line with other characters at one place. */
function changedValues(text: string, at: number, content: string): string {
  const lines = text.split('\n');
  return lines
    .map((line, index) => (index % 4 === 3 ? line.slice(0, at) + content + line.slice(at + 2) : line))
    .join('\n');
}

describe.skipIf(!hasShared)(needsShared('on captures'), () => {
  const logs = hasShared
    ? readdirSync(shared('captures'), { recursive: true, encoding: 'utf8' })
        .filter((path) => path.endsWith('.log'))
        .map((path) => readFileSync(shared(`captures/${path}`)))
    : [];

  it('both roads see the same in every file', () => {
    let counted = 0;
    for (const log of logs) counted += expectSame(log).counted;
    expect(counted).toBeGreaterThan(1000);
  });

  it('both roads report the same on all files together', () => {
    const all = Buffer.concat(logs);
    expect(report(all, 'bulk')).toBe(report(all, 'plain'));
  });

  it('the law holds among their lines', () => {
    const lines = logs.flatMap(linesOf);
    for (const parser of skimmers) eachPair(parser, lines, (first, second) => checkLaw(parser, first, second));
  });
});
