/**
 * What operators have instead of a clean stream: lines as tools, collectors, log servers, consoles and tickets give them back
 * (reference/envelopes.md). Every wrapping is a function from the lines of one pod to the text of a file.
 */
export interface Wrapped {
  readonly name: string;
  readonly wrap: (lines: readonly string[]) => string;
  /** What the wrapping changes in a line beyond adding to it, so that hostile text does not come back as it was. */
  readonly lossy?: boolean;
  /** Lines of these kinds cannot be told from the wrapping itself. */
  readonly not?: (line: string) => boolean;
}

const TIME = '2026-11-21T12:05:48.841732001Z';
const MICROS = '1795262748841732';
const NANOS = '1795262748841732001';
const MILLIS = 1_795_262_748_841;
const POD = 'ztunnel-4wq7x';
const NS = 'istio-system';
const CONTAINER = 'istio-proxy';
const ID = '0123456789abcdef'.repeat(4);
const FILE = `${POD}_${NS}_${CONTAINER}-${ID}`;
const KUBERNETES = { pod_name: POD, namespace_name: NS, container_name: CONTAINER, host: 'worker-a' };
const LABELS = { app: 'ztunnel', namespace: NS, pod: POD, container: CONTAINER, cluster: 'east' };

function each(name: string, wrap: (line: string) => string, more: Partial<Wrapped> = {}): Wrapped {
  return { name, wrap: (lines) => text(lines.map(wrap)), ...more };
}

function eachJson(name: string, wrap: (line: string) => unknown): Wrapped {
  return each(name, (line) => JSON.stringify(wrap(line)));
}

/** A document as one line, and laid out with two and four blanks. */
function documents(name: string, wrap: (lines: readonly string[]) => unknown): readonly Wrapped[] {
  return [
    { name, wrap: (lines) => text([JSON.stringify(wrap(lines))]) },
    { name: `${name}, laid out`, wrap: (lines) => text([JSON.stringify(wrap(lines), null, 2)]) },
    { name: `${name}, laid out wider`, wrap: (lines) => text([JSON.stringify(wrap(lines), null, 4)]) },
  ];
}

function text(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

/** A line that a collector parses if it is JSON. */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}

function cell(value: string): string {
  return `"${value.replaceAll('"', '""')}"`;
}

function table(name: string, header: string, row: (line: string) => readonly string[]): Wrapped {
  return { name, wrap: (lines) => text([header, ...lines.map((line) => row(line).map(cell).join(','))]) };
}

/** YAML as gcloud prints it: quoted where a plain scalar would mean something else. */
function yaml(line: string): string {
  if (/[\t\u0000-\u001f\u007f-\u009f]/.test(line)) return JSON.stringify(line);
  return /^[A-Za-z][\w ./-]*$/.test(line) ? line : `'${line.replaceAll("'", "''")}'`;
}

function otlp(lines: readonly string[]): unknown {
  const attribute = (key: string, value: string): unknown => ({ key, value: { stringValue: value } });
  const record = (line: string): unknown => ({
    timeUnixNano: NANOS,
    body: { stringValue: line },
    attributes: [attribute('log.iostream', 'stdout')],
  });
  const attributes = [attribute('k8s.pod.name', POD), attribute('k8s.namespace.name', NS)];
  return {
    resourceLogs: [{ resource: { attributes }, scopeLogs: [{ scope: {}, logRecords: lines.map(record) }] }],
  };
}

const gcloudEntry = (line: string): Record<string, unknown> => ({
  insertId: 'a1',
  labels: { 'k8s-pod/app': 'ztunnel' },
  logName: 'projects/p/logs/stdout',
  resource: {
    labels: { cluster_name: 'east', container_name: CONTAINER, namespace_name: NS, pod_name: POD },
    type: 'k8s_container',
  },
  severity: 'INFO',
  ...(typeof parsed(line) === 'string' ? { textPayload: line } : { jsonPayload: parsed(line) }),
  timestamp: TIME,
});

/** Old formats without a time in front. */
const hasNoStart = (line: string): boolean => !/^(?:\{|\[?\d{4}-\d\d-\d\d)/.test(line);

/** Every wrapping that is known, most common ones first. */
export const WRAPPED: readonly Wrapped[] = [
  each('kubectl logs', (line) => line),
  each('kubectl logs --prefix', (line) => `[pod/${POD}/${CONTAINER}] ${line}`),
  each('kubectl logs --timestamps', (line) => `${TIME} ${line}`),
  each('kubectl logs --prefix --timestamps', (line) => `[pod/${POD}/${CONTAINER}] ${TIME} ${line}`),
  {
    name: 'kubectl logs --prefix 2>&1, with messages in between',
    wrap: (lines) =>
      text([
        'Defaulted container "istio-proxy" out of: istio-proxy, istio-init (init)',
        ...lines.flatMap((line) => [
          `unable to retrieve container logs for containerd://${ID}[pod/${POD}/${CONTAINER}] ${line}`,
        ]),
        'error: unexpected EOF',
      ]),
  },
  each('stern', (line) => `${POD} ${CONTAINER} ${line}`),
  each('stern -A --timestamps', (line) => `${NS} ${POD} ${CONTAINER} ${TIME} ${line}`),
  each('stern --color always', (line) => `\u001b[38;5;2m${POD}\u001b[0m \u001b[38;5;3m${CONTAINER}\u001b[0m ${line}`),
  eachJson('stern -o json', (line) => ({
    message: line,
    nodeName: 'n1',
    namespace: NS,
    podName: POD,
    containerName: CONTAINER,
    labels: {},
    annotations: {},
  })),
  eachJson('stern -o extjson', (line) => ({ pod: POD, container: CONTAINER, message: parsed(line) })),
  {
    name: 'stern -o ppextjson',
    wrap: (lines) =>
      text(lines.map((line) => JSON.stringify({ pod: POD, container: CONTAINER, message: parsed(line) }, null, 2))),
  },
  each('stern --template "ns/pod/container: "', (line) => `${NS}/${POD}/${CONTAINER}: ${line}`, { not: hasNoStart }),
  each('stern --template "[pod] [container] | "', (line) => `[${POD}] [${CONTAINER}] | ${line}`, { not: hasNoStart }),
  each('kail', (line) => `${NS}/${POD}[${CONTAINER}]: ${line}`, { not: hasNoStart }),
  each('kubetail', (line) => `[${POD} ${CONTAINER}] ${line}`),
  each('kubetail, coloured', (line) => `\u001b[33m[${POD}]\u001b[0m ${line}`),
  each('CRI file', (line) => `${TIME} stdout F ${line}`),
  {
    name: 'CRI file, cut lines',
    wrap: (lines) =>
      text(
        lines.flatMap((line) => [
          `${TIME} stdout P ${line.slice(0, 40)}`,
          `${TIME} stderr F some words of another stream`,
          `${TIME} stdout F ${line.slice(40)}`,
        ]),
      ),
  },
  eachJson('Docker json-file', (line) => ({ log: `${line}\n`, stream: 'stdout', time: TIME })),
  each('docker compose', (line) => `ztunnel-1  | ${line}`),
  each('docker compose -t', (line) => `ztunnel-1  | ${TIME} ${line}`),
  eachJson('Fluent Bit', (line) => ({
    date: 1_795_262_748.84,
    time: TIME,
    stream: 'stdout',
    _p: 'F',
    log: line,
    kubernetes: KUBERNETES,
  })),
  {
    name: 'Fluent Bit, list over lines',
    wrap: (lines) =>
      text([
        lines
          .map((line) => JSON.stringify({ date: 1_795_262_748.84, log: line, kubernetes: KUBERNETES }))
          .join(',\n')
          .replace(/^/, '[')
          .concat(']'),
      ]),
  },
  eachJson('Fluent Bit around CRI', (line) => ({ log: `${TIME} stdout F ${line}`, kubernetes: KUBERNETES })),
  eachJson('Fluent Bit, parsed', (line) => ({ kubernetes: KUBERNETES, log: line, log_processed: parsed(line) })),
  each(
    'Fluent Bit on stdout',
    (line) => `[0] kube.var.log.containers.${FILE}.log: [[1795262748.841732001, {}], {"log"=>${JSON.stringify(line)}}]`,
    { not: (line) => line.includes('"=>') },
  ),
  eachJson('Fluentd', (line) => ({
    log: `${line}\n`,
    stream: 'stdout',
    docker: { container_id: ID },
    kubernetes: KUBERNETES,
  })),
  each(
    'Fluentd, file',
    (line) => `2026-11-21T12:05:48+00:00\tkubernetes.var.log.containers.${FILE}.log\t${JSON.stringify({ log: line })}`,
  ),
  each(
    'Fluentd, stdout',
    (line) =>
      `2026-11-21 12:05:48.841732001 +0000 kubernetes.var.log.containers.${FILE}.log: ${JSON.stringify({ log: line })}`,
  ),
  {
    name: 'Fluentd, split by Docker',
    wrap: (lines) =>
      text(
        lines.flatMap((line) =>
          line.length < 41
            ? [JSON.stringify({ log: line, source: 'stdout' })]
            : [
                JSON.stringify({
                  log: line.slice(0, 40),
                  partial_message: 'true',
                  partial_id: 'x',
                  partial_last: 'false',
                }),
                JSON.stringify({ log: line.slice(40), partial_message: 'true', partial_id: 'x', partial_last: 'true' }),
              ],
        ),
      ),
  },
  eachJson('Vector', (line) => ({
    file: `/var/log/pods/${NS}_${POD}_11111111-2222-3333-4444-555555555555/${CONTAINER}/0.log`,
    kubernetes: { container_name: CONTAINER, pod_name: POD, pod_namespace: NS, pod_node_name: 'worker-a' },
    message: line,
    source_type: 'kubernetes_logs',
    stream: 'stdout',
    timestamp: TIME,
  })),
  eachJson('Filebeat', (line) => ({
    '@timestamp': TIME,
    message: line,
    kubernetes: { namespace: NS, pod: { name: POD }, container: { name: CONTAINER }, node: { name: 'worker-a' } },
    log: { file: { path: `/var/log/containers/${FILE}.log` }, offset: 7 },
  })),
  eachJson('Elastic, flat', (line) => ({ '@timestamp': TIME, 'event.original': line, 'kubernetes.pod.name': POD })),
  eachJson('Promtail pack', (line) => ({ _entry: line, pod: POD, namespace: NS })),
  each('logcli', (line) => `${TIME} {app="ztunnel", namespace="${NS}", pod="${POD}"} ${line}`, {
    not: (line) => /^\s/.test(line),
  }),
  eachJson('logcli -o jsonl', (line) => ({ labels: LABELS, line, timestamp: TIME })),
  ...documents('Loki query_range', (lines) => ({
    status: 'success',
    data: {
      resultType: 'streams',
      result: [{ stream: LABELS, values: lines.map((line, index) => [String(BigInt(NANOS) + BigInt(index)), line]) }],
      stats: { summary: { bytesProcessedPerSecond: 1 } },
    },
  })),
  ...documents('Loki query_range, backwards, two streams', (lines) => ({
    status: 'success',
    data: {
      resultType: 'streams',
      result: [
        {
          stream: { ...LABELS, stream: 'stderr' },
          values: [
            [NANOS, 'words of an application'],
            [NANOS, 'more'],
          ],
        },
        {
          stream: LABELS,
          values: lines.map((line, index) => [String(BigInt(NANOS) + BigInt(index)), line]).reverse(),
        },
      ],
    },
  })),
  {
    name: 'Loki query_range around Docker json-file',
    wrap: (lines) =>
      text([
        JSON.stringify({
          data: {
            result: [
              {
                stream: LABELS,
                values: lines.map((line) => [
                  NANOS,
                  JSON.stringify({ log: `${line}\n`, stream: 'stdout', time: TIME }),
                ]),
              },
            ],
          },
        }),
      ]),
  },
  each('Grafana, downloaded as text', (line) => `2026-11-21 12:05:48.841\t${line}`, {
    not: (line) => !/^(?:[[{]|\d{4}-)/.test(line),
  }),
  ...documents('Grafana, downloaded as JSON', (lines) =>
    lines.map((line) => ({ line, timestamp: NANOS, date: TIME, fields: LABELS })),
  ),
  table('Grafana, downloaded as CSV', '"Time","Line","tsNs","labels"', (line) => [
    '2026-11-21 12:05:48.841',
    line,
    NANOS,
    JSON.stringify(LABELS),
  ]),
  eachJson('Elasticsearch dump', (line) => ({
    _index: 'logs',
    _id: 'x',
    _source: { log: line, kubernetes: KUBERNETES, '@timestamp': TIME },
  })),
  ...documents('Elasticsearch _search', (lines) => ({
    took: 3,
    timed_out: false,
    _shards: { total: 5, successful: 5, skipped: 0, failed: 0 },
    hits: {
      total: { value: lines.length, relation: 'eq' },
      max_score: null,
      hits: lines.map((line) => ({
        _index: 'logs-2026.11.21',
        _id: 'a',
        _source: { '@timestamp': TIME, message: line, kubernetes: { pod: { name: POD } }, tags: ['beats', 'k8s:x'] },
        sort: [MILLIS],
      })),
    },
  })),
  ...documents('Elasticsearch _search, fields', (lines) => ({
    hits: { hits: lines.map((line) => ({ _id: 'a', fields: { 'event.original': [line], '@timestamp': [TIME] } })) },
  })),
  table('Kibana CSV', '"@timestamp","kubernetes.pod.name",message', (line) => ['Nov 21, 2026', POD, line]),
  ...documents('gcloud logging read --format=json', (lines) => lines.map(gcloudEntry)),
  eachJson('Google Cloud, saved in a bucket', gcloudEntry),
  {
    name: 'gcloud logging read',
    wrap: (lines) =>
      text(
        lines.map(
          (line) =>
            `---\ninsertId: a1\nlogName: projects/p/logs/stdout\nresource:\n  labels:\n    pod_name: ${POD}\n  type: k8s_container\ntextPayload: ${yaml(line)}\ntimestamp: '${TIME}'`,
        ),
      ),
  },
  table('Google Cloud CSV', 'insertId,textPayload,resource.labels.pod_name,timestamp', (line) => [
    'a',
    line,
    POD,
    TIME,
  ]),
  each('aws logs tail', (line) => `2026-11-21T12:05:48.841000+00:00 ${FILE} ${line}`),
  each('aws logs tail --format short', (line) => `2026-11-21T12:05:48 ${line}`),
  each('CloudWatch, exported to S3', (line) => `2026-11-21T12:05:48.841Z ${line}`),
  ...documents('aws logs filter-log-events', (lines) => ({
    events: lines.map((line) => ({
      logStreamName: `fluentbit-kube.var.log.containers.${FILE}.log`,
      timestamp: MILLIS,
      message: line,
      ingestionTime: MILLIS,
      eventId: '1',
    })),
    searchedLogStreams: [],
    nextToken: 'x',
  })),
  ...documents('CloudWatch events around Fluent Bit', (lines) => ({
    events: lines.map((line) => ({
      timestamp: MILLIS,
      message: JSON.stringify({ time: TIME, stream: 'stdout', _p: 'F', log: line, kubernetes: KUBERNETES }),
    })),
  })),
  ...documents('aws logs get-query-results', (lines) => ({
    queryLanguage: 'CWLI',
    results: lines.map((line) => [
      { field: '@timestamp', value: '2026-11-21 12:05:48.841' },
      { field: '@message', value: line },
      { field: '@ptr', value: 'x' },
    ]),
    statistics: { recordsMatched: 1.0 },
    status: 'Complete',
  })),
  table('CloudWatch Insights CSV', '@timestamp,@message', (line) => ['2026-11-21 12:05:48.841', line]),
  ...documents('az monitor log-analytics query', (lines) =>
    lines.map((line) => ({
      Computer: 'aks-1',
      ContainerName: CONTAINER,
      LogMessage: line,
      LogSource: 'stdout',
      PodName: POD,
      PodNamespace: NS,
      TableName: 'PrimaryResult',
      TimeGenerated: TIME,
    })),
  ),
  ...documents('Azure Monitor query API', (lines) => ({
    tables: [
      {
        name: 'PrimaryResult',
        columns: [
          { name: 'TimeGenerated', type: 'datetime' },
          { name: 'LogMessage', type: 'dynamic' },
          { name: 'PodName', type: 'string' },
        ],
        rows: lines.map((line) => [TIME, line, POD]),
      },
    ],
  })),
  table('Azure portal CSV', '"TimeGenerated [UTC]",Computer,ContainerName,PodName,LogMessage', (line) => [
    '11/21/2026, 12:05:48.841 PM',
    'aks-1',
    CONTAINER,
    POD,
    line,
  ]),
  eachJson('Datadog archive', (line) => ({
    _id: 'x',
    date: TIME,
    service: 'ztunnel',
    host: 'worker-a',
    source: 'ztunnel',
    message: line,
    status: 'info',
    tags: [`kube_namespace:${NS}`, `pod_name:${POD}`],
    attributes: {},
  })),
  ...documents('Datadog API', (lines) => ({
    data: lines.map((line) => ({
      id: 'x',
      type: 'log',
      attributes: { message: line, timestamp: TIME, tags: [`pod_name:${POD}`], attributes: { a: 1 } },
    })),
    meta: { page: {} },
  })),
  table('Datadog CSV', 'Date,Host,Service,Content', (line) => [TIME, 'worker-a', 'ztunnel', line]),
  eachJson('Splunk export', (line) => ({ preview: false, offset: 0, result: { _raw: line, _time: TIME, host: 'a' } })),
  ...documents('Splunk results', (lines) => ({ results: lines.map((line) => ({ _raw: line, source: FILE })) })),
  table('Splunk CSV', '"_raw","_time",host', (line) => [line, TIME, 'worker-a']),
  {
    name: 'Splunk CSV with line ends in the values',
    wrap: (lines) => text(['"_time","_raw"', ...lines.map((line) => `${cell(TIME)},${cell(`${line}\n`)}`)]),
  },
  eachJson('journalctl -o json', (line) => ({
    __CURSOR: 's=1',
    __REALTIME_TIMESTAMP: MICROS,
    MESSAGE: line,
    _HOSTNAME: 'worker-a',
    _SYSTEMD_UNIT: 'k3s.service',
  })),
  eachJson('journalctl -o json, bytes', (line) => ({ __REALTIME_TIMESTAMP: MICROS, MESSAGE: [...Buffer.from(line)] })),
  {
    name: 'journalctl -o json-pretty',
    wrap: (lines) =>
      text(
        lines.map(
          (line) => `{\n\t"__CURSOR" : "s=1",\n\t"MESSAGE" : ${JSON.stringify(line)},\n\t"_HOSTNAME" : "worker-a"\n}`,
        ),
      ),
  },
  each('journalctl', (line) => `Nov 21 12:05:48 worker-a k3s[123]: ${line}`),
  each('journalctl -o short-iso', (line) => `2026-11-21T12:05:48+0000 worker-a k3s[123]: ${line}`),
  each('syslog, RFC 5424', (line) => `<14>1 ${TIME} worker-a ztunnel 1 - [meta a="b\\]"] ${line}`),
  each('syslog, RFC 3164', (line) => `<14>Nov  1 12:05:48 worker-a ztunnel[1]: ${line}`),
  eachJson('GELF', (line) => ({ version: '1.1', host: 'a', short_message: line, timestamp: 1_795_262_748.841 })),
  each('klog around it', (line) => `I1121 12:05:48.841732       1 logs.go:42] ${line}`),
  {
    name: 'klog in between',
    wrap: (lines) =>
      text(
        lines.flatMap((line) => ['I1121 12:05:48.841732       1 reflector.go:42] "Caches populated" type="x"', line]),
      ),
  },
  ...documents('OpenTelemetry Collector', otlp),
  each('GitHub Actions', (line) => `2026-11-21T12:05:48.8417320Z ${line}`),
  each('gh run view --log', (line) => `e2e (ambient)\tDump logs\t2026-11-21T12:05:48.8417320Z ${line}`),
  each('GitLab', (line) => `2026-11-21T12:05:48.841732Z 01O ${line}`),
  each('Jenkins', (line) => `[2026-11-21T12:05:48.841Z] ${line}`),
  each('colours', (line) => `\u001b[31m${line}\u001b[0m`),
  each('colours, spelt out', (line) => `^[[31m${line}^[[0m`),
  each('grep -n', (line) => `12:${line}`),
  each('grep -H', (line) => `ztunnel-4wq7x.log:${line}`, { not: (line) => !/^(?:[[{]|\d{4}-)/.test(line) }),
  each('jq .log', (line) => JSON.stringify(line)),
  each('a member of laid out JSON', (line) => `      "message": ${JSON.stringify(line)},`),
  each('Markdown, quoted', (line) => `> ${line}`),
  { name: 'Markdown, fenced', wrap: (lines) => text(['```', ...lines, '```']) },
  each('Markdown, between backticks', (line) => `\`${line}\``),
  each('Markdown, list', (line) => `- ${line}`),
  each('Markdown, numbered list', (line) => `1. ${line}`),
  each('Markdown, indented', (line) => `    ${line}`),
  each('Markdown, table', (line) => `| ${line} |`, { not: (line) => /^\s|\s$/.test(line) }),
  each('Markdown, escaped', (line) => line.replace(/[[\]_*`<>#]/g, '\\$&'), {
    lossy: true,
    not: (line) => !line.startsWith('['),
  }),
  { name: 'Jira, code', wrap: (lines) => text(['{code:none}', ...lines, '{code}']) },
  {
    name: 'Jira, noformat on the line',
    wrap: (lines) => text([`{noformat}${lines.join('\n')}{noformat}`]),
    not: (line) => !line.startsWith('{'),
  },
  each('numbered as by cat -n', (line) => `    12\t${line}`),
  each('numbered with a bar', (line) => ` 12 | ${line}`),
  each(
    'HTML',
    (line) => line.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
    // A backslash before a mark may as well be Markdown's.
    { not: (line) => /\\[^\w\s]/.test(line) },
  ),
  each('curly quotes', (line) => line.replaceAll(/"([^"]*)"/g, '“$1”'), {
    lossy: true,
    not: (line) => !(line.startsWith('[') || line.includes('\t')),
  }),
  each('a diff', (line) => `+${line}`, { not: (line) => !/^[[{\d]/.test(line) }),
];
