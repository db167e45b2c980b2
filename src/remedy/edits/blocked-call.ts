import { envoyFacts, parseClusterName } from '../../causes/envoy-record.ts';
import { probeFailure } from '../../causes/probe-failure.ts';
import type { MeshView, Pod, Service } from '../../model/mesh.ts';
import type { Decision } from '../../model/policy.ts';
import type { ConnectionRecord, LogRecord, RequestRecord } from '../../model/record.ts';
import { decideNetwork } from '../../policy/network-policy.ts';
import { parseHostPort } from '../../text/address.ts';
import { hasLabels } from '../../text/labels.ts';
import { nameOf } from '../../text/object-ref.ts';
import { probeAddressFor } from '../../text/probe-address.ts';
import { remembered } from '../../text/remembered.ts';
import { workloadOf } from '../../text/workload.ts';

/** A caller on the wire: a pod, or an address that is none. */
export type WireSource = Pod | { readonly ip: string };

/** A connection as NetworkPolicies see it: from a proxy or kubelet to the pods of which one was dialled. */
export interface WireCall {
  /** Null: nobody told where the caller runs. */
  readonly source: WireSource | null;
  /** Not empty. */
  readonly pods: readonly [Pod, ...Pod[]];
  /** The pod's own port. */
  readonly port: number;
  /** What is supposed, as a clause: `if the activator stands in for it`; null: nothing. */
  readonly assuming: string | null;
  /** The namespace whose Service was called, where the pods stand in for another one's; null: they are its own. */
  readonly owner: string | null;
}

/** A connection that NetworkPolicies drop. */
export interface BlockedCall extends WireCall {
  readonly decision: Decision;
  /** False: whether it is this caller's is not known, or something is supposed. */
  readonly proven: boolean;
}

/**
 * The connection of a record, if the NetworkPolicies of the mesh drop it, whichever pod was dialled. Where the caller is
 * not known: if no rule lets everybody in. Null: they let it through, or it is not known what was called.
 */
export function blockedCall(record: LogRecord, mesh: MeshView): BlockedCall | null {
  if (!mesh.known || record.kind === 'diagnostic') return null;
  for (const call of wireCalls(record, mesh)) {
    const [decision, ...others] = call.pods.map((pod) => decideWire(call, pod, mesh));
    if (decision?.outcome !== 'deny' || others.some(({ outcome }) => outcome !== 'deny')) continue;
    return { ...call, decision, proven: call.source !== null && call.assuming === null };
  }
  return null;
}

/** True if it is known who called whom, and the NetworkPolicies let it through. */
export function isLetThrough(record: LogRecord, mesh: MeshView): boolean {
  if (!mesh.known || record.kind === 'diagnostic') return false;
  const calls = wireCalls(record, mesh);
  const decisions = calls.flatMap((call) => call.pods.map((pod) => decideWire(call, pod, mesh)));
  return calls.every(({ source }) => source !== null) && decisions.some(({ outcome }) => outcome === 'allow');
}

/** Answers so far: many requests go the same way. */
const answersOf = remembered((_mesh: MeshView) => new Map<string, Decision>());

function decideWire({ source, port }: WireCall, pod: Pod, mesh: MeshView): Decision {
  const answers = answersOf(mesh);
  const key = `${source === null ? '' : 'ip' in source ? source.ip : nameOf(source)} ${nameOf(pod)} ${port}`;
  const known = answers.get(key);
  if (known !== undefined) return known;
  const own = source !== null && 'namespace' in source ? source.namespace : pod.namespace;
  const policies = [...new Set([pod.namespace, own])].flatMap((namespace) =>
    mesh.objectsOf('NetworkPolicy', namespace),
  );
  const probe = { source: source ?? { ip: '' }, destination: pod, port, protocol: 'TCP' as const };
  const answer = decideNetwork(policies, mesh, probe);
  answers.set(key, answer);
  return answer;
}

/** What may have been called, the likeliest first. */
function wireCalls(record: ConnectionRecord | RequestRecord, mesh: MeshView): readonly WireCall[] {
  const source = callerOf(record, mesh);
  return calledPods(record, mesh).flatMap(({ pods, ...target }) => {
    const [first, ...others] = pods;
    return first === undefined ? [] : [{ source, pods: [first, ...others] as const, ...target }];
  });
}

/** The proxy that opened the connection. A gateway's line names its client as source: its own addresses come first. */
export function callerOf(record: ConnectionRecord | RequestRecord, mesh: MeshView): WireSource | null {
  if (probeFailure(record) !== null) return kubeletOf(record, mesh);
  const { source, origin, envoy } = record;
  const own = [envoy?.upstreamLocal, envoy?.downstreamLocal].map((text) => parseHostPort(text ?? null)?.host ?? '');
  const [proxy] = own.map((host) => mesh.podByIp(host)).filter((pod) => pod !== null);
  if (proxy !== undefined) return proxy;
  const isPeer = source.address !== null && !(envoy !== null && source.port === 0);
  const peer = isPeer ? mesh.podByIp(source.address ?? '') : null;
  if (peer !== null) return peer;
  // A ztunnel's own pod is that of the node, not the caller.
  const isBeside = record.proxy !== 'ztunnel' && record.reporter === 'source';
  const namespace = source.namespace ?? (record.proxy === 'ztunnel' ? null : origin.namespace);
  const name = source.workload ?? (isBeside ? origin.pod : null);
  return namespace === null || name === null ? null : mesh.podByName(namespace, name);
}

/** The kubelet of an ambient pod's node comes from one address; others from an address of the node, which is not known. */
function kubeletOf({ source, destination }: ConnectionRecord | RequestRecord, mesh: MeshView): WireSource | null {
  if (source.address !== null) return { ip: source.address };
  const pod = destination.address === null ? null : mesh.podByIp(destination.address);
  const [ip = null] = pod?.ips ?? [];
  return pod?.dataplane === 'ambient' && ip !== null ? { ip: probeAddressFor(destination.address ?? ip) } : null;
}

/** Pods of which one was dialled, and their own port. */
type Target = Pick<WireCall, 'port' | 'assuming' | 'owner'> & { readonly pods: readonly Pod[] };

/** The pods that a record's connection was for, by the address that was dialled or by the Service; empty: none is known. */
export function calledPods(record: ConnectionRecord | RequestRecord, mesh: MeshView): readonly Target[] {
  const { address, port } = record.destination;
  const dialled = address === null ? null : mesh.podByIp(address);
  if (dialled !== null && port !== null) return [{ pods: [dialled], port, assuming: null, owner: null }];
  const cluster = parseClusterName(envoyFacts(record)?.cluster ?? null);
  const [host, servicePort] = [cluster?.host ?? record.service, cluster?.port ?? port];
  if (host === null || servicePort === null) return [];
  const service = mesh.serviceByHost(host);
  const selected = service === null ? [] : endpointsOf(service, servicePort, mesh);
  return selected.length > 0 ? selected : standIns(host, mesh);
}

/** The pods that a Service selects, one of each workload, and the port of theirs that is meant. */
function endpointsOf(service: Service, port: number, mesh: MeshView): readonly Target[] {
  const target = service.ports.find((entry) => entry.port === port)?.targetPort;
  const { selector } = service;
  if (target === undefined || selector === null) return [];
  const pods = mesh.pods.filter((pod) => pod.namespace === service.namespace && hasLabels(pod.labels, selector));
  const numbers = new Set(
    pods.map((pod) => (typeof target === 'number' ? target : pod.ports.find(({ name }) => name === target)?.port)),
  );
  const [number, other] = numbers;
  // Pods of one workload are alike to policies; a name that means several ports tells nothing.
  const some = [...new Map(pods.map((pod) => [workloadOf(pod.name), pod])).values()];
  return number === undefined || other !== undefined ? [] : [{ pods: some, port: number, assuming: null, owner: null }];
}

/** What Knative puts before the pods of a revision while none is ready, or always (knative/serving config/core/deployments/activator.yaml). */
const ACTIVATOR = { namespace: 'knative-serving', labels: { app: 'activator' }, port: 8012 };
const REVISION = 'serving.knative.dev/revision';

/** For the Service of a Knative revision, which has no selector: the pods of the revision, or the activator in their place. */
function standIns(host: string, mesh: MeshView): readonly Target[] {
  const [name = '', namespace = ''] = host.split('.');
  const isRevision =
    mesh.pods.some((pod) => pod.namespace === namespace && pod.labels[REVISION] === name) ||
    mesh.serviceByHost(`${name}-private.${namespace}.svc`) !== null;
  if (!isRevision) return [];
  const { labels, port } = ACTIVATOR;
  const pods = mesh.pods.filter((pod) => pod.namespace === ACTIVATOR.namespace && hasLabels(pod.labels, labels));
  const assuming = 'if the activator stands in for its pods, as it does while none is ready';
  return [{ pods, port, assuming, owner: namespace }];
}
