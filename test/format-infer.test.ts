import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { envoyParsers, envoyTextParser, inferFormat } from '../parsers/envoy/index.ts';
import { analyze } from '../src/index.ts';
import { type Envelope, UNKNOWN_ORIGIN } from '../src/model/line.ts';
import type { Parsed } from '../src/model/record.ts';
import { type Printed, printedRequests, printWith } from './envoy-print.ts';
import { hasShared, needsShared } from './shared.ts';

const PATH = '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%';
const ANSWER = '%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%';

/** Formats that people write, none of them a default. */
const FORMATS: readonly string[] = [
  `[%START_TIME%] "%REQ(:METHOD)% ${PATH} %PROTOCOL%" ${ANSWER} %DURATION% "%REQ(USER-AGENT)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER%`,
  `[%START_TIME%] "%REQ(:METHOD)% ${PATH} %PROTOCOL%" ${ANSWER} "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%"`,
  `%START_TIME%|%REQ(:METHOD)%|%REQ(:AUTHORITY)%|${PATH}|%RESPONSE_CODE%|%RESPONSE_FLAGS%|%RESPONSE_CODE_DETAILS%|%UPSTREAM_CLUSTER%|%DURATION%`,
  `%START_TIME%\t%REQ(:METHOD)%\t${PATH}\t%RESPONSE_CODE%\t%RESPONSE_FLAGS%\t%RESPONSE_CODE_DETAILS%\t%UPSTREAM_HOST%\t%REQ(USER-AGENT)%`,
  `%START_TIME(%s)%;%REQ(:METHOD)%;${PATH};%PROTOCOL%;%RESPONSE_CODE%;%RESPONSE_FLAGS%;%RESPONSE_CODE_DETAILS%;%DURATION%;%REQ(X-REQUEST-ID)%`,
  `%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% - - [%START_TIME(%d/%b/%Y:%H:%M:%S %z)%] "%REQ(:METHOD)% ${PATH} %PROTOCOL%" %RESPONSE_CODE% %BYTES_SENT% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% "%REQ(USER-AGENT)%"`,
  `t=%START_TIME% m=%REQ(:METHOD)% p=${PATH} st=%RESPONSE_CODE% fl=%RESPONSE_FLAGS% dt=%RESPONSE_CODE_DETAILS% cl=%UPSTREAM_CLUSTER% took=%DURATION%`,
  `%REQ(:METHOD)% %REQ(:AUTHORITY)%${PATH} -> %RESPONSE_CODE%/%RESPONSE_FLAGS% (%RESPONSE_CODE_DETAILS%) %UPSTREAM_CLUSTER%`,
  `ACCESS %START_TIME% %REQ(X-REQUEST-ID)% %REQ(:METHOD)% ${PATH} %PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS% %UPSTREAM_CLUSTER% %UPSTREAM_HOST%`,
  `%START_TIME% | %REQ(:METHOD)% | ${PATH} | %RESPONSE_CODE% | %RESPONSE_FLAGS% | %RESPONSE_CODE_DETAILS% | %UPSTREAM_HOST%`,
  `{"t":"%START_TIME%","verb_":"%REQ(:METHOD)%","where":"${PATH}","result":"%RESPONSE_CODE%","f":"%RESPONSE_FLAGS%","because":"%RESPONSE_CODE_DETAILS%","to":"%UPSTREAM_CLUSTER%"}`,
  `{"meta":{"at":"%START_TIME%"},"in":{"verb_":"%REQ(:METHOD)%","where":"${PATH}"},"out":{"n":"%RESPONSE_CODE%","x":"%RESPONSE_FLAGS%","y":"%RESPONSE_CODE_DETAILS%"}}`,
];

function envelope(payload: string): Envelope {
  return { at: { input: 'test', line: 1 }, wrappings: [], time: null, origin: UNKNOWN_ORIGIN, payload };
}

interface Facts {
  readonly status: string;
  readonly method: string | null;
  readonly path: string | null;
  readonly flags: readonly string[];
  readonly details: string | null;
}

/** Whether a record says what was printed; columns that the format lacks say nothing. */
function isTrue(facts: Facts, printed: Printed): boolean {
  return (
    facts.status === printed['RESPONSE_CODE'] &&
    (facts.method ?? '-') === printed['REQ(:METHOD)'] &&
    (facts.path ?? '-') === printed['REQ(X-ENVOY-ORIGINAL-PATH?:PATH)'] &&
    (facts.flags.length === 0 || facts.flags.join(',') === printed['RESPONSE_FLAGS']) &&
    (facts.details === null || facts.details === printed['RESPONSE_CODE_DETAILS'])
  );
}

function factsOf(parsed: Parsed): Facts | null {
  if (parsed?.kind !== 'request') return null;
  const { status, method, path, envoy } = parsed;
  return { status: String(status), method, path, flags: envoy.flags ?? [], details: envoy.details };
}

describe.skipIf(!hasShared)(needsShared('a format is learnt from its lines'), () => {
  const logs = hasShared ? ['_mixed/json.log', '_mixed/client.json.log'] : [];
  const cases = logs.flatMap((log) => FORMATS.map((format): [string, string] => [log, format]));

  test.each(cases)('%s with %s', (log, format) => {
    const printed = printedRequests(log).filter((request) => request['REQ(:METHOD)'] !== '-');
    const lines = printed.map((request) => printWith(format, request));
    const inference = inferFormat(lines.slice(0, 200));
    const answers = lines.map((line) => factsOf(inference?.parser.parse(envelope(line)) ?? null));
    const wrong = answers.filter((facts, index) => facts !== null && !isTrue(facts, printed[index] ?? {}));
    expect(wrong).toEqual([]);
    expect(answers.filter((facts) => facts !== null).length).toBeGreaterThan(lines.length * 0.9);
  });
});

/** A format that no parser knows, and lines of it. */
const SHORT =
  '%START_TIME%|%REQ(:METHOD)%|%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%|%RESPONSE_CODE%|%RESPONSE_FLAGS%|%RESPONSE_CODE_DETAILS%|%UPSTREAM_CLUSTER_RAW%';

function shortLine(index: number): string {
  const answer =
    index % 3 === 0
      ? '403|-|rbac_access_denied_matched_policy[none]'
      : index % 3 === 1
        ? '503|UF|upstream_reset_before_response_started{connection_failure}'
        : '200|-|via_upstream';
  return `2026-11-21T12:24:51.9${10 + (index % 90)}Z|GET|/cart/${index}|${answer}|inbound|8080||`;
}

describe('learning while reading', () => {
  const generatedAt = '2026-11-21T12:00:00.000000Z';
  const app = (index: number): string => `level=debug something else happened, number ${index}`;
  const mixed = (count: number, wrap: (line: string) => string): string[] =>
    Array.from({ length: count }, (_item, index) => [wrap(shortLine(index)), wrap(app(index))]).flat();

  test.each([
    ['a few lines', 6, (line: string) => line],
    ['more lines than are looked at together', 700, (line: string) => line],
    ['wrapped lines', 40, (line: string) => `[pod/web-0/istio-proxy] ${line}`],
  ])('%s: each is read, also those before the format was known', async (_name, count, wrap) => {
    const report = await analyze(mixed(count, wrap), { generatedAt });
    const [input] = report.inputs;
    expect(input).toMatchObject({ lines: 2 * count, records: count, skipped: count, malformed: 0 });
    expect(input?.parsers).toEqual({ 'envoy-inferred': count });
    expect(report.problems).toContainEqual({
      about: 'input lines',
      message: expect.stringContaining(`read with a format inferred from its lines: ${SHORT};`),
    });
    expect(report.findings.map(({ ruleId, count: times }) => [ruleId, times])).toContainEqual([
      'envoy-rbac-denied-none',
      Math.ceil(count / 3),
    ]);
  });

  test('the inferred format is the format that the operator may give', () => {
    const inference = inferFormat(Array.from({ length: 9 }, (_item, index) => shortLine(index)));
    const again = envoyTextParser('envoy-inferred', 'x', inference?.format ?? '');
    if ('error' in again) throw new Error(again.error);
    for (let index = 0; index < 9; index++) {
      expect(again.parse(envelope(shortLine(index)))).toEqual(inference?.parser.parse(envelope(shortLine(index))));
    }
  });

  test('two formats in one stream are both learnt', async () => {
    const other = (index: number): string =>
      `{"verdict":{"n":${index % 2 ? 403 : 200},"y":"${index % 2 ? 'rbac_access_denied_matched_policy[none]' : 'via_upstream'}"},"what":"/x/${index}","how":"GET"}`;
    const lines = Array.from({ length: 300 }, (_item, index) => [shortLine(index), other(index)]).flat();
    const report = await analyze(lines, { generatedAt });
    expect(report.inputs[0]).toMatchObject({ records: 600, skipped: 0 });
  });

  test('any lines are answered and none is lost', () => {
    const piece = fc.constantFrom(
      '|',
      ' ',
      '"',
      '[',
      ']',
      '=',
      '{',
      '403',
      'GET',
      '/x',
      'UF',
      'via_upstream',
      '-',
      'a',
      ':',
      '%',
    );
    const line = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), (lines) => {
        const inference = inferFormat([...lines, ...lines, ...lines]);
        for (const each of lines) inference?.parser.parse(envelope(each));
      }),
    );
  });

  test('hostile lines take linear time', () => {
    for (const text of [
      '"'.repeat(8000),
      '|'.repeat(8000),
      'a='.repeat(4000),
      ' '.repeat(8000),
      '[403] '.repeat(1300),
    ]) {
      const start = performance.now();
      inferFormat(Array.from({ length: 200 }, (_item, index) => `${index}${text}`));
      expect(performance.now() - start, text.slice(0, 10)).toBeLessThan(4000);
    }
  });
});

describe('other programs', () => {
  const time = (index: number): string => `2026-11-21T12:24:5${index % 10}`;
  const clf = (index: number): string => `21/Nov/2026:12:24:5${index % 10} +0000`;
  const status = (index: number): number => [200, 404, 503, 403, 500, 301][index % 6] ?? 200;
  const logs: Readonly<Record<string, (index: number) => string>> = {
    'nginx combined': (i) =>
      `10.0.0.${i} - - [${clf(i)}] "GET /a/${i}?x=1 HTTP/1.1" ${status(i)} ${i * 13} "-" "Mozilla/5.0 (X11; Linux x86_64)"`,
    'nginx ingress': (i) =>
      `10.0.0.${i} - - [${clf(i)}] "GET /a HTTP/1.1" ${status(i)} 548 "-" "curl/8.7.1" 78 0.00${i} [shop-web-80] [] 10.1.1.${i}:8080 19 0.004 ${status(i)} a84deefc9bdd4c1e9b7aa1b200006d9d`,
    'nginx error': (i) =>
      `2026/11/21 12:24:5${i % 10} [error] 29#29: *${i} connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.1, server: _, request: "GET / HTTP/1.1", upstream: "http://10.1.1.1:80/", host: "web"`,
    apache: (i) => `web.shop:80 10.0.0.${i} - frank [${clf(i)}] "GET /apache_pb.gif HTTP/1.0" ${status(i)} 2326`,
    haproxy: (i) =>
      `Nov 21 12:24:5${i % 10} lb haproxy[14389]: 10.0.1.2:33317 [21/Nov/2026:12:14:14.655] http-in static/srv1 10/0/30/69/109 ${status(i)} 2750 - - ${i % 2 ? 'SC--' : '----'} 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html HTTP/1.1"`,
    'haproxy json': (i) =>
      `{"time":"${time(i)}Z","status":${status(i)},"method":"GET","path":"/x","termination_state":"--","bytes":12,"backend":"be","server":"srv1"}`,
    'traefik clf': (i) =>
      `10.0.0.${i} - - [${clf(i)}] "GET /x HTTP/2.0" ${status(i)} 19 "-" "curl/8.7.1" ${i} "web@kubernetes" "http://10.1.1.1:8080" ${i}ms`,
    'traefik json': (i) =>
      `{"ClientAddr":"10.0.0.1:4000","DownstreamStatus":${status(i)},"Duration":12345,"OriginStatus":${status(i)},"RequestMethod":"GET","RequestPath":"/x","RequestProtocol":"HTTP/1.1","RouterName":"web@docker","ServiceAddr":"10.1.1.1:80","level":"info","msg":"","time":"${time(i)}Z"}`,
    uvicorn: (i) => `INFO:     10.0.0.${i}:5000 - "GET /items/${i} HTTP/1.1" ${status(i)} OK`,
    gunicorn: (i) => `[2026-11-21 12:24:5${i % 10} +0000] [7] [INFO] 10.0.0.${i} GET /x ${status(i)}`,
    'spring boot': (i) =>
      `${time(i)}.123Z  INFO 1 --- [nio-8080-exec-${i}] o.s.web.servlet.DispatcherServlet        : Completed ${status(i)} NOT_FOUND in ${i} ms`,
    tomcat: (i) => `10.0.0.${i} - - [${clf(i)}] "GET /x HTTP/1.1" ${status(i)} -`,
    'go zap': (i) =>
      `{"level":"info","ts":1795263891.${i},"caller":"http/server.go:42","msg":"request","method":"GET","path":"/x","status":${status(i)},"duration":0.0${i},"request_id":"a84deefc-9bdd-4c1e-9b7a-a1b200006d9d"}`,
    'go access': (i) => `${time(i)}Z GET /api/v1/x ${status(i)} ${i}ms 10.0.0.${i}:4000`,
    logfmt: (i) =>
      `time=${time(i)}Z level=info msg="handled request" method=GET path=/x status=${status(i)} duration=${i}ms remote=10.0.0.1:1234`,
    caddy: (i) =>
      `{"level":"info","ts":1795263891.1,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"10.0.0.1","proto":"HTTP/2.0","method":"GET","host":"x","uri":"/"},"duration":0.0${i},"size":10,"status":${status(i)}}`,
    squid: (i) =>
      `1795263891.${100 + i}    ${i} 10.0.0.${i} TCP_MISS/${status(i)} 1234 GET http://x.y/z - HIER_DIRECT/10.1.1.1 text/html`,
    'aws alb': (i) =>
      `https ${time(i)}.186641Z app/lb/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.086 0.048 0.037 ${status(i)} ${status(i)} 0 57 "GET https://www.example.com:443/ HTTP/1.1" "curl/7.46.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:x "Root=1-58337281" "www.example.com" "arn:y" 1 ${time(i)}.186641Z "forward" "-" "-" "10.0.0.1:80" "${status(i)}" "-" "-"`,
    iis: (i) => `2026-11-21 12:24:5${i % 10} 10.0.0.1 GET /x - 80 - 10.0.0.${i} curl/8.7.1 - ${status(i)} 0 0 ${i}`,
    rails: (i) =>
      `I, [${time(i)}.1 #1]  INFO -- : [a84deefc-9bdd-4c1e-9b7a-a1b200006d9d] Completed ${status(i)} Not Found in ${i}ms`,
    postgres: (i) => `2026-11-21 12:24:5${i % 10}.123 UTC [${i}] ERROR:  relation "x" does not exist at character 15`,
    klog: (i) =>
      `I1121 12:24:5${i % 10}.123456       1 httplog.go:132] "HTTP" verb="GET" URI="/x" latency="${i}ms" userAgent="kube-probe/1.29" srcIP="10.0.0.1:4000" resp=${status(i)}`,
    istiod: (i) => `${time(i)}.123456Z\tinfo\tads\tADS: new connection for node:web-${i}.shop-${i}`,
    linkerd: (i) =>
      `[     ${i}.001234s]  INFO ThreadId(01) inbound:server{port=80}: linkerd_app_core::serve: Connection closed client.addr=10.0.0.1:4000`,
    countries: (i) => `${time(i)}Z GET /x ${status(i)} ${['DO', 'NC', 'FR', 'NR'][i % 4]} 12`,
    words: (i) => `line ${i} of nothing in particular, status ${status(i)}`,
  };

  test.each(Object.entries(logs))('no format is learnt from %s', (_name, line) => {
    const lines = Array.from({ length: 40 }, (_item, index) => line(index + 1));
    expect(inferFormat(lines)).toBeNull();
    const taken = lines.flatMap((each) => envoyParsers.flatMap((parser) => parser.parse(envelope(each))?.kind ?? []));
    expect(taken.filter((kind) => kind === 'request' || kind === 'connection')).toEqual([]);
  });

  test('nor from all of them together', () => {
    const lines = Array.from({ length: 200 }, (_item, index) =>
      Object.values(logs).map((line) => line(index + 1)),
    ).flat();
    expect(inferFormat(lines.slice(0, 400))).toBeNull();
  });
});
