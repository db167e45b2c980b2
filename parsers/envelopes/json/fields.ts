import type { Instant, Origin } from '../../../src/model/line.ts';
import { readContainerLogName } from '../../../src/text/container-log-name.ts';
import { parseEpoch } from '../../../src/text/epoch.ts';
import { isRecord } from '../../../src/text/kube-object.ts';
import { beginsLikeLine } from '../../../src/text/line-start.ts';
import { parseInstant } from '../../../src/text/time.ts';
import { valueAt } from '../../../src/text/untyped.ts';

export type Json = Readonly<Record<string, unknown>>;

/** Where a value may stand: below these keys, or below the first one and all others in one key, or all in one. */
interface Place {
  readonly first: string;
  readonly others: readonly string[];
  readonly rest: string;
  readonly whole: string;
}

/**
 * Where tools keep the line, in the order of trying: what holds the line as it was printed goes before what holds a part of it
 * (`event.original` of ECS before `message`). Fluent Bit and Fluentd (`log`), Vector, Filebeat, stern, Datadog (`message`),
 * logcli jsonl and Grafana (`line`), Google Cloud (`textPayload`), Promtail `pack` (`_entry`), journald (`MESSAGE`), Azure
 * Container Insights (`LogMessage`, `LogEntry`), Splunk and Sumo Logic (`_raw`), CloudWatch Insights (`@message`), GELF.
 */
const LINE = places(
  'event.original _raw log full_message message line textPayload _entry MESSAGE LogMessage LogEntry @message short_message body.stringValue body Line Message Content content',
);
/** Where they keep an object: a line that they parsed as JSON, or a whole record of another tool in theirs. */
const OBJECT = places(
  'log_processed jsonPayload LogMessage _source result message @message log body event attributes fields',
);
const TIME = places(
  'time timestamp @timestamp date TimeGenerated _time ts timeUnixNano observedTimeUnixNano __REALTIME_TIMESTAMP Time Date',
);
const CLUSTER = places(
  'resource.labels.cluster_name labels.cluster stream.cluster orchestrator.cluster.name k8s.cluster.name cluster_name cluster',
);
const NAMESPACE = places(
  'kubernetes.namespace_name kubernetes.pod_namespace kubernetes.namespace namespace labels.namespace resource.labels.namespace_name PodNamespace namespace_name k8s.namespace.name kube_namespace ResourceAttributes.k8s.namespace.name fields.namespace',
);
const POD = places(
  'kubernetes.pod_name kubernetes.pod.name podName pod labels.pod resource.labels.pod_name PodName pod_name k8s.pod.name ResourceAttributes.k8s.pod.name fields.pod',
);
const CONTAINER = places(
  'kubernetes.container_name kubernetes.container.name containerName container labels.container resource.labels.container_name ContainerName container_name k8s.container.name kube_container_name',
);
const NODE = places(
  'kubernetes.host kubernetes.pod_node_name kubernetes.node.name nodeName labels.node_name Computer node_name k8s.node.name _HOSTNAME',
);
/** Names of the container's log file, and tags and streams made of it. */
const FILE = places(
  'file log.file.path log_file_path filename labels.filename logStreamName logStream @logStream source tag fluentbit_tag',
);

/**
 * The line that a record of a collector holds, as text; null: none. Where no known place has what begins like a line, or an
 * object, any other value that does is taken. Untrusted.
 */
export function lineText(record: Json): string | null {
  const known = knownText(record);
  if ((known !== null && beginsLikeLine(known)) || lineObject(record) !== null) return known;
  return anyText(record, known === null, MAX_DEPTH) ?? known;
}

function knownText(record: Json): string | null {
  for (const place of LINE) {
    const value = single(at(record, place));
    if (typeof value === 'string' && value !== '') return value;
    if (isBytes(value)) return new TextDecoder().decode(Uint8Array.from(value));
  }
  return null;
}

/** Objects within objects that are looked into for a line. */
const MAX_DEPTH = 3;

/** `withJson`: also a text that is JSON itself, which beside a line may be anything. */
function anyText(record: Json, withJson: boolean, depth: number): string | null {
  for (const value of Object.values(record)) {
    if (typeof value === 'string') {
      if (beginsLikeLine(value) && (withJson || !value.trimStart().startsWith('{'))) return value;
    } else if (depth > 0 && isRecord(value)) {
      const inner = anyText(value, withJson, depth - 1);
      if (inner !== null) return inner;
    }
  }
  return null;
}

/** The object that a record of a collector holds; null: none. Untrusted. */
export function lineObject(record: Json): Json | null {
  for (const place of OBJECT) {
    const value = at(record, place);
    if (isRecord(value)) return value;
  }
  return null;
}

/** When the collector says that the line was printed; null: it does not. */
export function timeOf(record: Json): Instant | null {
  for (const place of TIME) {
    const value = at(record, place);
    const time = parseEpoch(value) ?? (typeof value === 'string' ? parseInstant(value) : null);
    if (time !== null) return time;
  }
  return null;
}

/** Who wrote the line, as far as the collector says. */
export function originOf(record: Json): Origin {
  const tags = tagsOf(record);
  const look = (list: readonly Place[]): string | null => textAt(record, list) ?? (tags && textAt(tags, list));
  const told = {
    cluster: look(CLUSTER),
    namespace: look(NAMESPACE),
    pod: look(POD),
    container: look(CONTAINER),
    node: look(NODE),
  };
  if (told.pod !== null) return told;
  const file = textAt(record, FILE);
  const named = file === null ? null : readContainerLogName(file);
  return named === null ? told : { ...named, cluster: told.cluster, node: told.node };
}

/** Datadog's tags, `pod_name:web-1`, in a list or with commas between. */
function tagsOf(record: Json): Json | null {
  const value = record['tags'] ?? record['ddtags'] ?? record['Tags'];
  const tags = typeof value === 'string' ? value.split(',') : value;
  if (!Array.isArray(tags)) return null;
  const pairs = tags.flatMap((tag: unknown): [string, string][] => {
    const colon = typeof tag === 'string' ? tag.indexOf(':') : -1;
    return typeof tag === 'string' && colon > 0 ? [[tag.slice(0, colon), tag.slice(colon + 1)]] : [];
  });
  return Object.fromEntries(pairs);
}

function textAt(record: Json, list: readonly Place[]): string | null {
  for (const place of list) {
    const value = single(at(record, place));
    if (typeof value === 'string' && value !== '') return value;
  }
  return null;
}

/** The value at a place; tools that flatten a record, or a part of it, write the whole way as one key. */
function at(record: Json, { first, others, rest, whole }: Place): unknown {
  const inner = Object.hasOwn(record, first) ? record[first] : undefined;
  if (others.length === 0) return inner;
  const value = inner === undefined ? undefined : valueAt(inner, ...others);
  if (value !== undefined) return value;
  return (Object.hasOwn(record, whole) ? record[whole] : undefined) ?? valueAt(inner, rest);
}

/** The answers of a search by `fields` have a list around every value. */
function single(value: unknown): unknown {
  return Array.isArray(value) && value.length === 1 ? value[0] : value;
}

/** journald prints texts that are no UTF-8 as a list of bytes. */
function isBytes(value: unknown): value is readonly number[] {
  const isByte = (item: unknown): boolean => typeof item === 'number' && item >= 0 && item < 256;
  return Array.isArray(value) && value.length > 1 && value.every(isByte);
}

function places(list: string): readonly Place[] {
  return list.split(' ').map((whole) => {
    const [first = '', ...others] = whole.split('.');
    return { first, others, rest: others.join('.'), whole };
  });
}
