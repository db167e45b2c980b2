import type { Instant, Wrapping } from '../../src/model/line.ts';
import { jsonText, parseJsonObject } from '../../src/text/json-line.ts';
import { isRecord } from '../../src/text/kube-object.ts';
import { streamOf } from '../../src/text/stream.ts';
import { parseInstant } from '../../src/text/time.ts';
import { valueAt } from '../../src/text/untyped.ts';

type Json = Readonly<Record<string, unknown>>;
type Path = readonly string[];

/**
 * Where collectors keep the line, in the order of trying: Fluent Bit and Fluentd (`log`), Vector, Filebeat, stern, Datadog
 * (`message`), logcli jsonl (`line`), Google Cloud (`textPayload`), Promtail `pack` (`_entry`), journald (`MESSAGE`), Azure
 * Container Insights (`LogMessage`, `LogEntry`).
 */
const LINE: readonly Path[] = paths('log message line textPayload _entry MESSAGE LogMessage LogEntry');
/** Where they keep a line that they parsed as JSON; `_source` holds a collector's whole record in Elasticsearch dumps. */
const OBJECT: readonly Path[] = paths('log_processed message jsonPayload LogMessage _source');
const TIME: readonly Path[] = paths('time timestamp @timestamp date TimeGenerated');
const CLUSTER: readonly Path[] = paths('resource.labels.cluster_name labels.cluster orchestrator.cluster.name');
const NAMESPACE: readonly Path[] = paths(
  'kubernetes.namespace_name kubernetes.pod_namespace kubernetes.namespace namespace labels.namespace resource.labels.namespace_name PodNamespace',
);
const POD: readonly Path[] = paths(
  'kubernetes.pod_name kubernetes.pod.name podName pod labels.pod resource.labels.pod_name PodName',
);
const CONTAINER: readonly Path[] = paths(
  'kubernetes.container_name kubernetes.container.name containerName container labels.container resource.labels.container_name ContainerName',
);
const NODE: readonly Path[] = paths(
  'kubernetes.host kubernetes.pod_node_name kubernetes.node.name nodeName labels.node_name Computer',
);

/** A line inside the JSON object of a log collector. A line that the collector parsed is printed as JSON again. */
export const collectorJson: Wrapping = {
  id: 'collector-json',
  title: 'JSON of a log collector',
  unwrap(text) {
    const record = parseJsonObject(text);
    if (record === null || isDocker(record)) return null;
    const line = lineOf(record);
    if (line === null) return null;
    return {
      payload: line.endsWith('\n') ? line.slice(0, -1) : line,
      time: timeOf(record),
      origin: {
        cluster: textAt(record, CLUSTER),
        namespace: textAt(record, NAMESPACE),
        pod: textAt(record, POD),
        container: textAt(record, CONTAINER),
        node: textAt(record, NODE),
      },
      more: record['_p'] === 'P' || record['logtag'] === 'P',
      stream: streamOf(record['stream']),
    };
  },
};

/** Docker's own file has a wrapping of its own. */
function isDocker(record: Json): boolean {
  return Object.keys(record).every((key) => key === 'log' || key === 'stream' || key === 'time' || key === 'attrs');
}

function lineOf(record: Json): string | null {
  const line = textAt(record, LINE);
  if (line !== null) return line;
  const object = OBJECT.map((path) => valueAt(record, ...path)).find(isRecord);
  return jsonText(object);
}

function timeOf(record: Json): Instant | null {
  const text = textAt(record, TIME);
  return text === null ? null : parseInstant(text);
}

function textAt(record: Json, places: readonly Path[]): string | null {
  for (const path of places) {
    const value = valueAt(record, ...path);
    if (typeof value === 'string' && value !== '') return value;
  }
  return null;
}

function paths(list: string): readonly Path[] {
  return list.split(' ').map((path) => path.split('.'));
}
