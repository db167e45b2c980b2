import { relayOf } from './causes/ztunnel-hop.ts';
import type { MeshView, Pod } from './model/mesh.ts';
import type { ConnectionRecord, RequestRecord } from './model/record.ts';
import { inRoot, wordOr, ztunnelLogs } from './remedy/commands/kubectl.ts';
import { parseHostPort } from './text/address.ts';
import type { Incident } from './traffic/join/incident.ts';
import { type CausePrinter, causePrinterOf } from './traffic/join/pairs.ts';

type Called = ConnectionRecord | RequestRecord;

/**
 * What to fetch where only the end that saw a failure is in the input and another one names its cause: a sentence with the
 * command. Null: nothing is missing, or it cannot be told whose log it is. Untrusted text, quoted for a shell.
 */
export function missingEnd({ flow, others, isJoined }: Incident, mesh: MeshView): string | null {
  const { record } = flow;
  const printer = !isJoined || others.length > 0 ? null : causePrinterOf(record);
  if (printer === null || record.kind === 'diagnostic') return null;
  const since =
    flow.firstSeen === null ? '' : ` --since-time=${flow.firstSeen.slice(0, 'YYYY-MM-DDTHH:MM'.length)}:00Z`;
  const isRelayed = printer === 'relay' || (printer === 'destination-ztunnel' && relayOf(record) !== null);
  const missing = (isRelayed ? relayEnd : ENDS[printer])(record, since, mesh);
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

type EndOf = (record: Called, since: string, mesh: MeshView) => Missing | null;

const ENDS: Readonly<Record<Exclude<CausePrinter, null>, EndOf>> = {
  'source-ztunnel': ({ source, destination }, since, mesh) =>
    ztunnelEnd('caller', source.address, destination.address, since, mesh),
  'destination-ztunnel': ({ source, destination, envoy }, since, mesh) => {
    // A waypoint's tunnel has no address of its own in the log: what it called is all that both lines have.
    const needle = envoy === null ? source.address : envoy.downstreamLocal;
    return ztunnelEnd('destination', destination.address, needle, since, mesh);
  },
  sidecar: sidecarEnd,
  relay: relayEnd,
};

/** The ztunnel on the node of a pod, by its name if the mesh tells it. */
function ztunnelEnd(
  whose: 'caller' | 'destination',
  address: string | null,
  needle: string | null,
  since: string,
  mesh: MeshView,
): Missing {
  const node = podAt(address, mesh)?.node ?? null;
  const ztunnel =
    node === null ? undefined : mesh.pods.find((pod) => pod.labels['app'] === 'ztunnel' && pod.node === node);
  const find = ` | grep -F ${wordOr(needle, 'ADDRESS')}`;
  const named = `the log of the ztunnel on the node of the ${whose}`;
  if (ztunnel !== undefined) return { whose: named, command: `${logsOf(ztunnel)}${since}${find}` };
  if (node === null) return { whose: named, command: ztunnelLogs(mesh, needle) };
  const onNode = inRoot(mesh, `get pods -l app=ztunnel --field-selector=spec.nodeName=${wordOr(node, 'NODE')} -o name`);
  return { whose: named, command: `${inRoot(mesh, `logs "$(${onNode})"`)}${since}${find}` };
}

/** The waypoint or gateway that is the next hop: ztunnel prints its pod. */
function relayEnd({ source, destination }: Called, since: string, mesh: MeshView): Missing {
  const pod = podAt(destination.address, mesh);
  const name = destination.workload ?? pod?.name ?? null;
  const logs = `kubectl -n ${wordOr(destination.namespace ?? pod?.namespace ?? null, 'NAMESPACE')} logs ${wordOr(name, 'POD')}`;
  const whose = `the log of the waypoint or gateway${name === null ? ` (the pod with address ${destination.address})` : ''}`;
  return { whose, command: `${logs}${since} | grep -F ${wordOr(source.address, 'ADDRESS')}` };
}

/** The sidecar of the pod that was called. Null: the mesh shows that it has none. */
function sidecarEnd(record: Called, since: string, mesh: MeshView): Missing | null {
  const { envoy, source } = record;
  const called = parseHostPort(envoy?.upstreamHost ?? null)?.host ?? null;
  const own = parseHostPort(envoy?.upstreamLocal ?? null)?.host ?? source.address;
  const pod = podAt(called, mesh);
  if (called === null || pod?.dataplane === 'none') return null;
  if (pod?.dataplane === 'ambient') return ztunnelEnd('destination', called, own, since, mesh);
  const logs = pod === null ? 'kubectl -n NAMESPACE logs POD' : logsOf(pod);
  const which = pod === null ? ` (the pod with address ${called})` : '';
  const whose = `the log of the sidecar of the destination${which}${pod?.dataplane === 'sidecar' ? '' : ', if it has one'}`;
  return { whose, command: `${logs} -c istio-proxy${since} | grep -F ${wordOr(envoy?.requestId ?? own, 'ADDRESS')}` };
}

function logsOf({ namespace, name }: Pod): string {
  return `kubectl -n ${wordOr(namespace, 'NAMESPACE')} logs ${wordOr(name, 'POD')}`;
}

function podAt(address: string | null, mesh: MeshView): Pod | null {
  return address === null ? null : mesh.podByIp(address);
}
