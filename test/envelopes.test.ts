import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { wrappings } from '../parsers/envelopes/index.ts';
import { ztunnelParsers } from '../parsers/ztunnel/index.ts';
import { UNKNOWN_ORIGIN, type Unwrapped } from '../src/model/line.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/parsers/', import.meta.url));
const FOLDER = fileURLToPath(new URL('../parsers/envelopes/', import.meta.url));

const STAMP = '2026-11-21T11:30:43.640123450Z';

/** A line as each tool prints it, and what it tells about the line. */
interface Sample {
  readonly id: string;
  readonly wrap: (line: string) => string;
  readonly time?: string;
  readonly origin?: Readonly<Record<string, string>>;
  readonly more?: boolean;
  readonly stream?: 'stdout' | 'stderr';
  /** What is left of the line, where it is not the line itself. */
  readonly inner?: (line: string) => string;
  /** Inverse for any text; otherwise for lines of proxies only. */
  readonly any?: boolean;
}

const LOG_NAME = `ztunnel-4wq7x_istio-system_istio-proxy-${'0123456789abcdef'.repeat(4)}`;
const origin = { namespace: 'istio-system', pod: 'ztunnel-4wq7x', container: 'istio-proxy' };
const podOrigin = { pod: 'ztunnel-4wq7x', container: 'istio-proxy' };
const time = '2026-11-21T11:30:43.640123Z';

const SAMPLES: readonly Sample[] = [
  { id: 'ansi', wrap: (line) => `\u001b[38;5;12m\u001b[1m${line}\u001b[m\u001b[K` },
  {
    id: 'collector-json',
    wrap: (line) =>
      JSON.stringify({
        date: 1763724643.64,
        time: STAMP,
        stream: 'stdout',
        _p: 'F',
        log: line,
        kubernetes: {
          pod_name: origin.pod,
          namespace_name: origin.namespace,
          container_name: origin.container,
          host: 'worker-a',
        },
      }),
    time,
    origin: { ...origin, node: 'worker-a' },
    stream: 'stdout',
  },
  {
    id: 'collector-json',
    wrap: (line) =>
      JSON.stringify({
        log: `${line}\n`,
        stream: 'stdout',
        docker: { container_id: '0f3c' },
        kubernetes: { pod_name: origin.pod, namespace_name: origin.namespace, container_name: origin.container },
      }),
    origin,
    stream: 'stdout',
  },
  {
    id: 'collector-json',
    wrap: (line) =>
      JSON.stringify({
        file: '/var/log/pods/x/0.log',
        kubernetes: {
          container_name: origin.container,
          pod_name: origin.pod,
          pod_namespace: origin.namespace,
          pod_node_name: 'worker-a',
        },
        message: line,
        source_type: 'kubernetes_logs',
        stream: 'stderr',
        timestamp: STAMP,
      }),
    time,
    stream: 'stderr',
    origin: { ...origin, node: 'worker-a' },
  },
  {
    id: 'collector-json',
    wrap: (line) =>
      JSON.stringify({
        '@timestamp': STAMP,
        message: line,
        kubernetes: {
          namespace: origin.namespace,
          pod: { name: origin.pod },
          container: { name: origin.container },
          node: { name: 'worker-a' },
        },
        log: { file: { path: '/var/log/containers/x.log' }, offset: 7 },
      }),
    time,
    origin: { ...origin, node: 'worker-a' },
  },
  {
    id: 'collector-json',
    wrap: (line) =>
      JSON.stringify({
        message: line,
        nodeName: 'worker-a',
        namespace: origin.namespace,
        podName: origin.pod,
        containerName: origin.container,
        labels: {},
      }),
    origin: { ...origin, node: 'worker-a' },
  },
  {
    id: 'collector-json',
    wrap: (line) => JSON.stringify({ labels: { ...origin, cluster: 'east' }, line, timestamp: STAMP }),
    time,
    origin: { ...origin, cluster: 'east' },
  },
  {
    id: 'collector-json',
    wrap: (line) =>
      JSON.stringify({
        insertId: 'a1',
        textPayload: line,
        resource: {
          type: 'k8s_container',
          labels: {
            cluster_name: 'east',
            namespace_name: origin.namespace,
            pod_name: origin.pod,
            container_name: origin.container,
          },
        },
        timestamp: STAMP,
      }),
    time,
    origin: { ...origin, cluster: 'east' },
  },
  {
    id: 'collector-json',
    wrap: (line) =>
      JSON.stringify({
        TimeGenerated: STAMP,
        Computer: 'worker-a',
        ContainerName: origin.container,
        PodName: origin.pod,
        PodNamespace: origin.namespace,
        LogMessage: line,
      }),
    time,
    origin: { ...origin, node: 'worker-a' },
  },
  {
    id: 'collector-json',
    wrap: (line) => JSON.stringify({ time: STAMP, logtag: 'P', message: line }),
    time,
    more: true,
  },
  { id: 'cri', wrap: (line) => `${STAMP} stdout F ${line}`, time, any: true, stream: 'stdout' },
  { id: 'cri', wrap: (line) => `${STAMP} stderr P ${line}`, time, any: true, more: true, stream: 'stderr' },
  {
    id: 'cri',
    wrap: (line) => `2026-11-21T06:30:43.640123450-05:00 stderr F:tag ${line}`,
    time,
    any: true,
    stream: 'stderr',
  },
  { id: 'docker-compose', wrap: (line) => `ztunnel-1   | ${line}`, origin: { container: 'ztunnel-1' }, any: true },
  {
    id: 'docker-json',
    wrap: (line) => JSON.stringify({ log: `${line}\n`, stream: 'stdout', time: STAMP }),
    time,
    stream: 'stdout',
    any: true,
  },
  {
    id: 'docker-json',
    wrap: (line) => JSON.stringify({ log: line, stream: 'stdout', time: STAMP }),
    time,
    more: true,
    stream: 'stdout',
  },
  { id: 'grep', wrap: (line) => `412:${line}`, any: true },
  { id: 'grep', wrap: (line) => `./logs/web-0.istio-proxy.log:412:${line}`, any: true },
  { id: 'grep', wrap: (line) => `(standard input):${line}` },
  { id: 'grep', wrap: (line) => `411-${line}` },
  { id: 'grep', wrap: (line) => `web-7d9-2.log.gz-411-${line}` },
  { id: 'grep', wrap: (line) => `ztunnel-4wq7x.log-${line}` },
  { id: 'html-entities', wrap: escapeHtml },
  {
    id: 'kubectl-prefix',
    wrap: (line) => `[pod/${origin.pod}/${origin.container}] ${line}`,
    origin: podOrigin,
    any: true,
  },
  { id: 'kubectl-timestamps', wrap: (line) => `${STAMP} ${line}`, time },
  { id: 'kubectl-timestamps', wrap: (line) => `2026-11-21T12:30:43.640123+01:00 ${line}`, time },
  { id: 'kubetail', wrap: (line) => `[${origin.pod} ${origin.container}] ${line}`, origin: podOrigin, any: true },
  { id: 'kubetail', wrap: (line) => `[${origin.pod}] ${line}`, origin: { pod: origin.pod }, any: true },
  {
    id: 'logcli',
    wrap: (line) =>
      `${STAMP} {app="ztunnel", cluster="east", container="istio-proxy", namespace="istio-system", note="}", pod="ztunnel-4wq7x"}   ${line}`,
    time,
    origin: { ...origin, cluster: 'east' },
  },
  { id: 'markdown-quote', wrap: (line) => `> ${line}`, any: true },
  { id: 'markdown-quote', wrap: (line) => `\`${line}\``, any: true },
  { id: 'markdown-quote', wrap: (line) => `**${line}**` },
  { id: 'markdown-quote', wrap: (line) => `**_${line}_**` },
  { id: 'markdown-quote', wrap: (line) => `    ${line}` },
  { id: 'markdown-quote', wrap: (line) => `- ${line}` },
  { id: 'ci-job', wrap: (line) => `e2e (ambient)\tDump logs\t\ufeff${STAMP} ${line}`, time, any: true },
  { id: 'ci-job', wrap: (line) => `${STAMP} 01O ${line}`, time, any: true },
  { id: 'ci-job', wrap: (line) => `[${STAMP}] ${line}`, time },
  { id: 'cloudwatch-tail', wrap: (line) => `${STAMP} ${LOG_NAME} ${line}`, time, origin, any: true },
  { id: 'cloudwatch-tail', wrap: (line) => `2026-11-21T11:30:43 ${line}` },
  {
    id: 'fluent',
    wrap: (line) => `${STAMP}\tkube.var.log.containers.${LOG_NAME}.log\t{"log":${line}`,
    time,
    origin,
    inner: (line) => `{"log":${line}`,
  },
  { id: 'klog', wrap: (line) => `W1121 12:05:48.841732       1 logs.go:42] ${line}`, any: true },
  { id: 'member-line', wrap: (line) => `  "message" : ${JSON.stringify(line)},`, any: true },
  { id: 'member-line', wrap: (line) => JSON.stringify(line), any: true },
  { id: 'member-line', wrap: (line) => `textPayload: '${line.replaceAll("'", "''")}'`, any: true },
  { id: 'name-prefix', wrap: (line) => `${origin.pod}/${origin.container} > ${line}`, origin: podOrigin },
  { id: 'numbered', wrap: (line) => `  412\t${line}`, any: true },
  { id: 'syslog', wrap: (line) => `<14>1 ${STAMP} worker-a app 1 - - ${line}`, time, origin: { node: 'worker-a' } },
  { id: 'syslog', wrap: (line) => `Nov  1 11:30:43 worker-a app[1]: ${line}`, origin: { node: 'worker-a' } },
  { id: 'stern', wrap: (line) => `${origin.pod} ${origin.container} ${line}`, origin: podOrigin },
  { id: 'stern', wrap: (line) => `${origin.pod} ${origin.container} 11-21 11:30:43 ${line}`, origin: podOrigin },
  { id: 'stern', wrap: (line) => `${origin.namespace} ${origin.pod} ${origin.container} ${line}`, origin },
];

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&#34;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function unwrap(id: string, text: string): Unwrapped | null {
  const wrapping = wrappings.find((one) => one.id === id);
  if (wrapping === undefined) throw new Error(`no wrapping ${id}`);
  return wrapping.unwrap(text);
}

function fixtureLines(name: string): readonly string[] {
  return readFileSync(`${FIXTURES}${name}/input.log`, 'utf8').trimEnd().split('\n');
}

/** Lines of each kind that proxies print. */
const LINES: readonly string[] = [
  ...fixtureLines('ztunnel-text/access'),
  ...fixtureLines('ztunnel-text/diagnostics'),
  ...fixtureLines('ztunnel-json/lines'),
  '[2026-11-21T11:30:43.474Z] "GET /a?b=<c>&d HTTP/1.1" 403 - rbac_access_denied_matched_policy[none] - "-" 0 19 0 - "-" "curl/8.4.0" "id" "web:80" "-" inbound|80|| - 10.0.0.1:80 10.0.0.2:9 - default',
  '{"response_code":403,"response_flags":"-","start_time":"2026-11-21T11:30:43.474Z","path":"/a?b=<c>&d"}',
];

describe('wrappings', () => {
  test('are listed all, each once, with the name of its file', () => {
    const files = readdirSync(FOLDER).filter((file) => file.endsWith('.ts') && file !== 'index.ts');
    expect(wrappings.map(({ id }) => `${id}.ts`).sort()).toEqual(files.sort());
  });

  test.each(SAMPLES)(
    '$id: wrapped and unwrapped is the line itself ($#)',
    ({ id, wrap, inner, more = false, ...told }) => {
      for (const line of LINES) {
        const text = wrap(line);
        if (text === line) continue;
        expect(unwrap(id, text)).toEqual({
          payload: inner?.(line) ?? line,
          time: told.time ?? null,
          origin: { ...UNKNOWN_ORIGIN, ...told.origin },
          more,
          stream: told.stream ?? null,
        });
      }
    },
  );

  const folders = readdirSync(FIXTURES).filter((name) => name.startsWith('envelopes-'));

  test.each(folders)('%s', async (name) => {
    const lines = readFileSync(`${FIXTURES}${name}/input.log`, 'utf8').trimEnd().split('\n');
    const shown = lines.map((line) => unwrap(name.slice('envelopes-'.length), line));
    await expect(`${JSON.stringify(shown, null, 2)}\n`).toMatchFileSnapshot(`${FIXTURES}${name}/expected.json`);
  });

  test('have a fixture each', () => {
    expect(folders).toEqual(wrappings.map(({ id }) => `envelopes-${id}`).sort());
  });

  test('that put something before any text give any text back', () => {
    const exact = SAMPLES.filter(({ any }) => any);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.constantFrom(...exact), (text, { id, wrap }) => {
        const line = text.replace(/[\r\n]/g, '');
        expect(unwrap(id, wrap(line))?.payload).toBe(line);
      }),
    );
  });

  test('a line that a collector parsed comes back as JSON', () => {
    const line = { level: 'info', scope: 'access', 'src.addr': '10.0.0.1:80' };
    for (const record of [
      { jsonPayload: line },
      { log_processed: line },
      { pod: 'a', container: 'b', message: line },
      { _index: 'logs', _source: line },
    ]) {
      expect(unwrap('collector-json', JSON.stringify(record))?.payload).toBe(JSON.stringify(line));
    }
  });

  test('two layers come off one after the other', () => {
    for (const line of LINES) {
      const text = `[pod/${origin.pod}/${origin.container}] ${STAMP} ${line}`;
      const outer = unwrap('kubectl-prefix', text);
      expect(unwrap('kubectl-timestamps', outer?.payload ?? '')).toMatchObject({ payload: line, time });
    }
  });

  test('do not touch what proxies print', () => {
    // The JSON of a diagnostic has a `message`, and a stamp with a blank behind it is also ztunnel's own: parsers come first.
    for (const line of LINES) {
      const peeled = wrappings.filter((wrapping) => wrapping.unwrap(line) !== null).map(({ id }) => id);
      const allowed = [
        ...(line.startsWith('{') ? ['collector-json'] : []),
        ...(line.includes('&') ? ['html-entities'] : []),
        ...(/[^\u0000-\u007f]/.test(line) ? ['typography'] : []),
      ];
      expect(allowed).toEqual(expect.arrayContaining(peeled));
    }
  });

  test('let no application line become a record of ztunnel', () => {
    const lines = [
      ...fixtureLines('ztunnel-text/quiet-foreign'),
      '{"level":"error","message":"connection failed: refused","time":"2026-11-21T11:30:43Z"}',
      '{"log":"listening on 8080\\n","stream":"stdout","time":"2026-11-21T11:30:43Z"}',
      'web-1  | 10.0.0.1 - - [21/Nov/2026:11:30:43 +0000] "GET / HTTP/1.1" 200 5',
      '[main] INFO org.example.App - started',
      'pod container some words of an application',
      '| a | table | in | markdown |',
    ];
    const claimed = (payload: string, depth: number): boolean => {
      const envelope = { at: { input: 'test', line: 1 }, wrappings: [], time: null, origin: UNKNOWN_ORIGIN, payload };
      const kinds = ztunnelParsers.map((parser) => parser.parse(envelope)?.kind);
      if (kinds.some((kind) => kind === 'connection' || kind === 'diagnostic' || kind === 'malformed')) return true;
      const inner = depth === 0 ? [] : wrappings.map((wrapping) => wrapping.unwrap(payload)?.payload ?? null);
      return inner.some((text) => text !== null && claimed(text, depth - 1));
    };
    for (const line of lines) expect(claimed(line, 3), line).toBe(false);
  });

  test('answer any text without throwing, and never with a longer one', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc
        .tuple(fc.constantFrom(...SAMPLES), fc.string(), fc.nat(80))
        .map(([{ wrap }, line, cut]) => wrap(line).slice(cut)),
    );
    fc.assert(
      fc.property(text, (any) => {
        for (const wrapping of wrappings) {
          const unwrapped = wrapping.unwrap(any);
          if (unwrapped !== null && wrapping.id !== 'collector-json') {
            expect(unwrapped.payload.length).toBeLessThan(any.length);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test('are linear in hostile text', () => {
    const heads = ['', '[pod/', '[a', '> ', `${STAMP} {a="`, `${STAMP} stdout F`, 'a', '{"log":"', '&'];
    const fillers = ['a', ' ', '-', '"', '\\"', '{', '}', '\u001b[', '\u001b[1;', '&', '&amp', '`', '|', ':', '1;'];
    for (const head of heads) {
      for (const filler of fillers) {
        const text = head + filler.repeat(200_000 / filler.length);
        const start = performance.now();
        for (const wrapping of wrappings) wrapping.unwrap(text);
        expect(performance.now() - start, JSON.stringify(head + filler)).toBeLessThan(2000);
      }
    }
  });
});
