import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compileFormat,
  envoyJsonParser,
  envoyParsers,
  envoyTextParser,
  ownFormatsParser,
} from '../parsers/envoy/index.ts';
import { analyze } from '../src/index.ts';
import { accessLogFormats } from '../src/mesh/formats.ts';
import { createMesh } from '../src/mesh/view.ts';
import { type Envelope, UNKNOWN_ORIGIN } from '../src/model/line.ts';
import type { ConnectionRecord, LogRecord, Parsed, Parser, RequestRecord } from '../src/model/record.ts';
import { hasShared, needsShared, shared } from './shared.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/parsers/', import.meta.url));

function envelope(payload: string): Envelope {
  return { at: { input: 'test', line: 1 }, wrappings: [], time: null, origin: UNKNOWN_ORIGIN, payload };
}

function parseWith(parsers: readonly Parser[], payload: string): Parsed {
  for (const parser of parsers) {
    const parsed = parser.parse(envelope(payload));
    if (parsed !== null) return parsed;
  }
  return null;
}

interface Reading {
  readonly records: readonly LogRecord[];
  /** Lines that went into no record, with the reason. */
  readonly left: readonly string[];
}

/** Reads a log as the contract of `Parser` says: records of several lines, lines that go on with the record before. */
function readLog(text: string, parsers: readonly Parser[] = envoyParsers): Reading {
  const records: LogRecord[] = [];
  const left: string[] = [];
  let open = '';
  for (const line of text.replace(/\n$/, '').split('\n')) {
    const payload = open === '' ? line : `${open}\n${line}`;
    const parsed = parseWith(parsers, payload);
    open = parsed?.kind === 'unfinished' ? payload : '';
    if (parsed?.kind === 'malformed') left.push(`${parsed.reason}: ${payload}`);
    else if (parsed === null) left.push(...(goesOn(records.at(-1), line, parsers) ? [] : [`unknown: ${payload}`]));
    else if (parsed.kind !== 'unfinished') records.push(parsed);
  }
  return { records, left: open === '' ? left : [...left, `open: ${open}`] };
}

function goesOn(record: LogRecord | undefined, line: string, parsers: readonly Parser[]): boolean {
  return record !== undefined && parsers.some((parser) => parser.continues?.(record, line) === true);
}

function access(records: readonly LogRecord[]): readonly (RequestRecord | ConnectionRecord)[] {
  return records.flatMap((record) => (record.kind === 'diagnostic' ? [] : [record]));
}

function own(format: string): Parser {
  const parser = envoyTextParser('own', 'own', format);
  if ('error' in parser) throw new Error(parser.error);
  return parser;
}

function request(parsed: Parsed): RequestRecord {
  if (parsed?.kind !== 'request') throw new Error(`no request: ${JSON.stringify(parsed)}`);
  return parsed;
}

describe('fixtures', () => {
  const folders = readdirSync(FIXTURES).filter((name) => name.startsWith('envoy-'));
  const cases = folders.flatMap((folder) => readdirSync(`${FIXTURES}${folder}`).map((name) => `${folder}/${name}`));

  test.each(cases)('%s', async (name) => {
    const { records, left } = readLog(readFileSync(`${FIXTURES}${name}/input.log`, 'utf8'));
    const shown = { records: records.map(({ at: _at, origin: _origin, ...rest }) => rest), left };
    await expect(`${JSON.stringify(shown, null, 1)}\n`).toMatchFileSnapshot(`${FIXTURES}${name}/expected.json`);
  });
});

describe('format strings', () => {
  test('operators, arguments, lengths and percent signs', () => {
    const format = compileFormat(
      '%% [%START_TIME(%Y (%H:%M))%] %REQ(X-A?Y-B):20%|%DYNAMIC_METADATA(a:b)% %HOSTNAME%\\n',
    );
    if ('error' in format) throw new Error(format.error);
    expect(format.operators.map(({ name, argument }) => [name, argument])).toEqual([
      ['START_TIME', '%Y (%H:%M)'],
      ['REQ', 'X-A?Y-B'],
      ['DYNAMIC_METADATA', 'a:b'],
      ['HOSTNAME', null],
    ]);
    expect(format.match('% [2026 (12:30)] some text|{"a":"b"} web-0')).toEqual([
      '2026 (12:30)',
      'some text',
      '{"a":"b"}',
      'web-0',
    ]);
    expect(format.match('% [2026 (12:30)] some text')).toBeNull();
  });

  test.each([
    ['', 'no operator'],
    ['text', 'no operator'],
    ['%REQ(:METHOD)% %', 'character 16'],
    ['%lower%', 'character 1'],
  ])('%j is refused', (format, reason) => {
    expect(compileFormat(format)).toEqual({ error: expect.stringContaining(reason) });
  });

  test('what cannot be told apart is said', () => {
    const format = compileFormat('%REQ(A)% %REQ(B)% %BYTES_SENT%%DURATION% %NOVELTY%');
    expect('error' in format ? [] : format.warnings.map(({ operators }) => operators)).toEqual([
      [4],
      [2, 3],
      [0, 1],
      [1, 2, 3, 4],
    ]);
  });

  test.each([
    ['%Y/%m/%d %H:%M:%S %z', '2026/11/21 13:24:51 +0100', '2026-11-21T12:24:51.000000Z'],
    ['%s.%6f', '1795263891.123456', '2026-11-21T12:24:51.123456Z'],
    ['%d/%b/%Y:%T.%3f', '21/Nov/2026:12:24:51.123', '2026-11-21T12:24:51.123000Z'],
    ['%Y-%m-%dT%H:%M:%E3S%Ez', '2026-11-21T12:24:51.123+00:00', '2026-11-21T12:24:51.123000Z'],
    ['%I:%M %p, %e %B %y', '01:30 PM,  1 December 26', '2026-12-01T13:30:00.000000Z'],
  ])('START_TIME(%s)', (notation, printed, instant) => {
    const parser = own(`%START_TIME(${notation})% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS%`);
    expect(request(parser.parse(envelope(`${printed} 200 via_upstream`))).time).toBe(instant);
  });

  test('a format of several lines is read over several lines', () => {
    const parser = own('%RESPONSE_CODE% %RESPONSE_FLAGS%\n  details=%RESPONSE_CODE_DETAILS%\nend\n');
    const { records, left } = readLog('503 UC\n  details=x{y}\nend\n200 -\n  details=via_upstream\nend', [parser]);
    expect(left).toEqual([]);
    expect(access(records).map(({ envoy }) => [envoy?.flags, envoy?.details])).toEqual([
      [['UC'], 'x{y}'],
      [[], 'via_upstream'],
    ]);
  });

  test('authority and path without a separator are divided at the slash', () => {
    const parser = own('%REQ(:METHOD)% %REQ(:AUTHORITY)%%REQ(:PATH)% %RESPONSE_CODE%');
    expect(request(parser.parse(envelope('GET web.shop/a/b 200')))).toMatchObject({
      authority: 'web.shop',
      path: '/a/b',
    });
  });

  test('a JSON format is read by its operators, whatever its keys', () => {
    const parser = envoyJsonParser('own', 'own', {
      when: '%START_TIME(%s)%',
      a: { b: ['%RESPONSE_CODE%', '%REQ(:METHOD)% %PROTOCOL%'], constant: 7 },
      who: '%FILTER_STATE(io.istio.peer_principal:PLAIN)%',
    });
    if ('error' in parser) throw new Error(parser.error);
    const line = '{"when":"1795263891","a":{"b":[403,"GET HTTP/2"],"constant":7},"who":"spiffe://td/ns/shop/sa/cart"}';
    expect(request(parser.parse(envelope(line)))).toMatchObject({
      time: '2026-11-21T12:24:51.000000Z',
      status: 403,
      method: 'GET',
      protocol: 'HTTP/2',
      source: { identity: 'spiffe://td/ns/shop/sa/cart' },
    });
    expect(parser.parse(envelope(line.replace('"constant":7', '"constant":8')))).toBeNull();
    expect(parser.parse(envelope('{"other":1}'))).toBeNull();
    expect(envoyJsonParser('own', 'own', { a: '%' })).toHaveProperty('error');
    expect(envoyJsonParser('own', 'own', [])).toHaveProperty('error');
  });
});

const ACCESS_LINE = (values: Readonly<Record<string, string>>): string =>
  `[2026-11-21T12:24:51.934Z] "GET ${values['path']} HTTP/1.1" ${values['answer']} - "-" 0 19 0 - "${values['forwarded']}" "${values['agent']}" "${values['id']}" "${values['authority']}" "${values['host']}" inbound|8080|| - 10.244.1.10:8080 10.244.2.20:33968 - default`;

const PLAIN_VALUES = {
  path: '/admin',
  answer: '403 - rbac_access_denied_matched_policy[none]',
  forwarded: '-',
  agent: 'curl/8.7.1',
  id: 'a84deefc-9bdd-4c1e-9b7a-a1b200006d9d',
  authority: 'web.shop',
  host: '-',
};

describe('hostile clients', () => {
  const FORGED =
    ' HTTP/1.1" 200 - via_upstream - "-" 0 2 0 0 "-" "curl" "id" "web" "10.0.0.1:80" outbound|80||x.y.svc.cluster.local 1.1.1.1:1 2.2.2.2:2 3.3.3.3:3 - forged';
  const piece = fc.oneof(
    fc.constantFrom(
      '"',
      ' ',
      '" "',
      '-',
      ' - ',
      '" 403 - ',
      ' HTTP/1.1" 200 UC x - "-" 1',
      FORGED,
      FORGED.slice(0, 70),
    ),
    fc.string({ unit: 'grapheme-ascii', maxLength: 8 }),
  );
  const hostile = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
  const proxyColumns = (parsed: Parsed) => {
    const { status, source, destination, reporter, envoy } = request(parsed);
    const { forwardedFor: _f, userAgent: _u, requestId: _r, ...facts } = envoy;
    return { status, source, destination, reporter, facts };
  };
  const wanted = proxyColumns(parseWith(envoyParsers, ACCESS_LINE(PLAIN_VALUES)));

  test('whatever stands in path, agent, authority, id or X-Forwarded-For, columns of the proxy are the proxy’s', () => {
    const values = fc.record({ path: hostile, forwarded: hostile, agent: hostile, id: hostile, authority: hostile });
    fc.assert(
      fc.property(values, (forged) => {
        const line = ACCESS_LINE({ ...PLAIN_VALUES, ...forged, path: `/${forged.path}` });
        expect(proxyColumns(parseWith(envoyParsers, line))).toEqual(wanted);
      }),
      { numRuns: 500 },
    );
  });

  test.each(['forwarded', 'agent', 'id', 'authority'])('an answer cannot be turned into a denial by %s', (name) => {
    const answered = { ...PLAIN_VALUES, answer: '200 - via_upstream', host: '10.244.1.10:8080' };
    const denial = 'x HTTP/1.1" 403 - rbac_access_denied_matched_policy[none] - "-" 0 19 0 - "-" "a" "b" "c" "-';
    const record = request(parseWith(envoyParsers, ACCESS_LINE({ ...answered, [name]: denial })));
    expect([record.status, record.envoy.details]).toEqual([200, 'via_upstream']);
  });

  test.each([
    ['blanks', ' '.repeat(100_000)],
    ['quotes', '" "'.repeat(50_000)],
    ['forged answers', FORGED.repeat(500)],
    ['half answers', ' HTTP/1.1" 200 '.repeat(10_000)],
    ['braces', '{'.repeat(100_000)],
    ['tokens', 'eyJ'.repeat(40_000)],
    ['key words', 'code=200 details='.repeat(10_000)],
  ])('%s take linear time', (_name, text) => {
    const lines = [
      ACCESS_LINE({ ...PLAIN_VALUES, path: `/${text}`, agent: text }),
      `2026-11-21T12:00:00.000001Z\tdebug\tenvoy rbac\tchecking request: ${text}`,
      `{"msg":"${text}`,
      `code=403 ${text}`,
      text,
    ];
    const start = performance.now();
    for (const line of lines) for (const parser of envoyParsers) parser.parse(envelope(line));
    expect(performance.now() - start).toBeLessThan(3000);
  });
});

describe('laws', () => {
  const KINDS = [undefined, 'connection', 'request', 'diagnostic', 'malformed', 'unfinished'];
  const starts = [
    '',
    '[2026-11-21T12:24:51.934Z] "',
    '{"',
    '2026-11-21T12:00:00.000001Z\tinfo\t',
    'code=403 flags=',
    '403 ',
  ];
  const anyText = fc.tuple(fc.constantFrom(...starts), fc.string({ unit: 'binary' })).map((parts) => parts.join(''));

  test('every parser answers any text and never throws', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        for (const parser of envoyParsers) expect(KINDS).toContain(parser.parse(envelope(text))?.kind);
      }),
      { numRuns: 500 },
    );
  });

  test('any text is a format or refused, and then reads or refuses any text', () => {
    const formats = fc.array(
      fc.oneof(fc.string(), fc.constantFrom('%REQ(A)%', '%RESPONSE_CODE%', '%%', '%START_TIME(%s)%')),
    );
    fc.assert(
      fc.property(formats, anyText, (parts, text) => {
        const format = compileFormat(parts.join(''));
        const values = 'error' in format ? null : format.match(text);
        if (values !== null && !('error' in format)) expect(values).toHaveLength(format.operators.length);
      }),
    );
  });

  test('any part of a line gives a record, a refusal or nothing', () => {
    const line = ACCESS_LINE(PLAIN_VALUES);
    fc.assert(
      fc.property(fc.nat(line.length), fc.nat(line.length), (from, to) => {
        for (const parser of envoyParsers) expect(KINDS).toContain(parser.parse(envelope(line.slice(from, to)))?.kind);
      }),
    );
  });

  const word = fc.stringMatching(/^[A-Za-z0-9_.:|/[\]-]{1,20}$/);
  const free = fc.stringMatching(/^[A-Za-z0-9 ",;=()]{0,20}$/);
  const numeral = fc.oneof(fc.nat().map(String), fc.constantFrom('-', ''));
  const columns = [
    fc.tuple(fc.constantFrom('%RESPONSE_CODE%', '%BYTES_SENT%', '%DURATION%'), numeral),
    fc.tuple(
      fc.constantFrom('%RESPONSE_FLAGS%', '%UPSTREAM_CLUSTER%', '%UPSTREAM_HOST%', '%RESPONSE_CODE_DETAILS%'),
      word,
    ),
    fc.tuple(fc.constantFrom('%REQ(USER-AGENT)%', '%REQ(:PATH)%', '%DYNAMIC_METADATA(a:b)%'), free),
  ];

  test('values printed with a format are read back', () => {
    // The separator stands in no value, so every format is unambiguous.
    const separators = fc.constantFrom('<>', ' <> ', '"<', '> "');
    fc.assert(
      fc.property(fc.array(fc.oneof(...columns), { minLength: 1, maxLength: 12 }), separators, (list, separator) => {
        const format = compileFormat(list.map(([operator]) => operator).join(separator));
        if ('error' in format) throw new Error(format.error);
        expect(format.match(list.map(([, value]) => value).join(separator))).toEqual(list.map(([, value]) => value));
      }),
    );
  });
});

/** Operators with values that Envoy prints for them. */
const VALUES: readonly (readonly [operator: string, values: fc.Arbitrary<string>])[] = [
  ['%START_TIME%', fc.constantFrom('2026-11-21T12:24:51.934Z', '2026-01-01T00:00:00.000Z')],
  ['%START_TIME(%Y-%m-%d %H:%M:%S.%3f %z)%', fc.constant('2026-11-21 12:24:51.934 +0000')],
  ['%REQ(:METHOD)%', fc.constantFrom('GET', 'POST', 'DELETE')],
  ['%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%', fc.stringMatching(/^\/[a-z0-9/._-]{0,12}(?:\?[a-z]=[a-z0-9]{1,4})?$/)],
  ['%REQ(:AUTHORITY)%', fc.stringMatching(/^[a-z][a-z0-9.]{0,9}[a-z](?::[1-9][0-9]{1,3})?$/)],
  ['%PROTOCOL%', fc.constantFrom('HTTP/1.1', 'HTTP/2')],
  ['%RESPONSE_CODE%', fc.constantFrom('200', '403', '503', '0')],
  ['%RESPONSE_FLAGS%', fc.constantFrom('UF', 'UF,URX', 'NR', 'UAEX')],
  [
    '%RESPONSE_CODE_DETAILS%',
    fc.constantFrom(
      'via_upstream',
      'rbac_access_denied_matched_policy[ns[a]-policy[b-c]-rule[0]]',
      'upstream_reset_before_response_started{connection_failure,delayed_connect_error:_111}',
      'http1.codec_error',
    ),
  ],
  [
    '%CONNECTION_TERMINATION_DETAILS%',
    fc.constantFrom('rbac_access_denied_matched_policy[none]', 'transport socket timeout was reached'),
  ],
  ['%BYTES_SENT%', fc.nat(100_000).map(String)],
  ['%UPSTREAM_HOST%', fc.constantFrom('10.0.0.1:8080', '[2001:db8::1]:80', 'envoy://internal_client_address/')],
  ['%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%', fc.constantFrom('10.0.0.1', '2001:db8::7')],
  ['%DOWNSTREAM_REMOTE_PORT%', fc.nat(65_535).map(String)],
  ['%UPSTREAM_CLUSTER%', fc.constantFrom('outbound|80||a.b.svc.cluster.local', 'inbound|8080||', 'PassthroughCluster')],
  ['%REQ(USER-AGENT)%', fc.constantFrom('curl/8.7.1', 'Mozilla/5.0 (X11; Linux x86_64) Gecko')],
  ['%REQ(X-REQUEST-ID)%', fc.uuid()],
  ['%REQ(X-REQUEST-ID):8%', fc.uuid().map((id) => id.slice(0, 8))],
  ['%REQ(X-FORWARDED-FOR)%', fc.constantFrom('10.0.0.1', '10.0.0.1,10.0.0.2')],
  ['%DOWNSTREAM_PEER_URI_SAN%', fc.constant('spiffe://cluster.local/ns/a/sa/b')],
  ['%HOSTNAME%', fc.stringMatching(/^[a-z][a-z0-9-]{0,12}[a-z]$/)],
];

describe('random formats', () => {
  const between = fc.constantFrom(' ', '|', ',', ';', '" "', ' "', '" ', '\t', ' a=', '] [', '%%', ' | ', ', ', ' -> ');
  const column = fc.constantFrom(...VALUES).chain(([operator, values]) =>
    fc.record({
      operator: fc.constant(operator),
      value: fc.oneof({ weight: 6, arbitrary: values }, { weight: 1, arbitrary: fc.constant('-') }),
      after: between,
    }),
  );

  test('a compiled format gives back what was printed with it, but for columns that it tells as doubtful', () => {
    let [same, doubtful] = [0, 0];
    fc.assert(
      fc.property(fc.array(column, { minLength: 1, maxLength: 8 }), (columns) => {
        const format = compileFormat(columns.map(({ operator, after }) => operator + after).join(''));
        if ('error' in format) throw new Error(format.error);
        const values = format.match(columns.map(({ value, after }) => value + after.replace('%%', '%')).join(''));
        const inDoubt = new Set(format.warnings.flatMap(({ operators }) => operators));
        columns.forEach(({ value }, index) => {
          if (inDoubt.has(index)) doubtful++;
          else {
            same++;
            expect(values?.[index]).toBe(value);
          }
        });
      }),
      { numRuns: 400, seed: 7 },
    );
    expect(same).toBeGreaterThan(doubtful * 3);
  });

  test('hostile lines of twice the length take no more than a few times as long', () => {
    const formats = [
      '%REQ(A)%|%UPSTREAM_CLUSTER%|%REQ(B)%:%UPSTREAM_HOST%:%RESPONSE_CODE%,%RESPONSE_FLAGS%,%REQ(C)%',
      '%REQ(:AUTHORITY)%%REQ(:PATH)% %RESPONSE_CODE%%RESPONSE_FLAGS% %REQ(USER-AGENT)% %REQ(A)% %RESPONSE_CODE_DETAILS%',
      '%REQ(A)% %REQ(B)% %REQ(C)% %REQ(D)% %RESPONSE_CODE% %CONNECTION_TERMINATION_DETAILS% %UPSTREAM_HOST%"',
    ];
    const compiled = formats.map(compileFormat);
    const timeOf = (line: string): number => {
      const start = performance.now();
      for (const format of compiled) if ('match' in format) format.match(line);
      return performance.now() - start;
    };
    for (const piece of ['a|', 'a ', '1:1,', '/a 200 ', 'outbound|80||', 'UF,', '" ', '200UF ']) {
      timeOf(piece.repeat(2000));
      const [short, long] = [piece.repeat(8000), piece.repeat(16_000)].map(timeOf);
      expect(long, piece).toBeLessThan((short ?? 0) * 6 + 200);
    }
  });
});

describe('other programs', () => {
  test.each([
    '',
    'GET /api 403',
    '403 Forbidden',
    '{"level":"error","msg":"status 403","status":403,"path":"/x"}',
    '{"status":"ok","code":0,"details":"nothing"}',
    '{"level":"info","time":"2026-11-21T12:00:00.000001Z","scope":"access","message":"connection complete"}',
    '2026-11-21T12:00:00.000001Z\terror\taccess\tconnection complete\tsrc.addr=10.0.0.1:80',
    '2026-11-21T12:00:00.000001Z\tinfo\tproxy::inbound\tlistener established\t',
    '2026-11-21T12:00:00.000001Z  INFO ztunnel::proxy: complete',
    '10.0.0.1 - - [21/Nov/2026:12:24:51 +0000] "GET / HTTP/1.1" 403 153 "-" "curl/8.7.1"',
    'level=info msg="request" status=403 details=none',
    'info request gateway=a/b http.status=403 reason=UpstreamFailure',
    '[pod/web-0/app] {"a":1}',
  ])('%j is nobody’s', (line) => {
    expect(parseWith(envoyParsers, line)).toBeNull();
  });

  test('a wrapped line is left to the wrappings, so that nothing of it is lost', () => {
    const line = ACCESS_LINE(PLAIN_VALUES);
    for (const wrap of [
      '[pod/web-0/istio-proxy] ',
      '2026-11-21T12:24:51.934000000Z ',
      'web-0 istio-proxy ',
      'web-0 | ',
    ]) {
      expect(parseWith(envoyParsers, wrap + line)).toBeNull();
    }
  });
});

describe('secrets', () => {
  const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl';

  test.each([
    ACCESS_LINE({ ...PLAIN_VALUES, path: '/api?access_token=hunter2secret&x=1' }),
    ACCESS_LINE({ ...PLAIN_VALUES, path: `/api?x=${TOKEN}` }),
    `{"start_time":"2026-11-21T12:24:51.934Z","path":"/?access_token=hunter2secret","response_code":401,"response_flags":"-"}`,
    `2026-11-21T12:00:00.000001Z\tdebug\tenvoy jwt\torigins-0: Parse Jwt ${TOKEN}`,
    `2026-11-21T12:00:00.000001Z\tdebug\tenvoy rbac a/b.cc:1\tchecking request: ssl: none, headers: ':path', '/?access_token=hunter2secret'\n'authorization', 'Basic aHVudGVyMnNlY3JldA=='\n'cookie', 'session=hunter2secret'\n, dynamicMetadata: \n\tthread=1`,
    `{"level":"debug","time":"2026-11-21T12:00:00.000001Z","scope":"envoy http","msg":"x","authorization":"Bearer hunter2secret"}`,
  ])('are in no record of %j', (line) => {
    const parsed = parseWith(envoyParsers, line);
    expect(parsed).toMatchObject({ raw: expect.stringContaining('[redacted]') });
    expect(JSON.stringify(parsed)).not.toMatch(/hunter2secret|eyJ|aHVudGVy/);
  });
});

describe.skipIf(!hasShared)(needsShared('captures of a real Envoy'), () => {
  const root = shared('captures/envoy/');
  const folders = hasShared ? readdirSync(root).filter((name) => !name.startsWith('_world')) : [];
  const logs = (folder: string) => readdirSync(`${root}${folder}`).filter((name) => name.endsWith('.log'));
  const read = (folder: string, name: string) => readLog(readFileSync(`${root}${folder}/${name}`, 'utf8'));

  test.each(folders)('%s: every line is in a record', (folder) => {
    for (const name of logs(folder)) {
      const text = readFileSync(`${root}${folder}/${name}`, 'utf8');
      if (text !== '') expect(readLog(text).left, name).toEqual([]);
    }
  });

  const essence = (record: RequestRecord | ConnectionRecord) => ({
    kind: record.kind,
    status: record.kind === 'request' ? record.status : null,
    method: record.kind === 'request' ? record.method : null,
    path: record.kind === 'request' ? record.path : null,
    time: record.time,
    durationMs: record.durationMs,
    flags: [...(record.envoy?.flags ?? [])].sort(),
    details: record.envoy?.details,
    termination: record.envoy?.termination,
    transportFailure: record.envoy?.transportFailure,
    upstreamHost: record.envoy?.upstreamHost,
    requestId: record.envoy?.requestId,
  });
  const pairs = folders
    .filter((folder) => folder !== 'telemetry-two-providers')
    .flatMap((folder) =>
      logs(folder)
        .filter((name) => name.endsWith('json.log') || name.includes('custom'))
        .map((name) => [folder, name]),
    );

  test.each(pairs)('%s/%s agrees with the text log', (folder = '', name = '') => {
    const text = name.replace(/(?:custom-)?(?:json|text)\.log$/, 'text.log');
    const others = access(read(folder, text).records).map(essence);
    expect(
      access(readFileSync(`${root}${folder}/${name}`, 'utf8') === '' ? [] : read(folder, name).records).map(essence),
    ).toEqual(others);
  });
});

describe('formats of the mesh', () => {
  const TEXT = '%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%';
  const object = (apiVersion: string, kind: string, spec: unknown, name = 'x') => ({
    apiVersion,
    kind,
    metadata: { name, namespace: 'shop' },
    spec,
  });
  const config = (mesh: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'istio', namespace: 'istio-system' },
    data: { mesh },
  });
  const formatsOf = (...objects: readonly unknown[]) => accessLogFormats(createMesh(objects));
  const LOG = 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog';

  test('are those of the mesh configuration, of providers and of patches', () => {
    expect(formatsOf(config(`accessLogFormat: '${TEXT}'\n`))).toEqual([{ source: 'MeshConfig', format: TEXT }]);
    const json = `accessLogEncoding: JSON\naccessLogFormat: '{"code":"%RESPONSE_CODE%"}'\n`;
    expect(formatsOf(config(json))).toEqual([{ source: 'MeshConfig', format: { code: '%RESPONSE_CODE%' } }]);
    expect(formatsOf(config('accessLogEncoding: JSON\naccessLogFormat: "{broken"\n'))).toEqual([]);
    const providers = [
      `extensionProviders:`,
      `- {name: a, envoyFileAccessLog: {path: /dev/stdout, logFormat: {text: 'a %RESPONSE_CODE%'}}}`,
      `- {name: b, envoyFileAccessLog: {path: /dev/stdout, logFormat: {labels: {b: '%RESPONSE_CODE%'}}}}`,
    ].join('\n');
    const telemetry = object('telemetry.istio.io/v1', 'Telemetry', { accessLogging: [{ providers: [{ name: 'b' }] }] });
    expect(formatsOf(config(providers), telemetry)).toEqual([
      { source: 'the provider b (Telemetry shop/x)', format: { b: '%RESPONSE_CODE%' } },
      { source: 'the provider a', format: 'a %RESPONSE_CODE%' },
    ]);
    const patch = (log_format: unknown) =>
      object('networking.istio.io/v1alpha3', 'EnvoyFilter', {
        configPatches: [
          { patch: { value: { typed_config: { access_log: [{ typed_config: { '@type': LOG, log_format } }] } } } },
        ],
      });
    expect(formatsOf(patch({ text_format_source: { inline_string: TEXT } }))).toEqual([
      { source: 'EnvoyFilter shop/x', format: TEXT },
    ]);
    expect(formatsOf(patch({ json_format: { c: '%PROTOCOL%' } }))).toEqual([
      { source: 'EnvoyFilter shop/x', format: { c: '%PROTOCOL%' } },
    ]);
    expect(formatsOf(patch('nothing'), config('{'))).toEqual([]);
    const proxy = object('gateway.envoyproxy.io/v1alpha1', 'EnvoyProxy', {
      telemetry: { accessLog: { settings: [{ format: { type: 'Text', text: TEXT } }] } },
    });
    expect(formatsOf(proxy)).toEqual([{ source: 'EnvoyProxy shop/x', format: TEXT }]);
  });

  test('are tried before all others, with no need to name them', async () => {
    const line = 'GET /cart 403 - rbac_access_denied_matched_policy[none]';
    const read = async (mesh: ReturnType<typeof createMesh> | null) => {
      const report = await analyze([line, line], {
        generatedAt: '2026-11-21T12:00:00.000000Z',
        ...(mesh === null ? {} : { mesh }),
      });
      return report.inputs[0]?.parsers;
    };
    expect(await read(createMesh([config(`accessLogFormat: '${TEXT}'\n`)]))).toEqual({ 'envoy-own-format': 2 });
    expect(await read(null)).toEqual({});
  });

  test('defaults are not read anew, and those that fit any line are told instead of used', () => {
    const given = (format: string) => ({ source: 'MeshConfig', format, isMeant: false });
    const istio =
      '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';
    expect(ownFormatsParser('own', 'own', [given(istio)])).toEqual({ parser: null, problems: [] });
    const weak = ownFormatsParser('own', 'own', [given('%REQ(A)% %REQ(B)%'), given('%bad')]);
    expect(weak.parser).toBeNull();
    expect(weak.problems).toHaveLength(2);
    const { parser } = ownFormatsParser('own', 'own', [given(TEXT), given(`{"c":1} ${TEXT}`)]);
    expect(parser?.parse(envelope('GET /x 403 - via_upstream'))?.kind).toBe('request');
    expect(parser?.parse(envelope('{"c":1} GET /x 403 - via_upstream'))?.kind).toBe('request');
    expect(parser?.parse(envelope('some other line of text'))).toBeNull();
  });
});

describe('what a format lacks', () => {
  const problemsOf = async (lines: readonly string[]) => {
    const report = await analyze(lines, { generatedAt: '2026-11-21T12:00:00.000000Z' });
    return report.problems.filter(({ about }) => about.startsWith('format')).map(({ message }) => message);
  };

  test('is told with what it hid and how to show it', async () => {
    const without = (code: number) =>
      `{"start_time":"2026-11-21T12:24:51.934Z","response_code":${code},"response_flags":"-","path":"/x","upstream_cluster":"inbound|80||"}`;
    const [message, ...others] = await problemsOf([
      without(403),
      without(403),
      without(200),
      ACCESS_LINE(PLAIN_VALUES),
    ]);
    expect(others).toEqual([]);
    expect(message).toMatch(
      /^67 % of your 403 \(2 of 3\) cannot be told apart: .*add "response_code_details":"%RESPONSE_CODE_DETAILS%"/,
    );
    expect(await problemsOf([without(200)])).toEqual([]);
    expect(await problemsOf([ACCESS_LINE(PLAIN_VALUES)])).toEqual([]);
  });
});
