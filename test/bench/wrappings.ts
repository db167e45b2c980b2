import { closeSync, existsSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { generateLog } from './generate.ts';
import { medianOf, type Sample, time } from './time.ts';

const POD = 'ztunnel-4wq7x';
const NAMESPACE = 'istio-system';
const CONTAINER = 'istio-proxy';
const ID = '0123456789abcdef'.repeat(4);
const FORMATS = ['ztunnel-text', 'envoy-text', 'envoy-json'] as const;
const ROADS = ['bulk', 'plain'] as const;

/** A line in the wrapping of a tool; `number` counts the lines, for what differs from line to line. */
type Wrap = (line: string, number: number) => string;

const WRAPS: Readonly<Record<string, Wrap>> = {
  'no wrapping': (line) => line,
  CRI: (line, number) => `${stamp(number)} stdout F ${line}`,
  'kubectl --prefix --timestamps': (line, number) => `[pod/${POD}/${CONTAINER}] ${stamp(number)} ${line}`,
  stern: (line) => `${POD} ${CONTAINER} ${line}`,
  'Docker JSON': (line, number) =>
    JSON.stringify({ log: `${line}\n`, stream: 'stdout', time: stamp(number).replace(/0*Z/, 'Z') }),
  'Loki jsonl': (line, number) =>
    JSON.stringify({
      labels: { app: 'ztunnel', container: CONTAINER, namespace: NAMESPACE, pod: POD, stream: 'stdout' },
      line,
      timestamp: stamp(number),
    }),
  journald: (line, number) =>
    JSON.stringify({
      __CURSOR: `s=${ID};i=${number.toString(16)};b=1`,
      __REALTIME_TIMESTAMP: String(1_795_262_748_841_732 + number),
      _HOSTNAME: 'worker-a',
      _SYSTEMD_UNIT: 'k3s.service',
      MESSAGE: line,
    }),
  Elasticsearch: (line, number) =>
    JSON.stringify({
      _index: 'logs-2026.01.02',
      _id: `a${number.toString(36)}`,
      _score: 1,
      _source: {
        '@timestamp': stamp(number),
        message: line,
        stream: 'stdout',
        kubernetes: { namespace: NAMESPACE, pod: { name: POD }, container: { name: CONTAINER }, node: { name: 'a' } },
        log: { offset: number * 500, file: { path: `/var/log/containers/${POD}_${NAMESPACE}_${CONTAINER}-${ID}.log` } },
      },
    }),
  gcloud: (line, number) =>
    JSON.stringify({
      insertId: `i${number}`,
      labels: { 'k8s-pod/app': 'ztunnel' },
      logName: 'projects/p/logs/stdout',
      receiveTimestamp: stamp(number),
      resource: {
        labels: { cluster_name: 'east', container_name: CONTAINER, namespace_name: NAMESPACE, pod_name: POD },
        type: 'k8s_container',
      },
      severity: 'INFO',
      textPayload: line,
      timestamp: stamp(number),
    }),
  'Fluent Bit': (line, number) =>
    JSON.stringify({
      date: 1_795_262_748.841 + number,
      time: stamp(number),
      stream: 'stdout',
      _p: 'F',
      log: line,
      kubernetes: {
        ...{ pod_name: POD, namespace_name: NAMESPACE, pod_id: '0c5e4b0e-4a57-4b7e-8a84-7c1c1e5b0a4e' },
        labels: { app: 'ztunnel', 'controller-revision-hash': '6d4cf56db6', 'pod-template-generation': '1' },
        annotations: { 'prometheus.io/port': '15020', 'prometheus.io/scrape': 'true' },
        ...{ host: 'worker-a', container_name: CONTAINER, docker_id: ID, container_image: 'istio/ztunnel:1.27.0' },
      },
    }),
  Vector: (line, number) =>
    JSON.stringify({
      file: `/var/log/pods/${NAMESPACE}_${POD}_0c5e4b0e-4a57-4b7e-8a84-7c1c1e5b0a4e/${CONTAINER}/0.log`,
      kubernetes: {
        ...{ container_id: `containerd://${ID}`, container_name: CONTAINER, pod_name: POD, pod_namespace: NAMESPACE },
        ...{ pod_ip: '10.0.0.9', pod_labels: { app: 'ztunnel' }, pod_node_name: 'worker-a' },
      },
      message: line,
      source_type: 'kubernetes_logs',
      stream: 'stdout',
      timestamp: stamp(number),
    }),
  CSV: (line, number) => `${stamp(number)},"${line.replaceAll('"', '""')}",${POD}`,
};

/** What taking a wrapping off may cost of the time that its lines take without it. */
const MAX_RATIO = 1.25;

/** What stands above the lines. */
const HEADERS: Readonly<Record<string, string>> = { CSV: '@timestamp,message,pod\n' };

function stamp(number: number): string {
  return `2026-01-02T03:04:05.${String((number * 7_919) % 1_000_000_000).padStart(9, '0')}Z`;
}

/**
 * What wrappings cost: the same lines are read with and without them, as a file (the bulk road) and on stdin (the plain road, line by
 * line), in turn. Ratios are those of whole commands less what the same command takes for an empty input, so start-up is not in them;
 * reading the bytes that the wrapping adds is, and how many those are is printed beside. Ends with a line for each format and road.
 */
export function benchWrappings(folder: string, bytes: number, rounds: number): void {
  const empty = join(folder, 'empty.log');
  writeFileSync(empty, '');
  const summary: string[] = [];
  for (const format of FORMATS) {
    const paths = Object.keys(WRAPS).map((name) => [name, wrappedLog(folder, format, bytes, name)] as const);
    for (const road of ROADS) {
      const samples = measure([['empty', empty], ...paths], road, rounds);
      console.log(`\n${format} in wrappings, ${road} road, ${bytes / 1e6} MB of lines, ${rounds} interleaved rounds`);
      console.log(table(samples, new Map(paths)));
      summary.push(`  ${format}, ${road} road: ${summaryOf(samples)}`);
    }
  }
  console.log('\nprocessor time (user) against the same lines without wrapping, start-up taken off');
  console.log(summary.join('\n'));
}

/** How many wrappings cost no more than they may, and what the others cost, the dearest first. */
function summaryOf(samples: ReadonlyMap<string, readonly Sample[]>): string {
  const wrapped = Object.keys(WRAPS).filter((name) => name !== 'no wrapping');
  const ratios = wrapped.map(
    (name) => [name, net(samples, name, 'user') / net(samples, 'no wrapping', 'user')] as const,
  );
  const dear = ratios.filter(([, ratio]) => ratio > MAX_RATIO).sort((a, b) => b[1] - a[1]);
  const told = dear.map(([name, ratio]) => `${name} ${ratio.toFixed(2)}`);
  const within = `${ratios.length - dear.length} of ${ratios.length} within ${MAX_RATIO}`;
  return told.length === 0 ? within : `${within}; ${told.join(', ')}`;
}

/** The median of one number of a log's samples, less what the same command takes for an empty input. */
function net(samples: ReadonlyMap<string, readonly Sample[]>, name: string, key: 'seconds' | 'user'): number {
  return medianOf(samples.get(name) ?? [], key) - medianOf(samples.get('empty') ?? [], key);
}

function wrappedLog(folder: string, format: (typeof FORMATS)[number], bytes: number, name: string): string {
  const bare = join(folder, `${format}-${bytes / 1e6}.log`);
  if (!existsSync(bare) || statSync(bare).size < bytes) generateLog(bare, format, bytes, 1);
  const wrap = WRAPS[name];
  if (wrap === undefined || name === 'no wrapping') return bare;
  const path = join(folder, `${format}-${bytes / 1e6}-${name.replaceAll(/\W+/g, '-')}.log`);
  const file = openSync(path, 'w');
  writeSync(file, HEADERS[name] ?? '');
  const lines = readFileSync(bare, 'latin1').split('\n').slice(0, -1);
  for (let start = 0; start < lines.length; start += 10_000) {
    const some = lines.slice(start, start + 10_000).map((line, index) => `${wrap(line, start + index)}\n`);
    writeSync(file, some.join(''));
  }
  closeSync(file);
  return path;
}

function measure(
  paths: readonly (readonly [name: string, path: string])[],
  road: (typeof ROADS)[number],
  rounds: number,
): ReadonlyMap<string, readonly Sample[]> {
  const samples = new Map<string, Sample[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, path] of paths) {
      const command = [process.execPath, 'dist/cli.js', '-o', 'json'];
      const sample = road === 'bulk' ? time([...command, path]) : time(command, path);
      samples.set(name, [...(samples.get(name) ?? []), sample]);
    }
  }
  return samples;
}

function table(samples: ReadonlyMap<string, readonly Sample[]>, paths: ReadonlyMap<string, string>): string {
  const ratio = (name: string, key: 'seconds' | 'user'): string =>
    (net(samples, name, key) / net(samples, 'no wrapping', key)).toFixed(2).padStart(11);
  const size = (name: string): number => statSync(paths.get(name) ?? '').size;
  const rows = [...paths.keys()].map((name) => {
    const bytes = (size(name) / size('no wrapping')).toFixed(2).padStart(11);
    const peak = medianOf(samples.get(name) ?? [], 'peakMib')
      .toFixed(0)
      .padStart(9);
    const user = net(samples, name, 'user').toFixed(2).padStart(9);
    return `  ${name.padEnd(30)}${user}${ratio(name, 'user')}${ratio(name, 'seconds')}${bytes}${peak}`;
  });
  return [`${' '.repeat(35)}user s ratio user ratio wall      bytes      MiB`, ...rows].join('\n');
}
