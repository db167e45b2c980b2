import type { MeshView, Pod, Service } from '../../model/mesh.ts';
import type { SpiffeId } from '../../model/record.ts';
import { parseHostPort } from '../../text/address.ts';
import { nearNames } from '../../text/near.ts';
import { nameOf } from '../../text/object-ref.ts';
import { identityOf, parseSpiffeId } from '../../text/spiffe.ts';
import { workloadOf } from '../../text/workload.ts';
import { parsePeerIp } from '../match-ip.ts';
import type { ProbeDestination, ProbeSource } from './probe.ts';

/** An end of a probe as it was written, found in the mesh; or what is wrong with it and what may have been meant. */
export type FoundEnd<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string; readonly hint: string | null };

const PLAINTEXT = 'plaintext:';
const PRINCIPAL = /^[^/\s]+\/ns\/[^/\s]+\/sa\/[^/\s]+$/;

/**
 * Who calls: `namespace/pod` or `namespace/workload`, an identity with or without `spiffe://`, an address (a pod's, or of
 * somebody outside the mesh), or `plaintext:ADDRESS` for whoever speaks past the mesh from there. Never throws.
 */
export function findSource(text: string, mesh: MeshView): FoundEnd<ProbeSource> {
  if (text.startsWith(PLAINTEXT)) {
    const ip = text.slice(PLAINTEXT.length);
    if (parsePeerIp(ip) === null) return fault(`${ip} is no address`, 'write plaintext:10.0.0.1');
    return good({ kind: 'plain', ip, tls: false, pod: mesh.podByIp(ip) });
  }
  const identity = parseSpiffeId(PRINCIPAL.test(text) ? `spiffe://${text}` : text);
  if (identity !== null) return good(identitySource(identity, null, mesh));
  if (parsePeerIp(text) !== null) return addressSource(text, mesh);
  if (!text.includes('/')) return fault(`${text} is no caller`, 'write namespace/pod, a SPIFFE id, or an address');
  const pods = podsNamed(text, mesh);
  if (pods.length > 0) return good({ kind: 'pods', name: text, pods });
  return fault(`there is no pod or workload ${text}`, suggestion(text, podNames(mesh)));
}

/** Somebody with a certificate, and the pods that may have it. */
export function identitySource(identity: SpiffeId, ip: string | null, mesh: MeshView): ProbeSource {
  const owner = ip === null ? null : mesh.podByIp(ip);
  const pods =
    owner !== null
      ? [owner]
      : mesh.pods.filter(
          ({ namespace, serviceAccount }) => identityOf(mesh.trustDomain, namespace, serviceAccount) === identity,
        );
  return { kind: 'identity', identity, ip, pods };
}

function addressSource(ip: string, mesh: MeshView): FoundEnd<ProbeSource> {
  const pod = mesh.podByIp(ip);
  if (pod !== null) return good({ kind: 'pods', name: nameOf(pod), pods: [pod] });
  const service = mesh.serviceByIp(ip);
  if (service !== null) return fault(`${ip} is Service ${nameOf(service)}, and a Service calls nobody`, null);
  return good({ kind: 'plain', ip, tls: false, pod: null });
}

/**
 * Who is called: `namespace/pod:port` or `namespace/workload:port` at the pod's own port, `service.namespace:port` at the
 * Service's port (which may be left out if it has one only), or `address:port` of either. Never throws.
 */
export function findDestination(text: string, mesh: MeshView): FoundEnd<ProbeDestination> {
  const slash = text.indexOf('/');
  const asked = parseHostPort(slash < 0 ? text : text.slice(slash + 1));
  if (asked === null)
    return fault(`${text} is no destination`, 'write namespace/pod:port, service.namespace:port or address:port');
  const { host, port } = asked;
  if (slash >= 0) return namedDestination(`${text.slice(0, slash)}/${host}`, port, mesh);
  if (parsePeerIp(host) !== null) return addressDestination(host, port, mesh);
  const service = mesh.serviceByHost(host);
  if (service !== null) return serviceDestination(service, port);
  const names = mesh.services.map(({ name, namespace }) => `${name}.${namespace}`);
  return fault(`there is no Service ${host}`, suggestion(host, names));
}

function namedDestination(name: string, port: number | null, mesh: MeshView): FoundEnd<ProbeDestination> {
  const pods = podsNamed(name, mesh);
  if (pods.length > 0) {
    return port === null
      ? fault(`${name} needs a port`, `write ${name}:8080, the port of the pod`)
      : good({ kind: 'pods', name, pods, port });
  }
  const service = mesh.services.find((candidate) => nameOf(candidate) === name);
  if (service !== undefined) return serviceDestination(service, port);
  const names = [...podNames(mesh), ...mesh.services.map(nameOf)];
  return fault(`there is no pod, workload or Service ${name}`, suggestion(name, names));
}

function addressDestination(ip: string, port: number | null, mesh: MeshView): FoundEnd<ProbeDestination> {
  const service = mesh.serviceByIp(ip);
  if (service !== null) return serviceDestination(service, port);
  if (port === null) return fault(`${ip} needs a port`, `write ${ip.includes(':') ? `[${ip}]` : ip}:8080`);
  const pod = mesh.podByIp(ip);
  if (pod === null) return good({ kind: 'address', ip, port });
  return good({ kind: 'pods', name: nameOf(pod), pods: [pod], port });
}

function serviceDestination(service: Service, port: number | null): FoundEnd<ProbeDestination> {
  const [only, second] = service.ports;
  if (port !== null) return good({ kind: 'service', service, port });
  if (only !== undefined && second === undefined) return good({ kind: 'service', service, port: only.port });
  const ports = service.ports.map((candidate) => candidate.port).join(', ');
  return fault(`Service ${nameOf(service)} needs a port`, `it has ${ports || 'none'}`);
}

/** The pod of that name, or else all pods of the workload. */
function podsNamed(name: string, mesh: MeshView): readonly Pod[] {
  const slash = name.indexOf('/');
  const [namespace, own] = [name.slice(0, slash), name.slice(slash + 1)];
  const pod = mesh.podByName(namespace, own);
  if (pod !== null) return [pod];
  return mesh.pods.filter((candidate) => candidate.namespace === namespace && workloadOf(candidate.name) === own);
}

function podNames(mesh: MeshView): readonly string[] {
  return [
    ...new Set(
      mesh.pods.flatMap((pod) => [`${pod.namespace}/${workloadOf(pod.name)}`, `${pod.namespace}/${pod.name}`]),
    ),
  ];
}

function suggestion(typed: string, names: readonly string[]): string | null {
  if (names.length === 0)
    return 'the mesh given has none at all: name manifests or a dump with pods and Services in it';
  const near = nearNames(typed, names);
  return near.length > 0 ? `did you mean ${near.join(' or ')}?` : null;
}

function good<T>(value: T): FoundEnd<T> {
  return { ok: true, value };
}

function fault<T>(message: string, hint: string | null): FoundEnd<T> {
  return { ok: false, message, hint };
}
