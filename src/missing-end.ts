import { relayOf } from './causes/ztunnel-hop.ts';
import type { Instant } from './model/line.ts';
import type { MeshView, Pod } from './model/mesh.ts';
import type { ConnectionRecord, RequestRecord } from './model/record.ts';
import type { Flow } from './model/traffic.ts';
import { inRoot, wordOr, ztunnelLogs } from './remedy/commands/kubectl.ts';
import { parseHostPort } from './text/address.ts';
import { parseInstant } from './text/time.ts';
import { listOf, textOf, valueAt } from './text/untyped.ts';
import type { Incident } from './traffic/join/incident.ts';
import type { CausePrinter } from './traffic/join/pair.ts';
import { causePrinterOf } from './traffic/join/pairs.ts';

type Called = ConnectionRecord | RequestRecord;

/**
 * What to fetch where only the end that saw a failure is in the input and another one names its cause: a sentence with the
 * command. Null: nothing is missing, or it cannot be told whose log it is. Untrusted text, quoted for a shell.
 */
export function missingEnd({ flow, others, isJoined }: Incident, mesh: MeshView): string | null {
  const { record } = flow;
  const printer = !isJoined || others.length > 0 ? null : causePrinterOf(record);
  if (printer === null || record.kind === 'diagnostic') return null;
  const isRelayed = printer === 'relay' || (printer === 'destination-ztunnel' && relayOf(record) !== null);
  const missing = (isRelayed ? relayEnd : ENDS[printer])(record, flow, mesh);
  if (missing === null) return null;
  const elsewhere = otherCluster(record);
  const where = elsewhere === null ? '' : `, in cluster ${elsewhere} (add the --context of it)`;
  return `not in the input, and may name the cause: ${missing.whose}${where}: ${missing.command}`;
}

/** The cluster of the other end, where the line tells that it is another one than that of the proxy which printed it. */
function otherCluster({ reporter, source, destination }: Called): string | null {
  const [own, other] = reporter === 'destination' ? [destination, source] : [source, destination];
  return own.cluster === null || other.cluster === own.cluster ? null : other.cluster;
}

interface Missing {
  /** The log, in words. */
  readonly whose: string;
  readonly command: string;
}

/** When the failures of a flow were seen. */
type Span = Pick<Flow, 'firstSeen' | 'lastSeen'>;

type EndOf = (record: Called, span: Span, mesh: MeshView) => Missing | null;

const ENDS: Readonly<Record<Exclude<CausePrinter, null>, EndOf>> = {
  'source-ztunnel': ({ source, destination }, span, mesh) =>
    ztunnelEnd('caller', source.address, destination.address, span, mesh),
  'destination-ztunnel': ({ source, destination, envoy }, span, mesh) => {
    // A waypoint's tunnel has no address of its own in the log: what it called is all that both lines have.
    const needle = envoy === null ? source.address : envoy.downstreamLocal;
    return ztunnelEnd('destination', destination.address, needle, span, mesh);
  },
  sidecar: sidecarEnd,
  relay: relayEnd,
};

/** The ztunnel on the node of a pod, by its name if the mesh tells it. */
function ztunnelEnd(
  whose: 'caller' | 'destination',
  address: string | null,
  needle: string | null,
  span: Span,
  mesh: MeshView,
): Missing {
  const node = podAt(address, mesh)?.node ?? null;
  const ztunnel =
    node === null ? undefined : mesh.pods.find((pod) => pod.labels['app'] === 'ztunnel' && pod.node === node);
  const find = ` | grep -F ${wordOr(needle, 'ADDRESS')}`;
  const named = `the log of the ztunnel on the node of the ${whose}`;
  if (ztunnel !== undefined) return read(named, ztunnel, '', span, find, mesh);
  if (node === null) return { whose: named, command: ztunnelLogs(mesh, needle) };
  const onNode = inRoot(mesh, `get pods -l app=ztunnel --field-selector=spec.nodeName=${wordOr(node, 'NODE')} -o name`);
  return { whose: named, command: `${inRoot(mesh, `logs "$(${onNode})"`)}${sinceOf(span)}${find}` };
}

/** The waypoint or gateway that is the next hop: ztunnel prints its pod. */
function relayEnd({ source, destination }: Called, span: Span, mesh: MeshView): Missing {
  const pod = podAt(destination.address, mesh);
  const name = destination.workload ?? pod?.name ?? null;
  const whose = `the log of the waypoint or gateway${name === null ? ` (the pod with address ${destination.address})` : ''}`;
  const one = { name, namespace: destination.namespace ?? pod?.namespace ?? null };
  return read(whose, one, '', span, ` | grep -F ${wordOr(source.address, 'ADDRESS')}`, mesh);
}

/** The sidecar of the pod that was called. Null: the mesh shows that it has none. */
function sidecarEnd(record: Called, span: Span, mesh: MeshView): Missing | null {
  const { envoy, source } = record;
  const called = parseHostPort(envoy?.upstreamHost ?? null)?.host ?? null;
  const own = parseHostPort(envoy?.upstreamLocal ?? null)?.host ?? source.address;
  const pod = podAt(called, mesh);
  if (called === null || pod?.dataplane === 'none') return null;
  if (pod?.dataplane === 'ambient') return ztunnelEnd('destination', called, own, span, mesh);
  const which = pod === null ? ` (the pod with address ${called})` : '';
  const whose = `the log of the sidecar of the destination${which}${pod?.dataplane === 'sidecar' ? '' : ', if it has one'}`;
  const find = ` | grep -F ${wordOr(envoy?.requestId ?? own, 'ADDRESS')}`;
  return read(whose, pod ?? { name: null, namespace: null }, ' -c istio-proxy', span, find, mesh);
}

/** Name and namespace of a pod, as far as they are known. */
type PodName = { readonly [Key in 'name' | 'namespace']: string | null };

/** The log of one pod's proxy, of the container before the one that runs where that was the one at the time. */
function read(whose: string, pod: PodName, container: string, span: Span, find: string, mesh: MeshView): Missing {
  const logs = `kubectl -n ${wordOr(pod.namespace, 'NAMESPACE')} logs ${wordOr(pod.name, 'POD')}${container}`;
  const restart = restartOf(pod, mesh);
  const started = restart?.at ?? null;
  const isBefore = started !== null && span.lastSeen !== null && span.lastSeen < started;
  const isAfter = started !== null && span.firstSeen !== null && span.firstSeen >= started;
  const mayBeBefore = restart !== null && !isBefore && !isAfter;
  const since = started === null ? '' : ` at ${started}`;
  const told = mayBeBefore ? ` (its proxy started anew${since}: with --previous for what came before)` : '';
  return { whose: `${whose}${told}`, command: `${logs}${isBefore ? ' --previous' : ''}${sinceOf(span)}${find}` };
}

function sinceOf({ firstSeen }: Span): string {
  return firstSeen === null ? '' : ` --since-time=${firstSeen.slice(0, 'YYYY-MM-DDTHH:MM'.length)}:00Z`;
}

/**
 * That the proxy of a pod did not start once only, and when it did so last (null: not told). Null: the mesh shows no restart.
 * ztunnel, waypoints and gateways have a container of the same name; as a native sidecar it is an init container.
 */
function restartOf({ name, namespace }: PodName, mesh: MeshView): { readonly at: Instant | null } | null {
  const object = mesh.object({ kind: 'Pod', namespace: namespace ?? '', name: name ?? '' });
  const status = valueAt(object?.raw, 'status');
  const statuses = [
    ...listOf(valueAt(status, 'containerStatuses')),
    ...listOf(valueAt(status, 'initContainerStatuses')),
  ];
  const proxy = statuses.find((one) => valueAt(one, 'name') === 'istio-proxy');
  const count = valueAt(proxy, 'restartCount');
  if (typeof count !== 'number' || count <= 0) return null;
  return { at: parseInstant(textOf(valueAt(proxy, 'state', 'running', 'startedAt')) ?? '') };
}

function podAt(address: string | null, mesh: MeshView): Pod | null {
  return address === null ? null : mesh.podByIp(address);
}
