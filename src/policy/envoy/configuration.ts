import type { KubeObject } from '../../model/mesh.ts';
import type { AuthorizationPolicy, PeerAuthentication } from '../../model/policy.ts';
import { nameOf } from '../../text/object-ref.ts';
import {
  type Decoded,
  decodeAuthorizationPolicy,
  decodePeerAuthentication,
  decodeRequestAuthentication,
  decodeSpec,
} from '../decode.ts';
import { requestSpec } from '../decode-spec.ts';
import { type Attachable, byAge, type PeerLevels, peerLevels } from './bind.ts';
import { type GatewayServer, readServers } from './gateway.ts';
import { compileProvider, type JwtProvider } from './jwt-provider.ts';
import { isPathTemplate, parsePathTemplate } from './path-template.ts';
import { type GatewayRoutes, readRoutes } from './route.ts';
import {
  type ContainerPorts,
  containerPort,
  type MeshService,
  type PortProtocol,
  readContainerPorts,
  readServices,
  servicesOf,
} from './services.ts';
import type { EnvoyInput } from './settings.ts';

/** A RequestAuthentication: where it applies, and its rules. */
export interface TokenRules {
  readonly policy: Attachable;
  readonly providers: readonly JwtProvider[];
}

/** All objects of the mesh that can decide about one proxy, read. */
export interface Configuration {
  /** Sorted by namespace and name; not all are in force at every filter chain. */
  readonly policies: readonly AuthorizationPolicy[];
  readonly tokenRules: readonly TokenRules[];
  readonly peers: PeerLevels;
  readonly services: readonly MeshService[];
  /** By port of the container; what is not there is in no Service. */
  readonly protocols: ReadonlyMap<number, PortProtocol>;
  readonly servers: readonly GatewayServer[];
  readonly routes: readonly GatewayRoutes[];
  readonly problems: readonly string[];
  /** Those of the problems for which Envoy refuses its whole configuration. */
  readonly refusals: readonly string[];
}

/** Reads the objects. Untrusted; what cannot be read is not in force and stands in `problems`. */
export function readConfiguration(input: EnvoyInput): Configuration {
  const { objects, proxy, settings } = input;
  const unread: string[] = [];
  const read = <T>(kind: string, decode: (object: KubeObject) => Decoded<T>): readonly T[] =>
    objects.flatMap((object) => {
      if (object.kind !== kind) return [];
      const decoded = decode(object);
      if (decoded.ok) return [decoded.value];
      unread.push(`${kind} ${nameOf(object.metadata)}: ${decoded.reason}`);
      return [];
    });
  const policies = read('AuthorizationPolicy', decodeAuthorizationPolicy).toSorted((one, other) =>
    nameOf(one.ref) < nameOf(other.ref) ? -1 : 1,
  );
  const tokenRules = read('RequestAuthentication', (object) => readTokenRules(object, input));
  const peers: readonly PeerAuthentication[] = read('PeerAuthentication', decodePeerAuthentication);
  const services = readServices(objects);
  const names = readContainerPorts(objects, proxy);
  const refusals = refusedByEnvoy(policies, tokenRules);
  return {
    policies,
    tokenRules,
    peers: peerLevels(peers, proxy, settings.rootNamespace),
    services,
    protocols: portProtocols(servicesOf(services, proxy), names),
    servers: readServers(objects, proxy, services, names),
    routes: readRoutes(objects),
    problems: [...unread, ...refusals],
    refusals,
  };
}

function readTokenRules(object: KubeObject, { settings }: EnvoyInput): Decoded<TokenRules> {
  const policy = decodeRequestAuthentication(object);
  if (!policy.ok) return policy;
  // The spec itself: the model keeps neither lists of claims nor headers made from claims.
  const spec = decodeSpec(object, 'RequestAuthentication', requestSpec);
  if (!spec.ok) return spec;
  const providers = spec.value.jwtRules.map((rule) => compileProvider(rule, settings));
  return { ok: true, value: { policy: policy.value, providers } };
}

/** The oldest Service decides about a container's port. */
function portProtocols(services: readonly MeshService[], names: ContainerPorts): ReadonlyMap<number, PortProtocol> {
  const protocols = new Map<number, PortProtocol>();
  for (const service of services.toSorted(byAge)) {
    for (const port of service.ports) {
      const target = containerPort(port, names);
      if (target !== null && !protocols.has(target)) protocols.set(target, port.protocol);
    }
  }
  return protocols;
}

/** What makes Envoy refuse its whole configuration and keep the one it had. */
function refusedByEnvoy(
  policies: readonly AuthorizationPolicy[],
  tokenRules: readonly TokenRules[],
): readonly string[] {
  const templates = policies.flatMap(({ ref, rules }) =>
    rules
      .flatMap(({ to }) => to.flatMap((operation) => [...(operation?.paths ?? []), ...(operation?.notPaths ?? [])]))
      .filter((path) => isPathTemplate(path) && parsePathTemplate(path) === null)
      .map((path) => `${ref.kind} ${nameOf(ref)}: Envoy refuses the path template ${path}`),
  );
  const keySets = tokenRules
    .filter(({ providers }) => providers.some(({ keys }) => keys.kind === 'keys' && keys.keys.length === 0))
    .map(({ policy }) => `${policy.ref.kind} ${nameOf(policy.ref)}: Envoy refuses a jwks without a valid key`);
  return [...templates, ...keySets];
}
