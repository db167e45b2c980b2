import type { KubeObject, MeshView, Pod, Service } from '../../model/mesh.ts';
import type { AuthorizationPolicy, PeerAuthentication } from '../../model/policy.ts';
import { grouped } from '../../text/grouped.ts';
import { verifyJws } from '../../text/jws.ts';
import { hasLabels } from '../../text/labels.ts';
import { remembered } from '../../text/remembered.ts';
import { compileZtunnel, type ZtunnelPolicies, type ZtunnelWorkload } from '../ambient/decide.ts';
import { decodeAuthorizationPolicy, decodePeerAuthentication } from '../decode.ts';
import { type PeerLevels, peerLevels } from '../envoy/bind.ts';
import { compileEnvoy, type EnvoyEngine } from '../envoy/decide.ts';
import { readMeshConfig } from '../envoy/mesh-config.ts';
import type { EnvoyProxy, EnvoySettings } from '../envoy/settings.ts';
import { type InForce, readInForce } from './in-force.ts';
import { likenessOf, tellingLabels } from './labels.ts';
import { type PodRole, roleOf } from './role.ts';

/** Everything that is compiled once for a mesh and asked often. A view never changes, so nothing here goes stale. */
export class MeshEngines {
  readonly mesh: MeshView;
  readonly inForce: InForce;
  readonly #telling: ReadonlySet<string>;
  readonly #settings: EnvoySettings;
  readonly #ztunnel: ZtunnelPolicies;
  readonly #podsByNamespace: ReadonlyMap<string, readonly Pod[]>;
  readonly #servicesByNamespace: ReadonlyMap<string, readonly Service[]>;
  readonly #likeness = new Map<Pod, string>();
  readonly #roles = new Map<Pod, PodRole>();
  readonly #workloads = new Map<string, ZtunnelWorkload>();
  readonly #envoys = new Map<string, EnvoyEngine>();
  readonly #selected = new Map<Service, readonly Pod[]>();
  readonly #namespaceModes = new Map<string, string | null>();

  constructor(mesh: MeshView) {
    this.mesh = mesh;
    this.inForce = readInForce(mesh);
    this.#telling = tellingLabels(mesh);
    this.#settings = settingsOf(mesh);
    const { rootNamespace, istioVersion } = mesh;
    this.#ztunnel = compileZtunnel(this.inForce.all.flatMap(decode), { rootNamespace, revision: null, istioVersion });
    this.#podsByNamespace = podsByNamespace(mesh.pods);
    this.#servicesByNamespace = servicesByNamespace(mesh.services);
  }

  /** Equal for pods of which policies cannot tell one from the other. */
  likenessOf(pod: Pod): string {
    return held(this.#likeness, pod, () => likenessOf(pod, this.#telling));
  }

  roleOf(pod: Pod): PodRole {
    return held(this.#roles, pod, () => roleOf(pod, this.mesh));
  }

  /** The pods a Service's selector picks; null: it has no selector, so its endpoints are somebody else's matter. */
  selectedBy(service: Service): readonly Pod[] | null {
    const { selector } = service;
    if (selector === null) return null;
    return held(this.#selected, service, () =>
      this.podsIn(service.namespace).filter(({ labels }) => hasLabels(labels, selector)),
    );
  }

  /** The pods in a namespace. */
  podsIn(namespace: string): readonly Pod[] {
    return this.#podsByNamespace.get(namespace) ?? [];
  }

  /** The Services in a namespace. */
  servicesIn(namespace: string): readonly Service[] {
    return this.#servicesByNamespace.get(namespace) ?? [];
  }

  /** The policies at the ztunnel of a pod. */
  ztunnelOf(pod: Pod): ZtunnelWorkload {
    return held(this.#workloads, this.likenessOf(pod), () => this.#ztunnel.forWorkload(pod));
  }

  /** The Envoy of a pod; at a waypoint, the part of it that serves a namespace's Services. */
  envoyOf(pod: Pod, type: EnvoyProxy['type'], served: string | null): EnvoyEngine {
    const key = `${type} ${served} ${this.likenessOf(pod)}`;
    return held(this.#envoys, key, () => {
      const { namespace, name, labels } = pod;
      const objects = this.#objectsFor(pod, type, served);
      return compileEnvoy({ proxy: { type, namespace, name, labels }, objects, settings: this.#settings });
    });
  }

  /** The mode of mutual TLS that a namespace, or else the mesh, sets for all its pods; null: none. */
  namespaceMode(namespace: string): string | null {
    return held(this.#namespaceModes, namespace, () => {
      const { rootNamespace } = this.mesh;
      const policies = [...new Set([namespace, rootNamespace])]
        .flatMap((place) => this.inForce.byNamespace.get(place) ?? [])
        .flatMap((object) => (object.kind === 'PeerAuthentication' ? decodePeer(object) : []));
      const nobody: EnvoyProxy = { type: 'sidecar', namespace, name: '', labels: {} };
      return wideMode(peerLevels(policies, nobody, rootNamespace));
    });
  }

  /** Whose policies and Services an Envoy looks at; far fewer than there are in the mesh. */
  #objectsFor(pod: Pod, type: EnvoyProxy['type'], served: string | null): readonly KubeObject[] {
    const { mesh } = this;
    const namespaces = [...new Set([mesh.rootNamespace, pod.namespace, ...(served === null ? [] : [served])])];
    const own = mesh.object({ kind: 'Pod', namespace: pod.namespace, name: pod.name });
    const services = [pod.namespace, ...(served === null ? [] : [served])];
    return [
      ...namespaces.flatMap((namespace) => this.inForce.byNamespace.get(namespace) ?? []),
      ...new Set([...services.flatMap((namespace) => mesh.objectsOf('Service', namespace)), ...this.#authorizers()]),
      ...mesh.objectsOf('ServiceEntry'),
      ...(type === 'gateway' ? gatewayObjects(mesh) : []),
      ...(own === null ? [] : [own]),
    ];
  }

  /** Services of external authorizers; a CUSTOM policy whose authorizer is in no Service refuses everything. */
  #authorizers(): readonly KubeObject[] {
    return this.#settings.extensionProviders.flatMap(({ service }) => {
      const found = this.mesh.serviceByHost(service.split('/').at(-1) ?? service);
      const ref = found === null ? null : { kind: 'Service', namespace: found.namespace, name: found.name };
      return (ref === null ? null : this.mesh.object(ref)) ?? [];
    });
  }
}

/**
 * What a gateway listens for and sends on. A mesh without any VirtualService is one of which nobody read them: then a route
 * for everything stands in their place, so that policies alone are judged.
 */
function gatewayObjects(mesh: MeshView): readonly KubeObject[] {
  const gateways = mesh.objectsOf('Gateway');
  const routes = mesh.objectsOf('VirtualService');
  return [...gateways, ...mesh.objectsOf('Secret'), ...(routes.length > 0 ? routes : [anyRoute(gateways)])];
}

function anyRoute(gateways: readonly KubeObject[]): KubeObject {
  const names = gateways.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: 'any', namespace: '', labels: null, annotations: null, creationTimestamp: null },
    raw: { spec: { hosts: ['*'], gateways: names, http: [{}] } },
    source: { file: '', document: 0 },
  };
}

/** What a map holds, made when it is first asked for. */
function held<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

function byNamespace<T extends { readonly namespace: string }>(items: readonly T[]): ReadonlyMap<string, readonly T[]> {
  return grouped(items, ({ namespace }) => namespace);
}

/** Views of one mesh with other policies share their pods and Services. */
const podsByNamespace = remembered((pods: readonly Pod[]) => byNamespace(pods));
const servicesByNamespace = remembered((services: readonly Service[]) => byNamespace(services));

function decode(object: KubeObject): readonly (AuthorizationPolicy | PeerAuthentication)[] {
  if (object.kind === 'PeerAuthentication') return decodePeer(object);
  return object.kind === 'AuthorizationPolicy' ? decodeAuthorization(object) : [];
}

function decodeAuthorization(object: KubeObject): readonly AuthorizationPolicy[] {
  const policy = decodeAuthorizationPolicy(object);
  return policy.ok ? [policy.value] : [];
}

function decodePeer(object: KubeObject): readonly PeerAuthentication[] {
  const policy = decodePeerAuthentication(object);
  return policy.ok ? [policy.value] : [];
}

function wideMode({ namespace, mesh }: PeerLevels): string | null {
  for (const policy of [namespace, mesh]) if (policy !== null && policy.mode !== 'UNSET') return policy.mode;
  return null;
}

function settingsOf(mesh: MeshView): EnvoySettings {
  const { rootNamespace, trustDomain, trustDomainAliases } = mesh;
  return {
    ...readMeshConfig(mesh.config ?? {}),
    rootNamespace,
    trustDomain,
    trustDomainAliases,
    verifySignature: verifyJws,
  };
}
