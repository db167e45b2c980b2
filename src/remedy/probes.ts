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
import { identityOf, identityParts, parseSpiffeId } from '../text/spiffe.ts';

/** Other callers of the mesh that are tried against a change. */
const MAX_CALLERS = 40;

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

function sourceOf(flow: Flow, record: ConnectionRecord | RequestRecord, mesh: MeshView): ProbeSource | null {
  const { address } = record.source;
  const { identity } = sourceEnd(flow, mesh);
  // With X-Forwarded-For an Envoy prints the forwarded address and port 0: not that of the peer.
  const ip = record.source.port === 0 ? null : address;
  const pod = ip === null ? null : mesh.podByIp(ip);
  if (identity !== null) return { kind: 'identity', identity, ip, pods: pod === null ? [] : [pod] };
  if (ip === null) return null;
  return { kind: 'plain', ip, tls: false, pod };
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
  return { kind: 'pods', name: `${pod.namespace}/${pod.name}`, pods: [pod], port };
}

function requestOf(record: ConnectionRecord | RequestRecord): ProbeRequest {
  if (record.kind === 'connection') return { ...UNKNOWN_REQUEST, protocol: 'tcp' };
  const { method, path, authority } = record;
  return { ...UNKNOWN_REQUEST, protocol: 'http', method, path, host: authority };
}

/**
 * What else must be tried before a change is called good: other callers of the mesh, invented ones, plain text, a foreign
 * trust domain, other ports and other requests of the same caller. Same probe space before and after.
 */
export function controlProbes(observed: Probe, principals: readonly string[], mesh: MeshView): readonly NamedProbe[] {
  return [
    ...otherCallers(observed, principals, mesh),
    ...strangers(observed, mesh),
    ...otherPorts(observed),
    ...otherRequests(observed),
  ];
}

function otherCallers(observed: Probe, principals: readonly string[], mesh: MeshView): readonly NamedProbe[] {
  const own = observed.source.kind === 'identity' ? observed.source.identity : null;
  const named = principals.filter((text) => !text.includes('*')).map((text) => parseSpiffeId(`spiffe://${text}`));
  const running = mesh.pods.map((pod) => identityOf(mesh.trustDomain, pod.namespace, pod.serviceAccount));
  const all = new Set([...named, ...running].filter((identity): identity is SpiffeId => identity !== null));
  if (own !== null) all.delete(own);
  return [...all]
    .sort()
    .slice(0, MAX_CALLERS)
    .map((identity) => as(observed, identity, identity.slice('spiffe://'.length)));
}

function strangers(observed: Probe, mesh: MeshView): readonly NamedProbe[] {
  const parts = observed.source.kind === 'identity' ? identityParts(observed.source.identity) : null;
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
