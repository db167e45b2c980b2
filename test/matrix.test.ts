import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsers, wrappings } from '../parsers/index.ts';
import type { LogRecord } from '../src/model/record.ts';
import type { Report } from '../src/model/report.ts';
import type { InputTally } from '../src/model/traffic.ts';
import { Recognizer } from '../src/traffic/recognize.ts';
import { emptyTally } from '../src/traffic/traffic.ts';
import { reportOn } from './analysis.ts';
import { hasShared, needsShared, shared } from './shared.ts';
import { WRAPPED as COMMON, type Wrapped } from './wrapped.ts';
import { EXOTIC } from './wrapped-exotic.ts';

const WRAPPED: readonly Wrapped[] = [...COMMON, ...EXOTIC];

const FIXTURES = fileURLToPath(new URL('../fixtures/parsers/', import.meta.url));

interface Reading {
  readonly records: readonly unknown[];
  readonly times: readonly LogRecord['time'][];
  readonly tally: InputTally;
}

/** All records of a text, without what a wrapping tells: origin, place, and the collector's time. */
function read(text: string): Reading {
  const tally = emptyTally('log');
  const records: unknown[] = [];
  const times: LogRecord['time'][] = [];
  const fold = (record: LogRecord): null => {
    records.push(inner(record));
    times.push(record.time);
    return null;
  };
  const recognizer = new Recognizer({ parsers, wrappings, tally, fold });
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  lines.forEach((line, index) => {
    recognizer.feed({ at: { input: 'log', line: index + 1 }, text: line.replace(/\r$/, ''), truncated: false });
  });
  recognizer.end();
  return { records, times, tally };
}

function inner({ at: _at, origin: _origin, proxy: _proxy, time: _time, raw, ...record }: LogRecord): unknown {
  return LOOSE.includes(record.parser) ? record : { ...record, raw: raw.trim() };
}

/** They take a line with whatever stands before it. */
const LOOSE = ['envoy-key-value', 'ztunnel-legacy'];

function accounted(tally: InputTally): number {
  return tally.records + tally.joined + tally.skipped + tally.malformed + tally.truncated;
}

/** The first lines that each parser takes on their own, out of the fixtures of parsers. */
function samples(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  const folders = readdirSync(FIXTURES).filter((name) => !name.startsWith('envelopes-'));
  const files = folders.flatMap((folder) =>
    readdirSync(`${FIXTURES}${folder}`).map((name) => `${FIXTURES}${folder}/${name}/input.log`),
  );
  for (const line of files
    .filter((file) => existsSync(file))
    .flatMap((file) => readFileSync(file, 'utf8').split('\n'))) {
    const { tally } = read(line);
    const [parser] = Object.keys(tally.parsers);
    if (parser === undefined || tally.records !== 1) continue;
    const lines = found.get(parser) ?? [];
    if (lines.length < 3) found.set(parser, [...lines, line]);
  }
  return found;
}

const SAMPLES = samples();
/** Parsers of parts of lines take what others would wrap. */
const FORMATS = [...SAMPLES].filter(([id]) => parsers.find((parser) => parser.id === id)?.takesParts !== true);

/** The same for wrappings that cannot be taken off such a line. */
function wrappable({ not }: Wrapped, lines: readonly string[]): readonly string[] {
  return lines.filter((line) => !not?.(line));
}

/** Whether the records of lines are those of a text in which they are wrapped. */
function expectSame(parser: string, wrapped: Wrapped, lines: readonly string[], text: string): void {
  const bare = read(`${lines.join('\n')}\n`);
  const { records, times, tally } = read(text);
  const shown = wrapped.lossy === true ? withoutRaw : same;
  expect(records.map(shown), parser).toEqual(bare.records.map(shown));
  // The collector's time counts only where the line has none.
  const own = LOOSE.includes(parser) ? [] : bare.times.map((time, at) => [time, times[at]]);
  expect(own.filter(([time, wrapped]) => time !== null && time !== wrapped)).toEqual([]);
  expect(accounted(tally)).toBe(tally.lines);
}

describe('every format in every wrapping', () => {
  it('has samples of the formats that have fixtures', () => {
    const folders = readdirSync(FIXTURES).filter((name) => !name.startsWith('envelopes-'));
    expect(folders.filter((name) => !SAMPLES.has(name) && parsers.some(({ id }) => id === name))).toEqual([]);
    expect(FORMATS.length).toBeGreaterThan(8);
  });

  it.each(WRAPPED)('$name: the same records, one or many, with LF or CRLF', (wrapped) => {
    for (const [parser, given] of FORMATS) {
      const lines = wrappable(wrapped, given);
      const many = [...lines, 'words of an application', ...lines];
      expectSame(parser, wrapped, lines.slice(0, 1), wrapped.wrap(lines.slice(0, 1)));
      expectSame(parser, wrapped, many, wrapped.wrap(many));
      expectSame(parser, wrapped, many, wrapped.wrap(many).replaceAll('\n', '\r\n'));
    }
  });

  it.each(WRAPPED)('$name: cut off anywhere, no record is invented and every line is accounted for', (wrapped) => {
    const [, given = []] = FORMATS.find(([parser]) => parser === 'ztunnel-text') ?? [];
    const lines = wrappable(wrapped, given);
    const text = wrapped.wrap(lines);
    const whole = new Set(read(`${lines.join('\n')}\n`).records.map((record) => JSON.stringify(record)));
    for (let end = text.length - 1; end > 0; end -= 1 + Math.floor(text.length / 40)) {
      const { records, tally } = read(text.slice(0, end));
      expect(accounted(tally)).toBe(tally.lines);
      // The line at the cut may be read as far as it goes.
      const invented = records.filter((record) => !whole.has(JSON.stringify(record)));
      expect(invented.length).toBeLessThanOrEqual(1);
    }
  });

  it('told pods, namespaces and containers go into the record', () => {
    const [line = ''] = SAMPLES.get('envoy-text') ?? [];
    const silent =
      /^(?:kubectl logs(?: --timestamps)?$|CRI|Docker json|CloudWatch|aws logs (?:get|tail --)|Splunk|journal|syslog|GELF|klog|Elasticsearch _search, fields|Datadog CSV|G[ir]|gh |gcloud logging read$|Google Cloud CSV|GitLab|Jenkins|colours|grep|jq|a |Markdown|Jira|numbered|HTML|curly|Fluentd, split|docker compose|Azure Monitor)/;
    const lost = COMMON.filter(({ name, wrap }) => !silent.test(name) && podOf(wrap([line])) !== 'ztunnel-4wq7x');
    expect(lost.map(({ name }) => name)).toEqual([]);
  });
});

function podOf(text: string): string | null {
  const pods = new Set<string | null>();
  const fold = (record: LogRecord): null => {
    pods.add(record.origin.pod);
    return null;
  };
  const recognizer = new Recognizer({ parsers, wrappings, tally: emptyTally('log'), fold });
  text.split('\n').forEach((line, index) => {
    recognizer.feed({ at: { input: 'log', line: index + 1 }, text: line, truncated: false });
  });
  recognizer.end();
  return [...pods][0] ?? null;
}

describe('lines broken at the edge of a page', () => {
  const broken = ['envoy-text', 'ztunnel-json'];
  const lines = broken.flatMap((parser) => SAMPLES.get(parser) ?? []).filter((line) => line.length > 200);
  const bare = lines.map((line) => read(line).records.map(withoutRaw));

  it.each([80, 100, 132, 200])('at %i columns are put together again', (width) => {
    for (const indent of ['', '    ']) {
      const pages = lines.map((line) => line.replace(new RegExp(`(.{${width}})(?=.)`, 'gsu'), `$1\n${indent}`));
      const { records, tally } = read(`${pages.join('\n')}\n`);
      expect(records.map(withoutRaw)).toEqual(bare.flat());
      expect(accounted(tally)).toBe(tally.lines);
    }
  });

  it('are joined to nothing that stands behind them', () => {
    const [line = ''] = lines.filter((one) => one.startsWith('{'));
    const { records, tally } = read(`${line.slice(0, 80)}\n${lines.join('\n')}\n`);
    expect(records.map(withoutRaw)).toEqual(bare.flat());
    expect(accounted(tally)).toBe(tally.lines);
  });
});

function same(record: unknown): unknown {
  return record;
}

function withoutRaw(record: unknown): unknown {
  return { ...Object(record), raw: '' };
}

describe('wrapped and opened again', () => {
  /** Whatever a client can put into a line: Envoy prints it as it is, ztunnel as Rust's Debug text. */
  const hostile = fc
    .array(
      fc.oneof(
        fc.constantFrom(
          '"',
          '\\',
          '\\"',
          '{',
          '}',
          '[pod/a/b] ',
          '}}]',
          ',',
          ' | ',
          '`',
          '&amp;',
          '<',
          '""',
          "'",
          '{"log":"',
          '=>',
        ),
        fc.string({ unit: 'grapheme', maxLength: 8 }),
      ),
      { maxLength: 6 },
    )
    .map((pieces) => pieces.join('').replace(/[\u0000-\u001f\u007f-\u00a0\u2028\u2029\ufeff]/g, ''));
  const line = hostile.chain((text) =>
    fc.constantFrom(
      `2026-11-21T11:30:43.640123Z\terror\taccess\tconnection complete\tsrc.addr=10.0.0.1:4000 src.workload=${JSON.stringify(text)} src.namespace="shop" dst.addr=10.0.0.2:15008 direction="inbound" bytes_sent=0 bytes_recv=0 duration="0ms" error="io error: x"`,
      `[2026-11-21T11:30:43.474Z] "GET /a HTTP/1.1" 403 - rbac_access_denied_matched_policy[none] - "-" 0 19 0 - "-" "${text.replaceAll('"', '%22')}" "id" "web:80" "-" inbound|80|| - 10.0.0.1:80 10.0.0.2:9 - default`,
      JSON.stringify({ response_code: 403, response_flags: '-', start_time: '2026-11-21T11:30:43.474Z', path: text }),
    ),
  );
  const exact = WRAPPED.filter(({ lossy }) => lossy !== true);

  it('is the identity, whatever a client put into the line', () => {
    fc.assert(
      fc.property(line, fc.constantFrom(...exact), (text, wrapped) => {
        fc.pre(wrapped.not?.(text) !== true);
        expect(read(wrapped.wrap([text])).records, wrapped.name).toEqual(read(text).records);
      }),
      { numRuns: 2000 },
    );
  });

  it('within another wrapping too', () => {
    const outer = exact.filter(({ name }) =>
      /^(?:kubectl logs --prefix|CRI file|Fluent Bit|Markdown, quoted|Vector)$/.test(name),
    );
    const around = exact.filter(({ name }) =>
      /^(?:kubectl logs --timestamps|stern|Docker json-file|logcli -o jsonl|syslog, RFC 5424|GELF)$/.test(name),
    );
    expect([outer.length, around.length]).toEqual([5, 6]);
    fc.assert(
      fc.property(line, fc.constantFrom(...outer), fc.constantFrom(...around), (text, first, second) => {
        const wrapped = first.wrap([second.wrap([text]).slice(0, -1)]);
        expect(read(wrapped).records, `${first.name} around ${second.name}`).toEqual(read(text).records);
      }),
      { numRuns: 500 },
    );
  });
});

/** What failed, where and how often; who, the wrapping may tell better than the line. */
function told(report: Report): unknown {
  const counts = new Map<string, number>();
  for (const { ruleId, category, level, certainty, destination, count } of report.findings) {
    const key = [ruleId, category, level, certainty, destination.address, destination.port].join(' ');
    counts.set(key, (counts.get(key) ?? 0) + count);
  }
  return [...counts].sort();
}

describe.skipIf(!hasShared)(needsShared('captures in every wrapping'), () => {
  const all = process.env['MESHMEND_ALL'] === '1';
  const files = hasShared
    ? ['ztunnel', 'envoy'].flatMap((proxy) =>
        readdirSync(shared(`captures/${proxy}`), { withFileTypes: true })
          .filter((entry) => entry.isDirectory() && entry.name !== '_mixed')
          .flatMap(({ name }) =>
            readdirSync(shared(`captures/${proxy}/${name}`))
              .filter((file) => file.endsWith('.log'))
              .map((file) => `${proxy}/${name}/${file}`),
          ),
      )
    : [];
  // Every file meets every wrapping if all are asked for; else each wrapping meets some, other ones each.
  const step = 397;

  it.each(WRAPPED)('$name', (wrapped) => {
    const offset = WRAPPED.indexOf(wrapped);
    for (const file of files.filter((_, index) => all || (index + offset * 31) % step === 0)) {
      const lines = readFileSync(shared(`captures/${file}`), 'utf8')
        .trimEnd()
        .split('\n');
      const mixed = lines.filter((line) => wrapped.not?.(line) === true).length > 0;
      if (mixed || wrapped.lossy === true) continue;
      expect(told(reportOn({ log: wrapped.wrap(lines) })), file).toEqual(told(reportOn({ log: lines.join('\n') })));
    }
  });
});
