import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsers, wrappings } from '../parsers/index.ts';
import type { InputTally } from '../src/model/traffic.ts';
import { renderTerminal } from '../src/render/terminal.ts';
import { lineShape } from '../src/text/line-shape.ts';
import { Recognizer } from '../src/traffic/recognize.ts';
import { ShapeCounter } from '../src/traffic/shapes.ts';
import { emptyTally, emptyTraffic, merge } from '../src/traffic/traffic.ts';
import { analysisOf, reportOn, SOME_TIME } from './analysis.ts';

const ENVOY =
  '[2026-11-21T11:30:43.474Z] "GET / HTTP/1.1" 403 - rbac_access_denied_matched_policy[none] - "-" 0 19 0 - "-" "curl/8.4.0" "id" "web:80" "-" inbound|80|| - 10.0.0.1:80 10.0.0.2:9 - default';

function tallyOf(texts: readonly string[]): InputTally {
  const tally = emptyTally('log');
  const recognizer = new Recognizer({ parsers, wrappings, tally, fold: () => null });
  texts.forEach((text, index) => {
    recognizer.feed({ at: { input: 'log', line: index + 1 }, text, truncated: false });
  });
  recognizer.end();
  return tally;
}

function accounted(tally: InputTally): number {
  return tally.records + tally.joined + tally.skipped + tally.malformed + tally.truncated;
}

describe('shapes of unrecognised lines', () => {
  it('mask what differs from line to line', () => {
    expect(lineShape('2026-11-21 12:05:48,841 INFO  user=42 "GET /a?b=1" took 3ms from 10.0.0.1:80')).toBe(
      lineShape('2026-11-22 01:00:00,001 INFO user=7 "POST /c" took 99ms from 10.9.8.7:65000'),
    );
    expect(lineShape('error in module a')).not.toBe(lineShape('error in module b'));
    expect(lineShape('x'.repeat(100_000)).length).toBeLessThanOrEqual(200);
  });

  it('are counted to the line, the most frequent first in the report', () => {
    const lines = [...Array.from({ length: 30 }, (_, n) => `request ${n} done`), 'starting', '', ENVOY];
    const [input] = reportOn({ log: lines.join('\n') }).inputs;
    expect(input?.unrecognised).toEqual([
      { shape: 'request # done', count: 30, sample: 'request 0 done' },
      { shape: '', count: 1, sample: '' },
      { shape: 'starting', count: 1, sample: 'starting' },
    ]);
    expect(input?.skipped).toBe(32);
  });

  it('a frequent shape is never lost, whatever stands between, and no count is too high', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(400), { minLength: 100, maxLength: 600 }), (rare) => {
        const shapes: InputTally['unrecognised'] = [];
        const counter = new ShapeCounter(shapes);
        const words = rare.map((n) => [...String(n)].map((digit) => 'abcdefghij'[Number(digit)]).join(''));
        for (const word of words) {
          counter.add(word, 1);
          counter.add('frequent', 1);
        }
        const total = 2 * words.length;
        const found = shapes.find(({ shape }) => shape === 'frequent')?.count ?? 0;
        expect(found).toBeLessThanOrEqual(words.length);
        expect(found).toBeGreaterThanOrEqual(words.length - total / 50);
        expect(shapes.length).toBeLessThanOrEqual(50);
        expect(shapes.reduce((sum, { count }) => sum + count, 0)).toBeLessThanOrEqual(total);
      }),
      { numRuns: 50 },
    );
  });

  it('credentials in samples are masked', () => {
    const { unrecognised } = tallyOf(['calling with Authorization: Bearer abcdefghijklmnop']);
    expect(JSON.stringify(unrecognised)).not.toContain('abcdefghijklmnop');
  });

  it('of two runs are those of both together', () => {
    const traffic = (lines: readonly string[]) => ({ ...emptyTraffic(), tallies: new Map([['log', tallyOf(lines)]]) });
    const both = merge(
      traffic(['a line 1', 'error: unexpected EOF']),
      traffic(['a line 2', 'another', 'error: unexpected EOF']),
    );
    expect(both.tallies.get('log')).toMatchObject({
      unrecognised: [
        { shape: 'a line #', count: 2 },
        { shape: 'another', count: 1 },
      ],
      notices: [{ count: 2, line: 2 }],
    });
  });

  it('are told in one line where much was not recognised', () => {
    const many = Array.from({ length: 40 }, (_, n) => `request ${n} done`);
    const text = renderTerminal(reportOn({ log: [...many, ENVOY].join('\n') }), { colour: false, top: 1 });
    expect(text).toMatch(/97 % of its 41 lines are of no format known here; 40\s+look\s+like\s+"request # done"/);
    const few = renderTerminal(reportOn({ log: [...many.slice(0, 5), ENVOY].join('\n') }), { colour: false, top: 1 });
    expect(few).not.toContain('no format known');
  });
});

describe('messages of kubectl and the kubelet in a log', () => {
  it.each([
    ['error: unexpected EOF', 'cut there'],
    ['error: stream error: stream ID 3; INTERNAL_ERROR; received from peer', 'cut there'],
    ['Error from server (NotFound): pods "web-1" not found', 'missing'],
    ['Error from server (BadRequest): a container name must be specified for pod web-1', 'missing'],
    ['rpc error: code = NotFound desc = an error occurred when try to find container "0f": not found', 'cut there'],
    ['unable to retrieve container logs for containerd://0f', 'cut there'],
    ['failed to create fsnotify watcher: too many open files', 'cut there'],
    ['failed to get logs: x', 'missing'],
    ['Defaulted container "istio-proxy" out of: istio-proxy, app', 'other containers'],
    ['Defaulting container name to app.', 'other containers'],
    ['Error from server (BadRequest): previous terminated container "app" in pod "web-1" not found', 'did not restart'],
    ['error: You must be logged in to the server (Unauthorized)', 'refused'],
    ['The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?', 'not reached'],
    ["E1121 12:05:48.841732    7 memcache.go:265] couldn't get current server API group list: x", 'not reached'],
    ['rpc error: code = Unavailable desc = error reading from server: EOF', 'runtime failed'],
    ['No resources found in shop namespace.', 'nothing was found'],
    ['error: container app is not valid for pod web-1', 'missing'],
    ['failed to watch *v1.Pod: unknown', 'stopped following'],
    ['+ web-7d9f8b6c5-x2x4z › istio-proxy', 'before may be missing'],
    ['- shop web-7d9f8b6c5-x2x4z › istio-proxy', 'cut there'],
    ['-- No entries --', 'no entries'],
    ['-- Boot 0123456789abcdef0123456789abcdef --', 'started anew'],
    ['Suppressed 1234 messages from k3s.service', 'gaps'],
    ["tail: '/var/log/pods/a/0.log' has been replaced;  following new file", 'rotated'],
    ['2026/11/21 12:05:48 Query failed: Run out of attempts while querying the server', 'log server'],
    ['Error response from daemon: No such container: web', 'Docker'],
    ['ERROR: (gcloud.logging.read) PERMISSION_DENIED: x', 'cloud'],
    ["Job's log exceeded limit of 4194304 bytes.", 'CI system'],
    ['error: you are attempting to follow 6 log streams, but maximum allowed concurrency is 5', 'missing'],
  ])('%s', (message, meaning) => {
    const report = reportOn({ log: [ENVOY, message].join('\n') });
    expect(report.inputs[0]).toMatchObject({ skipped: 1, unrecognised: [], notices: [{ count: 1, line: 2 }] });
    expect(report.problems.map((problem) => problem.message).join()).toContain(meaning);
  });
});

describe('messages of kubectl and the kubelet in a wrapping', () => {
  it.each([
    ['kubectl --prefix', '[pod/web-1/istio-proxy] failed to create fsnotify watcher: too many open files'],
    ['CRI', '2026-01-02T03:04:05.123456789Z stderr F error: unexpected EOF'],
    ['kubectl --timestamps', '2026-01-02T03:04:05.123456789Z unable to retrieve container logs for containerd://0f'],
    ['Docker json-file', '{"log":"unexpected EOF\\n","stream":"stderr","time":"2026-01-02T03:04:05.123456789Z"}'],
    ['kubectl --prefix', '[pod/web-1/istio-proxy] rpc error: code = Unavailable desc = the log is cut there'],
    ['two of them', '[pod/web-1/istio-proxy] 2026-01-02T03:04:05.123456789Z rpc error: code = NotFound desc = gone'],
  ])('%s', (_what, message) => {
    const tally = tallyOf([ENVOY, message]);
    expect(tally).toMatchObject({ records: 1, skipped: 1, unrecognised: [], notices: [{ count: 1, line: 2 }] });
    expect(tally.notices[0]?.meaning).toContain('cut there');
  });

  it('a line that only mentions one is none', () => {
    const { notices, unrecognised } = tallyOf(['[pod/web-1/app] upload: failed to get logs and error: unexpected EOF']);
    expect([notices, unrecognised.length]).toEqual([[], 1]);
  });
});

describe('problems of many inputs', () => {
  const members = (count: number, text: string, archive = 'must-gather.tgz!'): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`${archive}logs/${n}.log`, text]));

  it('in one archive are one a kind, with counts', () => {
    const report = reportOn({
      ...members(700, 'request 1 done\nrequest 2 done\n'),
      ...members(3, '', 'must-gather.tgz!empty/'),
      ...members(2, `${ENVOY}\nerror: unexpected EOF\n`, 'must-gather.tgz!proxies/'),
      'other.log': 'words\n',
    });
    expect(report.inputs).toHaveLength(706);
    expect(report.problems.map(({ about, message }) => `${about}: ${message}`)).toEqual([
      'input must-gather.tgz: in 700 of 705 logs none of the 1400 lines is of a format known here (ztunnel, Envoy access log, istio-agent); 1400 look like "request # done"',
      'input must-gather.tgz: 3 of 705 logs are empty',
      'input must-gather.tgz: kubectl lost the connection: the log is cut there (2 lines in 2 of 705 logs; line 2 of must-gather.tgz!proxies/logs/0.log: "error: unexpected EOF")',
      'input other.log: none of its 1 lines is of a format known here (ztunnel, Envoy access log, istio-agent); 1 look like "words"',
    ]);
  });

  it('in many files are told of the folder, in a few one by one', () => {
    const few = reportOn(members(5, 'words\n', 'gathered/'));
    expect(few.problems).toHaveLength(5);
    const [problem, ...others] = reportOn(members(6, 'words\n', 'gathered/')).problems;
    expect([problem?.about, others]).toEqual(['input gathered/logs', []]);
    expect(problem?.message).toContain('in 6 of 6 logs none of the 6 lines');
  });
});

describe('an input that comes twice', () => {
  it('is counted on', () => {
    const analysis = analysisOf();
    for (const line of [1, 2]) {
      analysis.feed({ at: { input: 'log', line }, text: 'a line that nobody knows', truncated: false });
      analysis.end('log');
    }
    expect(analysis.report(SOME_TIME, false).inputs).toMatchObject([
      { lines: 2, skipped: 2, unrecognised: [{ count: 2 }] },
    ]);
  });
});

describe('documents', () => {
  const answer = { data: { result: [{ stream: { pod: 'a' }, values: [['1795262748841732001', ENVOY]] }] } };

  it('of one line count the lines in them', () => {
    const events = Array.from({ length: 5 }, () => ({ message: ENVOY })).concat([{ message: 'words' }]);
    expect(tallyOf([JSON.stringify({ events })])).toMatchObject({ lines: 6, records: 5, skipped: 1, joined: 0 });
  });

  it('over many lines count their own lines', () => {
    const lines = JSON.stringify(answer, null, 2).split('\n');
    expect(tallyOf(lines)).toMatchObject({ lines: lines.length, records: 1, joined: lines.length - 1, skipped: 0 });
  });

  it('in which nothing is ours are lines like others', () => {
    const text = JSON.stringify({ events: [{ message: 'a' }, { message: 'b' }] });
    expect(tallyOf([text])).toMatchObject({ lines: 1, skipped: 1 });
    const lines = JSON.stringify({ events: [{ message: 'a' }] }, null, 2).split('\n');
    expect(tallyOf(lines)).toMatchObject({ lines: lines.length, skipped: lines.length });
  });

  it.each([
    ['quoted in a ticket', (line: string) => `> ${line}`],
    ['in the log of a container', (line: string) => `2026-11-21T12:05:48.841732001Z stdout F ${line}`],
    ['in the JSON of a collector', (line: string) => JSON.stringify({ log: line, kubernetes: { pod_name: 'a' } })],
    ['behind a prefix in a quote', (line: string) => `> [pod/a/b] ${line}`],
  ])('%s are read, laid out or in one line', (_what, wrap) => {
    for (const blanks of [undefined, 2]) {
      const lines = JSON.stringify(answer, null, blanks).split('\n').map(wrap);
      expect(tallyOf(lines)).toMatchObject({ lines: lines.length, records: 1, skipped: 0, malformed: 0 });
    }
    const table = ['"_time","_raw"', `x,"${ENVOY.replaceAll('"', '""')}"`].map(wrap);
    expect(tallyOf(table)).toMatchObject({ lines: 2, records: 1 });
  });

  it('over many lines each, of one record that runs over several of them', () => {
    const dump = [
      "2026-11-21T12:19:17.007757Z\tdebug\tenvoy rbac rbac_filter.cc:266\tchecking request: requestedServerName: , sourceIP: 10.0.0.1:80, ssl: none, headers: ':authority', 'web'",
      "':path', '/api'",
      '\tthread=21',
    ];
    const lines = dump.flatMap((MESSAGE) => JSON.stringify({ MESSAGE, _HOSTNAME: 'a' }, null, 2).split('\n'));
    expect(tallyOf(lines)).toMatchObject({ lines: 12, records: 1, joined: 11 });
  });

  it('that break off leave the lines behind them alone', () => {
    const lines = JSON.stringify(answer, null, 2).split('\n').slice(0, 5);
    const tally = tallyOf([...lines, ENVOY, ENVOY]);
    expect(tally).toMatchObject({ lines: 7, records: 2 });
    expect(accounted(tally)).toBe(7);
  });

  it('tables may have broken rows and end in the midst of a value', () => {
    const row = `x,"${ENVOY.replaceAll('"', '""')}"`;
    const tally = tallyOf(['"_time","_raw"', row, 'too,many,values', row, 'y,"open', 'and, open', 'still']);
    expect(tally).toMatchObject({ lines: 7, records: 2 });
    expect(accounted(tally)).toBe(tally.lines);
  });

  it('whatever comes, every line is accounted for and reading is linear', () => {
    const piece = fc.constantFrom(
      '{',
      '[',
      '  {',
      '}',
      ']',
      '},',
      '"a": [',
      '"message": "x",',
      `"log": ${JSON.stringify(ENVOY)}`,
      '"1"',
      '_raw,b',
      '"a,b',
      ENVOY,
      ENVOY.slice(0, 80),
      ENVOY.slice(80),
      '',
      JSON.stringify(answer),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (texts) => {
        const tally = tallyOf(texts);
        expect(accounted(tally)).toBe(tally.lines);
        expect(tally.unrecognised.reduce((sum, { count }) => sum + count, 0)).toBeLessThanOrEqual(tally.skipped);
      }),
    );
    for (const text of ['[', '{', '  {', '"a": [', '_raw,"b', '{"log": [', `${ENVOY.slice(0, 90)}`]) {
      const start = performance.now();
      const tally = tallyOf(Array.from({ length: 20_000 }, () => text));
      expect(performance.now() - start, text).toBeLessThan(20_000);
      expect(accounted(tally)).toBe(tally.lines);
    }
  });
});
