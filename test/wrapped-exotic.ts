/**
 * Rarer wrappings: log servers, consoles, CI systems, terminals, chats and programs that pass lines on. The reader knows most
 * of them by shape only: a line of ours behind marks, in any value of a document, or in a text of many lines.
 */
import type { Wrapped } from './wrapped.ts';

const TIME = '2026-11-21T12:05:48.841732001Z';
const POD = 'ztunnel-4wq7x';
const NS = 'istio-system';
const CONTAINER = 'istio-proxy';

function text(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

/** Lines of older formats do not show where they begin, so that marks before them cannot be told from them. */
function hasNoStart(line: string): boolean {
  return !/^(?:\{"|\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)/.test(line);
}

/** Something before each line. */
function before(name: string, mark: string): Wrapped {
  return { name, wrap: (lines) => text(lines.map((line) => mark + line)), not: hasWeakStart };
}

/** What stands before a line is told from it by signs that words do not have; those of custom formats may be anything. */
function hasWeakStart(line: string): boolean {
  return !/^(?:\{"|\[\d{4}-\d\d-\d\dT[\d:.]{12}Z\] |\d{4}-\d\d-\d\dT[\d:.]{15}Z\s+\w)/.test(line);
}

/** A document of one line, and the same laid out. */
function documents(name: string, wrap: (lines: readonly string[]) => unknown): readonly Wrapped[] {
  return [
    { name, wrap: (lines) => text([JSON.stringify(wrap(lines))]), not: hasNoStart },
    { name: `${name}, laid out`, wrap: (lines) => text([JSON.stringify(wrap(lines), null, 2)]), not: hasNoStart },
  ];
}

function eachJson(name: string, wrap: (line: string) => unknown): Wrapped {
  return { name, wrap: (lines) => text(lines.map((line) => JSON.stringify(wrap(line)))), not: hasNoStart };
}

function cell(value: string): string {
  return `"${value.replaceAll('"', '""')}"`;
}

function table(name: string, header: string, row: (line: string) => readonly string[], sign = ','): Wrapped {
  return { name, wrap: (lines) => text([header, ...lines.map((line) => row(line).map(cell).join(sign))]) };
}

const KEY_OF_LINE =
  'event _line raw logmsg @rawstring _msg text RenderedMessage log_message payload msg entry data Body record';

/** Every rarer wrapping. */
export const EXOTIC: readonly Wrapped[] = [
  ...KEY_OF_LINE.split(' ').map((key) =>
    eachJson(`JSON with the line under ${key}`, (line) => ({ time: TIME, host: 'worker-a', [key]: line })),
  ),
  eachJson('Splunk HEC with fields', (line) => ({
    time: 1_795_262_748.841,
    event: { line, source: 'stdout' },
    fields: { pod: POD, namespace: NS },
  })),
  eachJson('ClickHouse, OpenTelemetry schema', (line) => ({
    Timestamp: '2026-11-21 12:05:48.841732001',
    Body: line,
    ResourceAttributes: { 'k8s.pod.name': POD },
  })),
  ...documents('Sumo Logic messages', (lines) => ({
    fields: [{ name: '_raw', fieldType: 'string', keyField: false }],
    messages: lines.map((line) => ({ map: { _messagetime: '1795262748841', _raw: line, _sourcehost: 'worker-a' } })),
  })),
  ...documents('New Relic NerdGraph', (lines) => ({
    data: { actor: { account: { nrql: { results: lines.map((line) => ({ message: line, pod_name: POD })) } } } },
  })),
  ...documents('Graylog messages', (lines) => ({
    messages: lines.map((line, index) => ({
      index: 'graylog_0',
      message: { message: line, source: 'a', _id: `${index}` },
    })),
  })),
  ...documents('Loggly', (lines) => ({ total_events: lines.length, events: lines.map((raw) => ({ id: 'x', raw })) })),
  ...documents('CloudWatch subscription', (lines) => ({
    messageType: 'DATA_MESSAGE',
    owner: '1',
    logEvents: lines.map((message, index) => ({ id: `${index}`, timestamp: 1_795_262_748_841, message })),
  })),
  ...documents('ES|QL', (lines) => ({
    columns: [
      { name: '@timestamp', type: 'date' },
      { name: 'message', type: 'text' },
    ],
    values: lines.map((line) => [TIME, line]),
  })),
  ...documents('OpenSearch PPL', (lines) => ({
    schema: [{ name: 'log', type: 'string' }],
    datarows: lines.map((line) => [line]),
  })),
  ...documents('Grafana data frame', (lines) => ({
    results: {
      A: { frames: [{ schema: { refId: 'A' }, data: { values: [lines.map(() => 1_795_262_748_841), lines] } }] },
    },
  })),
  ...documents('list of lines', (lines) => lines),
  ...documents('Ansible, stdout_lines', (lines) => ({ changed: false, stdout_lines: lines })),
  ...documents('many lines in one text', (lines) => ({ content: [{ type: 'text', text: text(lines) }] })),
  ...documents('many lines in one text, alone', (lines) => ({ logs: text(lines) })),
  { name: 'jq -Rs', wrap: (lines) => text([JSON.stringify(text(lines))]), not: hasWeakStart },
  {
    name: 'Python bytes',
    wrap: (lines) =>
      text([
        `b'${text(lines).replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\t', '\\t').replaceAll('\n', '\\n')}'`,
      ]),
    not: (line) => hasNoStart(line) || /[^\x20-\x7e\t]/.test(line),
  },
  table('Sumo Logic CSV', '"_messagetimems","_messagetime","_sourcehost","_raw"', (line) => ['1', 'x', 'a', line]),
  table('New Relic CSV', 'timestamp,message,pod_name', (line) => ['1795262748841', line, POD]),
  table('Graylog CSV', '"timestamp","source","message"', (line) => [TIME, 'worker-a', line]),
  table('Azure CSV, semicolons', 'TimeGenerated;LogMessage;PodName', (line) => [TIME, line, POD], ';'),
  {
    name: 'Papertrail archive',
    wrap: (lines) =>
      text(
        lines.map(
          (line) =>
            `7\t2026-11-21T12:05:48Z\t2026-11-21T12:05:48Z\t1\tworker-a\t10.0.0.1\tUser\tInfo\tztunnel\t${line}`,
        ),
      ),
    not: hasWeakStart,
  },
  {
    name: 'OpenTelemetry debug exporter',
    wrap: (lines) =>
      text(
        lines.flatMap((line, index) => [
          `LogRecord #${index}`,
          'ObservedTimestamp: 2026-11-21 12:05:48.841732 +0000 UTC',
          'SeverityText: ',
          `Body: Str(${line})`,
          'Attributes:',
          '     -> log.iostream: Str(stdout)',
          'Trace ID: ',
        ]),
      ),
  },
  {
    name: 'Logstash rubydebug',
    wrap: (lines) =>
      text(
        lines.flatMap((line) => [
          '{',
          '    "@timestamp" => 2026-11-21T12:05:48.841Z,',
          `       "message" => ${JSON.stringify(line)},`,
          '          "host" => "worker-a"',
          '}',
        ]),
      ),
  },
  {
    name: 'journalctl -o verbose',
    wrap: (lines) =>
      text(
        lines.flatMap((line) => ['Sat 2026-11-21 12:05:48.841732 UTC [s=1;i=1]', '    _PID=1', `    MESSAGE=${line}`]),
      ),
  },
  {
    name: 'logfmt around it',
    wrap: (lines) =>
      text(
        lines.map((line) => `ts=${TIME} level=info component=loki.echo.a entry=${JSON.stringify(line)} labels="{}"`),
      ),
    not: (line) => hasNoStart(line),
  },
  {
    name: 'Promtail dry run',
    wrap: (lines) => text(lines.map((line) => `${TIME}\t{app="ztunnel", pod="${POD}"}\t${line}`)),
    not: (line) => /^\s/.test(line),
  },
  before('journalctl -o short-full', 'Sat 2026-11-21 12:05:48 UTC worker-a k3s[123]: '),
  before('journalctl -o short-unix', '1795262748.841732 worker-a k3s[123]: '),
  before('journalctl -o short-monotonic', '[ 1234.567890] worker-a k3s[123]: '),
  before('dmesg', '[12345.678901] '),
  before('syslog with its length', '214 <14>1 2026-11-21T12:05:48.841Z worker-a ztunnel 1 - - '),
  before('syslog with a year', 'Nov 21 2026 12:05:48 worker-a ztunnel[1]: '),
  before('moreutils ts', 'Nov 21 12:05:48 '),
  before('Kibana, copied', 'Nov 21, 2026 @ 12:05:48.841 '),
  before('Azure, copied', '11/21/2026, 12:05:48.841 PM\t'),
  before('Google Cloud, copied', '2026-11-21 12:05:48.841 UTC '),
  before('Datadog, copied', 'Nov 21 12:05:48.841 worker-a ztunnel '),
  before('gcloud, as a table', '2026-11-21T12:05:48.841732Z  '),
  before('Rancher', 'Sat, Nov 21 2026 12:05:48 pm | '),
  before('Apache date', '[21/Nov/2026:12:05:48 +0000] '),
  before('GitHub Actions, copied', 'Sat, 21 Nov 2026 12:05:48 GMT '),
  before('date of a shell', 'Sat Nov 21 12:05:48 UTC 2026 '),
  before('TeamCity', '[12:05:48] : [Step 2/3] '),
  before('Buildkite', '\u001b_bk;t=1795262748841\u0007'),
  before('BuildKit', '#12 3.456 '),
  before('Tekton', '[build : dump-logs] '),
  before('Terraform', 'null_resource.logs (remote-exec): '),
  before('Go test', '    logger.go:42: 12:05:48 | mesh/1-logs | '),
  before('Vagrant', '    default: '),
  before('Ginkgo', '  Nov 21 12:05:48.841: INFO: '),
  before('Docker Swarm', 'web_proxy.1.9ceribpacyzq@worker-a    | '),
  before('Podman with names', `${POD} 2026-11-21T12:05:48+00:00 `),
  before('k9s with time', `${TIME} ${POD} ${CONTAINER} `),
  before('pssh', '[1] 12:05:48 [SUCCESS] worker-a: '),
  before('pdsh', 'worker-a: '),
  before('chat', '[12:05:48] <jane> '),
  before('Teams', '[21/11 12:05] Doe, Jane: '),
  before('mail, quoted twice', '> > '),
  before('mail, quoted twice without blanks', '>> '),
  before('Org', ': '),
  before('Select-String', '> C:\\logs\\ztunnel.log:12:'),
  before('findstr', 'logs\\ztunnel.log:'),
  before('ripgrep with columns', '12:1:'),
  {
    name: 'CloudWatch, as a table',
    wrap: (lines) => text(lines.map((line) => `| 2026-11-21 12:05:48.841 | ${line} |`)),
    not: (line) => hasWeakStart(line) || /\s$/.test(line),
  },
  {
    name: 'HTML with tags',
    wrap: (lines) =>
      text([
        '<html><body><pre class="log">',
        ...lines.map((line) => `<div class="line">${line.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</div>`),
        '</pre>',
      ]),
    not: (line) => hasNoStart(line) || /\\[^\w\s]/.test(line) || /&/.test(line),
  },
  { name: 'HTML with line breaks', wrap: (lines) => text(lines.map((line) => `${line}<br/>`)), not: hasNoStart },
  {
    name: 'JUnit',
    wrap: (lines) => text([`<system-out><![CDATA[${lines.join('\n')}`, ']]></system-out>']),
    not: hasNoStart,
  },
  { name: 'Jira, coloured', wrap: (lines) => text(lines.map((line) => `{color:red}${line}{color}`)), not: hasNoStart },
  {
    name: 'script, typescript',
    wrap: (lines) =>
      `Script started on 2026-11-21 12:05:48+00:00 [TERM="xterm"]\n\u001b[?2004h$ kubectl logs x\r\n\u001b[?2004l\r${lines.map((line) => `${line}\r\r\n`).join('')}\nScript done on 2026-11-21 12:05:49+00:00 [COMMAND_EXIT_CODE="0"]\n`,
    not: hasNoStart,
  },
  {
    name: 'terminal title',
    wrap: (lines) => text(lines.map((line) => `\u001b]0;me@host\u0007\u001b[K${line}\u001b[0m\u001b[39;49m`)),
    not: hasNoStart,
  },
];
