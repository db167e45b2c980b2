import { destinationEnd, sourceEnd } from '../mesh/ends.ts';
import type { MeshView, ObjectRef, Pod, Service } from '../model/mesh.ts';
import type { ConnectionRecord, RequestRecord, SpiffeId } from '../model/record.ts';
import type { Flow } from '../model/traffic.ts';
import {
  type Probe,
  type ProbeDestination,
  type ProbeRequest,
  type ProbeSource,
  UNKNOWN_REQUEST,
} from '../policy/way/probe.ts';
import { parseHostPort } from '../text/address.ts';
import { nameOf } from '../text/object-ref.ts';
import { siblingPath } from '../text/path-shape.ts';
import { identityOf, identityParts, parseSpiffeId, principalOf } from '../text/spiffe.ts';
import { workloadOf } from '../text/workload.ts';
import { byService } from './by-service.ts';
import { callerOf, isUnprinted, standsForOthers } from './edits/index.ts';
import { OTHER_METHODS, OTHER_PATH } from './requests.ts';

/** Other callers, other destinations and ports of each that are tried against a change. */
const MAX_CALLERS = 24;
const MAX_DESTINATIONS = 40;
const MAX_PORTS = 6;

/** A probe and what it is beside what was seen, in a few words: `another caller`. */
export interface ControlProbe {
  readonly words: string;
  readonly probe: Probe;
}

/** Who calls whom and how: `cluster.local/ns/shop/sa/web to pay/api:8080 GET /orders`. Untrusted text. */
export function tupleOf({ source, destination, request }: Probe, mesh: MeshView): string {
  const asked = [request.method, request.path].filter((part) => part !== null);
  return [callerText(source, mesh), 'to', destinationText(destination), ...asked].join(' ');
}

function callerText(source: ProbeSource, mesh: MeshView): string {
  if (source.kind === 'identity') return principalOf(source.identity);
  const [pod = null] = source.kind === 'pods' ? source.pods : [source.pod];
  if (pod === null) return `plain text from ${source.kind === 'plain' ? source.ip : source.name}`;
  const isPlain = source.kind === 'plain' || pod.dataplane === 'none';
  return isPlain ? `plain text from ${workloadName(pod)}` : principalOf(identityOfPod(pod, mesh));
}

function destinationText(destination: ProbeDestination): string {
  switch (destination.kind) {
    case 'pods':
      return `${[...new Set(destination.pods.map(workloadName))].join(', ')}:${destination.port}`;
    case 'service':
      return `${destination.service.hostname}:${destination.port}`;
    case 'address':
      return `${destination.ip}:${destination.port}`;
  }
}

function identityOfPod({ namespace, serviceAccount }: Pod, { trustDomain }: MeshView): SpiffeId {
  return identityOf(trustDomain, namespace, serviceAccount);
}

function workloadName({ namespace, name }: Pod): string {
  return `${namespace}/${workloadOf(name)}`;
}

/** The connection or request of a flow as a probe; null: the record and the mesh do not tell enough to ask again. */
export function probeOfFlow(flow: Flow, mesh: MeshView): Probe | null {
  const { record } = flow;
  if (record.kind === 'diagnostic') return null;
  const destination = destinationOf(record, mesh);
  const source = sourceOf(flow, record, mesh);
  if (destination === null || source === null) return null;
  return { source, destination, request: requestOf(record) };
}

/** Without an identity on the line: the pod with the address as it takes part, or plain text where the line shows that. */
function sourceOf(flow: Flow, record: ConnectionRecord | RequestRecord, mesh: MeshView): ProbeSource | null {
  const { address } = record.source;
  const { identity } = sourceEnd(flow, mesh);
  // With X-Forwarded-For an Envoy prints the forwarded address and port 0: not that of the peer.
  const ip = record.source.port === 0 ? null : address;
  const pod = ip === null ? null : mesh.podByIp(ip);
  if (identity !== null) return { kind: 'identity', identity, ip, pods: pod === null ? [] : [pod] };
  if (ip === null) return onTheWire(record, mesh);
  if (pod !== null && isUnprinted(record)) return ofPod(pod);
  return { kind: 'plain', ip, tls: false, pod };
}

/** Who opened the connection, where the line does not print an address of its own: the proxy beside it, or the kubelet. */
function onTheWire(record: ConnectionRecord | RequestRecord, mesh: MeshView): ProbeSource | null {
  // The API server speaks TLS to webhooks, from wherever it stands.
  if (record.proxy === 'kubernetes' && record.service !== null) return { kind: 'plain', ip: '', tls: true, pod: null };
  const source = callerOf(record, mesh);
  if (source === null) return null;
  return 'ip' in source ? { kind: 'plain', ip: source.ip, tls: false, pod: null } : ofPod(source);
}

function ofPod(pod: Pod): ProbeSource {
  return { kind: 'pods', name: nameOf(pod), pods: [pod] };
}

/**
 * The same question about a mesh whose pods and Services have changed: they are looked up anew, and a caller that spoke
 * plain text speaks as its pod does now.
 */
export function askedOf(mesh: MeshView, { source, destination, request }: Probe): Probe {
  const now = (pod: Pod): Pod => mesh.podByName(pod.namespace, pod.name) ?? pod;
  return { source: sourceNow(source, now), destination: destinationNow(destination, mesh, now), request };
}

/**
 * What was seen, asked of a mesh that has changed, in each way that it may be, the likeliest first. Who spoke plain text is
 * seen at the pod whatever it dialled; once it is in ambient mode, a waypoint stands on the way if that was the Service.
 */
export function waysAgain(mesh: MeshView, probe: Probe): readonly [Probe, ...Probe[]] {
  const asked = askedOf(mesh, probe);
  const service = isAmbient(asked.source) && !isAmbient(probe.source) ? byService(asked, mesh) : null;
  return service === null ? [asked] : [service, asked];
}

/** The likeliest of these ways. */
export function seenAgain(mesh: MeshView, probe: Probe): Probe {
  return waysAgain(mesh, probe)[0];
}

function isAmbient(source: ProbeSource): boolean {
  return source.kind === 'pods' && source.pods.some(({ dataplane }) => dataplane === 'ambient');
}

function sourceNow(source: ProbeSource, now: (pod: Pod) => Pod): ProbeSource {
  if (source.kind !== 'plain') return { ...source, pods: source.pods.map(now) };
  const pod = source.pod === null ? null : now(source.pod);
  return pod?.dataplane === 'ambient' || pod?.dataplane === 'sidecar' ? ofPod(pod) : { ...source, pod };
}

function destinationNow(destination: ProbeDestination, mesh: MeshView, now: (pod: Pod) => Pod): ProbeDestination {
  switch (destination.kind) {
    case 'pods':
      return { ...destination, pods: destination.pods.map(now) };
    case 'service':
      return { ...destination, service: mesh.serviceByHost(destination.service.hostname) ?? destination.service };
    case 'address':
      return destination;
  }
}

function destinationOf(record: ConnectionRecord | RequestRecord, mesh: MeshView): ProbeDestination | null {
  const end = destinationEnd(record, mesh);
  if (end.port === null) return null;
  const inner = record.kind === 'connection' ? parseHostPort(record.hboneAddress) : null;
  const asked = record.reporter === 'waypoint' ? parseHostPort(record.envoy?.downstreamLocal ?? null) : inner;
  const host = asked?.host ?? record.destination.address;
  const pod = host === null ? null : mesh.podByIp(host);
  if (pod !== null && record.reporter !== 'waypoint') return toPod(pod, end.port);
  const service = serviceOf(record, host, mesh);
  return service === null ? null : { kind: 'service', service, port: asked?.port ?? end.port };
}

function serviceOf(record: ConnectionRecord | RequestRecord, host: string | null, mesh: MeshView): Service | null {
  const byHost = record.service === null ? null : mesh.serviceByHost(record.service);
  return byHost ?? (host === null ? null : mesh.serviceByIp(host));
}

function toPod(pod: Pod, port: number): ProbeDestination {
  return { kind: 'pods', name: nameOf(pod), pods: [pod], port };
}

/**
 * The same for another request that a flow stands for, of whose path only the shape is kept; null: it stands for one path, or
 * cannot be asked again.
 */
export function siblingOfFlow(flow: Flow, mesh: MeshView): Probe | null {
  const probe = standsForOthers(flow) ? probeOfFlow(flow, mesh) : null;
  const path = probe?.request.path ?? null;
  return probe === null || path === null ? null : { ...probe, request: { ...probe.request, path: siblingPath(path) } };
}

/** A connection that was refused does not show what it would have carried: whatever its port takes. */
function requestOf(record: ConnectionRecord | RequestRecord): ProbeRequest {
  if (record.kind === 'connection') return UNKNOWN_REQUEST;
  const { method, path, authority } = record;
  return { ...UNKNOWN_REQUEST, protocol: 'http', method, path, host: authority };
}

/** What a change touches, so that it is tried there. */
export interface Touched {
  /** The changed objects. */
  readonly objects: readonly ObjectRef[];
  /** Principals that stand in the changed objects. */
  readonly principals: readonly string[];
  /** Namespaces whose workloads the changed objects act on; the root namespace stands for all. */
  readonly namespaces: ReadonlySet<string>;
  /** Whether they may decide about calls to a pod. */
  readonly actsOn: (pod: Pod) => boolean;
  /** True: they decide about callers whom nothing at the destination tells apart (a NetworkPolicy on the way). */
  readonly onTheWay: boolean;
}

/**
 * What else must be tried before a change is called good: other callers of the mesh, invented ones, plain text, a foreign
 * trust domain, and what else the same caller may ask. Same probe space before and after.
 */
export function controlProbes(observed: Probe, touched: Touched, mesh: MeshView): readonly ControlProbe[] {
  return [
    ...otherCallers(observed, touched.principals, mesh),
    ...strangers(observed, mesh),
    ...otherCalls(observed, touched, mesh, 'the same caller'),
  ];
}

/** Other ports, other destinations and other requests of a caller, whom `who` names in words. */
export function otherCalls(probe: Probe, touched: Touched, mesh: MeshView, who: string): readonly ControlProbe[] {
  const calls = [...otherPorts(probe), ...otherDestinations(probe, touched, mesh), ...otherRequests(probe)];
  return calls.map(({ words, probe: call }) => ({ words: `${who} ${words}`, probe: call }));
}

/** Whom the changed objects name, and one pod for every account that runs, as it takes part in the mesh. */
function otherCallers(observed: Probe, principals: readonly string[], mesh: MeshView): readonly ControlProbe[] {
  const own = new Set(namesOf(observed.source, mesh));
  const named = principals
    .map((text) => parseSpiffeId(`spiffe://${text}`))
    .filter((identity) => identity !== null && !identity.includes('*'))
    .map((identity) => as(observed, identity ?? identityOf('', '', ''), 'another caller that is named', mesh.pods));
  const byName = new Map<string, ControlProbe>();
  const add = (candidate: ControlProbe): boolean => {
    const name = callerText(candidate.probe.source, mesh);
    if (!own.has(name) && !byName.has(name)) byName.set(name, candidate);
    return byName.size < MAX_CALLERS;
  };
  const near = namespacesAt(observed);
  const isNear = (pod: Pod): boolean => near.has(pod.namespace);
  const tryPods = (wanted: boolean): boolean =>
    mesh.pods.every(
      (pod) => isNear(pod) !== wanted || add({ words: 'another caller', probe: { ...observed, source: ofPod(pod) } }),
    );
  // Whom the objects name first, then neighbours of both ends, then anybody, until there are enough.
  if (named.every(add) && tryPods(true)) tryPods(false);
  return [...byName.values()];
}

/** The namespaces of both ends. */
function namespacesAt({ source, destination }: Probe): ReadonlySet<string> {
  const callers = source.kind === 'plain' ? [source.pod].filter((pod) => pod !== null) : source.pods;
  const called = destination.kind === 'pods' ? destination.pods : [];
  return new Set([...callers, ...called].map(({ namespace }) => namespace));
}

/** All names of one caller, with an identity and without. */
function namesOf(source: ProbeSource, mesh: MeshView): readonly string[] {
  const pods = source.kind === 'plain' ? [source.pod].filter((pod) => pod !== null) : source.pods;
  return [callerText(source, mesh), ...pods.map((pod) => principalOf(identityOfPod(pod, mesh)))];
}

function strangers(observed: Probe, mesh: MeshView): readonly ControlProbe[] {
  const { namespace, serviceAccount } = accountOf(observed.source, mesh);
  const foreign = mesh.trustDomain === 'foreign.example' ? 'stranger.example' : 'foreign.example';
  return [
    as(observed, identityOf(mesh.trustDomain, namespace, 'some-other-account'), 'another account of its namespace'),
    as(
      observed,
      identityOf(mesh.trustDomain, 'some-other-namespace', serviceAccount),
      'an account of another namespace',
    ),
    as(observed, identityOf(foreign, namespace, serviceAccount), 'its account in a foreign trust domain'),
    {
      words: 'plain text from no pod',
      probe: { ...observed, source: { kind: 'plain', ip: '192.0.2.77', tls: false, pod: null } },
    },
  ];
}

function accountOf(
  source: ProbeSource,
  mesh: MeshView,
): { readonly namespace: string; readonly serviceAccount: string } {
  const [pod = null] = source.kind === 'plain' ? [source.pod] : source.pods;
  const identity = source.kind === 'identity' ? source.identity : pod === null ? null : identityOfPod(pod, mesh);
  const parts = identity === null ? null : identityParts(identity);
  return parts ?? { namespace: 'default', serviceAccount: 'default' };
}

/** `running`: pods among which those with this identity are. */
function as(observed: Probe, identity: SpiffeId, words: string, running: readonly Pod[] = []): ControlProbe {
  const parts = identityParts(identity);
  const pods = running.filter(
    ({ namespace, serviceAccount }) => namespace === parts?.namespace && serviceAccount === parts.serviceAccount,
  );
  return { words, probe: { ...observed, source: { kind: 'identity', identity, ip: null, pods } } };
}

function otherPorts(probe: Probe): readonly ControlProbe[] {
  const { destination } = probe;
  if (destination.kind === 'address') return [];
  const open =
    destination.kind === 'pods'
      ? destination.pods.flatMap(({ ports }) => ports.map(({ port }) => port))
      : destination.service.ports.map(({ port }) => port);
  const invented = destination.kind === 'pods' ? [destination.port === 65_000 ? 65_001 : 65_000] : [];
  return [...new Set([...open, ...invented])]
    .filter((port) => port !== destination.port)
    .slice(0, MAX_PORTS)
    .map((port) => ({ words: 'at another port', probe: { ...probe, destination: { ...destination, port } } }));
}

/** Other workloads that the changed objects act on, one pod each. */
function otherDestinations(probe: Probe, touched: Touched, mesh: MeshView): readonly ControlProbe[] {
  const { destination } = probe;
  const seen = new Set(destination.kind === 'pods' ? destination.pods.map(workloadName) : []);
  const probes: ControlProbe[] = [];
  for (const pod of mesh.pods) {
    if (!touched.actsOn(pod)) continue;
    const name = workloadName(pod);
    if (seen.has(name)) continue;
    seen.add(name);
    for (const { port } of portsOf(pod, destination)) {
      probes.push({ words: 'at another workload', probe: { ...probe, destination: toPod(pod, port) } });
    }
    if (probes.length >= MAX_DESTINATIONS) break;
  }
  return probes;
}

/** Where a pod declares no ports, the one that was called is as good as any. */
function portsOf(pod: Pod, called: ProbeDestination): readonly { readonly port: number }[] {
  if (pod.ports.length > 0) return pod.ports.slice(0, MAX_PORTS);
  return called.kind === 'pods' || called.kind === 'service' ? [{ port: called.port }] : [];
}

function otherRequests(probe: Probe): readonly ControlProbe[] {
  const { request } = probe;
  if (request.protocol !== 'http') return [];
  const [method = null] = OTHER_METHODS.filter((other) => other !== request.method);
  return [
    { words: 'with another method', probe: { ...probe, request: { ...request, method } } },
    { words: 'at another path', probe: { ...probe, request: { ...request, path: OTHER_PATH } } },
  ];
}

/** What is other about a request than about the one that was seen, with a blank in front; empty: nothing. */
export function requestWords({ method, path, headers, headersComplete }: ProbeRequest, seen: ProbeRequest): string {
  const [header = null] = headers;
  const bare = headersComplete ? ' without the headers that policies name' : '';
  return [
    method === seen.method ? '' : ' with another method',
    path === seen.path ? '' : ' at another path',
    header === null ? bare : ` with the header ${header[0]}`,
  ].join('');
}
