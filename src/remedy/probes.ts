import { destinationEnd, sourceEnd } from '../mesh/ends.ts';
import type { MeshView, Pod, Service } from '../model/mesh.ts';
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
import { identityOf, identityParts, parseSpiffeId, principalOf } from '../text/spiffe.ts';
import { workloadOf } from '../text/workload.ts';
import { isUnprinted } from './edits/index.ts';

/** Other callers, other destinations and ports of each that are tried against a change. */
const MAX_CALLERS = 40;
const MAX_DESTINATIONS = 40;
const MAX_PORTS = 4;

/** A probe and what it is, for people. */
export interface NamedProbe {
  readonly name: string;
  readonly probe: Probe;
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
  if (ip === null) return null;
  if (pod !== null && isUnprinted(record)) return ofPod(pod);
  return { kind: 'plain', ip, tls: false, pod };
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

/** A connection that was refused does not show what it would have carried: whatever its port takes. */
function requestOf(record: ConnectionRecord | RequestRecord): ProbeRequest {
  if (record.kind === 'connection') return UNKNOWN_REQUEST;
  const { method, path, authority } = record;
  return { ...UNKNOWN_REQUEST, protocol: 'http', method, path, host: authority };
}

/** What a change touches, so that it is tried there. */
export interface Touched {
  /** Principals that stand in the changed objects. */
  readonly principals: readonly string[];
  /** Namespaces of the changed objects; the root namespace stands for all. */
  readonly namespaces: ReadonlySet<string>;
}

/**
 * What else must be tried before a change is called good: other callers of the mesh, invented ones, plain text, a foreign
 * trust domain, other ports, other destinations and other requests of the same caller. Same probe space before and after.
 */
export function controlProbes(observed: Probe, touched: Touched, mesh: MeshView): readonly NamedProbe[] {
  return [
    ...otherCallers(observed, touched.principals, mesh),
    ...strangers(observed, mesh),
    ...otherPorts(observed),
    ...otherDestinations(observed, touched.namespaces, mesh),
    ...otherRequests(observed),
  ];
}

/** Those whom the changed objects name, and one pod for every account that runs, as it takes part in the mesh. */
function otherCallers(observed: Probe, principals: readonly string[], mesh: MeshView): readonly NamedProbe[] {
  const own = new Set(callersOf(observed.source, mesh));
  const running = new Map<string, Pod>();
  for (const pod of mesh.pods) {
    const identity = identityOf(mesh.trustDomain, pod.namespace, pod.serviceAccount);
    // A pod outside the mesh has no identity, whatever others with its account have.
    const key = pod.dataplane === 'none' ? `${identity} in plain text` : identity;
    if (!running.has(key)) running.set(key, pod);
    if (running.size >= MAX_CALLERS * 4) break;
  }
  const named = principals
    .map((text) => parseSpiffeId(`spiffe://${text}`))
    .filter((identity) => identity !== null && !identity.includes('*') && !running.has(identity))
    .filter((identity): identity is SpiffeId => identity !== null);
  const invented = [...new Set(named)].map((identity) => as(observed, identity, principalOf(identity)));
  const pods = [...running].map(([key, pod]) => ({
    key,
    name: key.slice('spiffe://'.length),
    probe: { ...observed, source: ofPod(pod) },
  }));
  return [...invented.filter(({ name }) => !own.has(`spiffe://${name}`)), ...pods.filter(({ key }) => !own.has(key))]
    .sort((a, b) => rankOf(a, principals) - rankOf(b, principals) || (a.name < b.name ? -1 : 1))
    .slice(0, MAX_CALLERS)
    .map(({ name, probe }) => ({ name, probe }));
}

/** Whom the changed objects name is tried first. */
function rankOf({ name }: NamedProbe, principals: readonly string[]): number {
  return principals.includes(name) ? 0 : 1;
}

/** The caller itself, by what `running` calls it. */
function callersOf(source: ProbeSource, mesh: MeshView): readonly string[] {
  const keys = (pod: Pod | null): readonly string[] => {
    if (pod === null) return [];
    const identity = identityOf(mesh.trustDomain, pod.namespace, pod.serviceAccount);
    return [identity, `${identity} in plain text`];
  };
  if (source.kind === 'plain') return keys(source.pod);
  return source.kind === 'identity' ? [source.identity] : source.pods.flatMap(keys);
}

/** The same caller at other workloads of the namespaces that change, one pod each. */
function otherDestinations(observed: Probe, namespaces: ReadonlySet<string>, mesh: MeshView): readonly NamedProbe[] {
  const own = observed.destination.kind === 'pods' ? observed.destination.pods.map(workloadName) : [];
  const seen = new Set(own);
  const probes: NamedProbe[] = [];
  for (const pod of mesh.pods) {
    const name = workloadName(pod);
    const isTouched = namespaces.has(mesh.rootNamespace) || namespaces.has(pod.namespace);
    if (!isTouched || seen.has(name)) continue;
    seen.add(name);
    for (const { port } of pod.ports.slice(0, MAX_PORTS)) {
      const probe = { ...observed, destination: toPod(pod, port) };
      probes.push({ name: `the same caller at ${name}:${port}`, probe });
    }
    if (probes.length >= MAX_DESTINATIONS) break;
  }
  return probes;
}

function workloadName({ namespace, name }: Pod): string {
  return `${namespace}/${workloadOf(name)}`;
}

function strangers(observed: Probe, mesh: MeshView): readonly NamedProbe[] {
  const [own] = callersOf(observed.source, mesh);
  const parts = own === undefined ? null : identityParts(parseSpiffeId(own) ?? identityOf('', '', ''));
  const namespace = parts?.namespace ?? 'default';
  const account = parts?.serviceAccount ?? 'default';
  const foreign = mesh.trustDomain === 'foreign.example' ? 'stranger.example' : 'foreign.example';
  return [
    as(observed, identityOf(mesh.trustDomain, namespace, 'some-other-account'), `another account of ${namespace}`),
    as(observed, identityOf(mesh.trustDomain, 'some-other-namespace', account), 'an account of another namespace'),
    as(observed, identityOf(foreign, namespace, account), 'the same account of a foreign trust domain'),
    {
      name: 'plain text from a pod that is not known',
      probe: { ...observed, source: { kind: 'plain', ip: '192.0.2.77', tls: false, pod: null } },
    },
  ];
}

function as(observed: Probe, identity: SpiffeId, name: string): NamedProbe {
  return { name, probe: { ...observed, source: { kind: 'identity', identity, ip: null, pods: [] } } };
}

function otherPorts(observed: Probe): readonly NamedProbe[] {
  const { destination } = observed;
  const open =
    destination.kind === 'pods'
      ? destination.pods.flatMap(({ ports }) => ports.map(({ port }) => port))
      : destination.kind === 'service'
        ? destination.service.ports.map(({ port }) => port)
        : [];
  const invented = destination.kind === 'pods' ? [destination.port === 65_000 ? 65_001 : 65_000] : [];
  return [...new Set([...open, ...invented])]
    .filter((port) => port !== destination.port)
    .slice(0, 8)
    .map((port) => ({
      name: `the same caller at port ${port}`,
      probe: { ...observed, destination: { ...destination, port } },
    }));
}

function otherRequests(observed: Probe): readonly NamedProbe[] {
  const { request } = observed;
  if (request.protocol !== 'http') return [];
  const method = request.method === 'DELETE' ? 'PUT' : 'DELETE';
  const path = '/some/other/path';
  return [
    { name: `the same caller with ${method}`, probe: { ...observed, request: { ...request, method } } },
    { name: 'the same caller at another path', probe: { ...observed, request: { ...request, path } } },
  ];
}
