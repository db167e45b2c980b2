import { nameOf } from '../../text/object-ref.ts';
import { blockHolds, parseIpBlock } from '../match-ip.ts';
import { type Attachable, attaches } from './bind.ts';
import { type Configuration, readConfiguration } from './configuration.ts';
import { addressOf, type Facts } from './facts.ts';
import { compileFilters, type Filters } from './filters.ts';
import { acceptAtGateway, type GatewayServer } from './gateway.ts';
import { HeaderView } from './headers.ts';
import { type HttpChain, runHttp } from './http.ts';
import { type Known, UNKNOWN } from './known.ts';
import { acceptInbound, modeOf, type PortMode } from './mtls.ts';
import type { EnvoyRequest, Transport } from './request.ts';
import { hasRoute } from './route.ts';
import type { MeshService, PortProtocol } from './services.ts';
import type { EnvoyInput } from './settings.ts';
import { runTcp } from './tcp.ts';
import { decisionOf, deny, type EnvoyDecision, PRINTED_NOTHING, type Verdict } from './verdict.ts';

const TRANSPORTS: readonly Transport[] = ['mtls', 'tls', 'plaintext'];

/** Where a request is addressed to. */
type Addressed = Pick<EnvoyRequest, 'service' | 'destinationAddress' | 'destinationPort'>;

/** What one Envoy would answer. Pure; never throws. */
export interface EnvoyEngine {
  /**
   * One sentence each: objects that cannot be read and are therefore not in force, and those for which Envoy refuses its
   * whole configuration and keeps the one it had.
   */
  readonly problems: readonly string[];
  /** The latter of these alone. Where there are some, what the proxy really does is not known. */
  readonly refusals: readonly string[];
  /** The mode in force at a port of the container. Only a sidecar has one. */
  modeOf(port: number): PortMode;
  /** The servers of Gateways that this proxy is for; of a gateway only. */
  readonly servers: readonly GatewayServer[];
  /** What the port that a request arrives at is declared to speak. `auto`: it is found out from the first bytes. */
  protocolOf(request: Addressed): PortProtocol;
  /** Decides about one request or connection. */
  decide(request: EnvoyRequest): EnvoyDecision;
}

/**
 * Makes the engine of one proxy (sidecar, gateway or waypoint), equal to the real one. Make it once, ask it often: filter
 * chains are compiled when they are first met and kept.
 */
export function compileEnvoy(input: EnvoyInput): EnvoyEngine {
  return new Engine(input);
}

class Engine implements EnvoyEngine {
  readonly #input: EnvoyInput;
  readonly #mesh: Configuration;
  readonly #filters = new Map<string, Filters>();
  readonly problems: readonly string[];
  readonly refusals: readonly string[];
  readonly servers: readonly GatewayServer[];

  constructor(input: EnvoyInput) {
    this.#input = input;
    this.#mesh = readConfiguration(input);
    this.problems = this.#mesh.problems;
    this.refusals = this.#mesh.refusals;
    this.servers = this.#mesh.servers;
  }

  modeOf(port: number): PortMode {
    return modeOf(this.#mesh.peers, port);
  }

  protocolOf(request: Addressed): PortProtocol {
    const { destinationPort: port } = request;
    switch (this.#input.proxy.type) {
      case 'sidecar':
        return this.#mesh.protocols.get(port) ?? 'auto';
      case 'gateway':
        return this.#mesh.servers.some(({ ports, http }) => ports.includes(port) && !http) ? 'tcp' : 'http';
      case 'waypoint': {
        const service = this.#addressed(request);
        if (service === UNKNOWN) return 'auto';
        return service?.ports.find((candidate) => candidate.port === port)?.protocol ?? 'auto';
      }
    }
  }

  decide(request: EnvoyRequest): EnvoyDecision {
    const { transport } = request;
    if (transport !== UNKNOWN) return decisionOf(this.#accept(request, transport));
    return decisionOf(TRANSPORTS.flatMap((possible) => this.#accept(request, possible)));
  }

  #accept(request: EnvoyRequest, transport: Transport): readonly Verdict[] {
    switch (this.#input.proxy.type) {
      case 'sidecar':
        return this.#acceptAtSidecar(request, transport);
      case 'gateway':
        return this.#acceptAtGateway(request, transport);
      case 'waypoint':
        return this.#acceptAtWaypoint(request, transport);
    }
  }

  #acceptAtSidecar(request: EnvoyRequest, transport: Transport): readonly Verdict[] {
    const { mode, policies } = this.modeOf(request.destinationPort);
    const protocol = this.protocolOf(request);
    const accepted = acceptInbound(mode, protocol, transport, request.protocol);
    if (accepted.kind === 'no-chain') {
      return [deny('listener', `${transport} does not fit mode ${mode}`, NO_CHAIN, policies)];
    }
    if (accepted.kind === 'no-certificate') {
      return [deny('tls', `mode ${mode} wants a client certificate`, PRINTED_NOTHING, policies)];
    }
    const identity = transport === 'mtls' && accepted.terminated ? request.identity : null;
    const foreign = this.#refuseForeign(identity);
    if (foreign !== null) return [foreign];
    const secure = transport === 'mtls' && accepted.terminated;
    const verdicts = this.#run(request, { http: accepted.http, identity, secure, service: null, servers: null });
    if (accepted.terminated) return verdicts;
    return accepted.http ? [NOT_HTTP_AFTER_TLS] : verdicts.map((verdict) => afterPassthrough(verdict, transport));
  }

  #acceptAtGateway(request: EnvoyRequest, transport: Transport): readonly Verdict[] {
    const assumed = { http: request.protocol === 'http', secure: transport !== 'plaintext', service: null } as const;
    // Without a Gateway of our kind the listeners are not known: only the policies are judged.
    if (this.#mesh.servers.length === 0)
      return this.#run(request, { ...assumed, identity: request.identity, servers: null });
    const accepted = acceptAtGateway(this.#mesh.servers, request.destinationPort, transport, request.serverName);
    switch (accepted.kind) {
      case 'closed':
        return [deny('listener', `no Gateway opens port ${request.destinationPort}`, PRINTED_NOTHING)];
      case 'no-chain':
        return [deny('listener', 'no server of a Gateway fits TLS and server name', NO_CHAIN)];
      case 'no-certificate':
        return [deny('tls', 'the Gateway wants a client certificate', PRINTED_NOTHING)];
      case 'no-own-certificate': {
        const { namespace } = this.#input.proxy;
        const because = `the Gateway's certificate ${accepted.name} is not in the gateway's namespace ${namespace}`;
        return [deny('tls', because, PRINTED_NOTHING)];
      }
      case 'unknown': {
        const refusal = deny('listener', 'no server of a Gateway may fit the server name', NO_CHAIN);
        return [refusal, ...this.#run(request, { ...assumed, identity: request.identity, servers: null })];
      }
      case 'chain': {
        const identity = accepted.certificate && transport === 'mtls' ? request.identity : null;
        const servers = this.#mesh.servers.filter(({ ports }) => ports.includes(request.destinationPort));
        return this.#run(request, { ...assumed, http: accepted.server.http, identity, servers });
      }
    }
  }

  #acceptAtWaypoint(request: EnvoyRequest, transport: Transport): readonly Verdict[] {
    if (transport !== 'mtls') return [deny('listener', 'a waypoint takes HBONE only', NO_CHAIN)];
    const foreign = this.#refuseForeign(request.identity);
    if (foreign !== null) return [foreign];
    const service = this.#addressed(request);
    if (service === UNKNOWN) {
      return [
        deny('authorization', 'the addressed service is not known', null),
        ...this.#run(request, {
          http: request.protocol === 'http',
          identity: request.identity,
          secure: false,
          service: null,
          servers: null,
        }),
      ];
    }
    const port = service?.ports.find((candidate) => candidate.port === request.destinationPort);
    if (service !== null && port === undefined) {
      return [deny('listener', `${nameOf(service.ref)} has no port ${request.destinationPort}`, NO_CHAIN)];
    }
    const http =
      port === undefined || port.protocol === 'auto' ? request.protocol === 'http' : port.protocol === 'http';
    return this.#run(request, { http, identity: request.identity, secure: false, service, servers: null });
  }

  /** Null: no Service has this address; it may be a pod's. */
  #addressed({ service, destinationAddress: address }: Addressed): Known<MeshService | null> {
    if (service !== null) {
      const { kind, namespace, name } = service;
      const isMeant = ({ ref }: MeshService): boolean =>
        ref.kind === kind && ref.namespace === namespace && ref.name === name;
      return this.#mesh.services.find(isMeant) ?? UNKNOWN;
    }
    if (address === UNKNOWN) return UNKNOWN;
    const wanted = addressOf(address);
    const holds = (block: string): boolean => {
      const parsed = parseIpBlock(block);
      return parsed !== null && wanted !== null && wanted !== UNKNOWN && blockHolds(parsed, wanted);
    };
    return this.#mesh.services.find(({ addresses }) => addresses.some(holds)) ?? null;
  }

  /** The handshake checks that the peer's trust domain is one of the mesh (istio 86c9f01f pilot/pkg/security/authn/utils). */
  #refuseForeign(identity: EnvoyRequest['identity']): Verdict | null {
    if (identity === UNKNOWN || identity === null) return null;
    const { trustDomain, trustDomainAliases } = this.#input.settings;
    const ours = [trustDomain, ...trustDomainAliases].some((domain) => identity.startsWith(`spiffe://${domain}/`));
    return ours ? null : deny('tls', `${identity} is of a trust domain that is not trusted`, PRINTED_NOTHING);
  }

  #run(request: EnvoyRequest, chain: Chain): readonly Verdict[] {
    const { proxy, settings } = this.#input;
    const filters = this.#filtersOf(chain.service, !chain.http);
    const { serverName } = request;
    const client = addressOf(request.sourceAddress);
    const peer = proxy.type === 'waypoint' ? null : client;
    const connection: HttpChain['connection'] = {
      identity: chain.identity,
      peer,
      destination: addressOf(request.destinationAddress),
      port: request.destinationPort,
      serverName: serverName === UNKNOWN ? UNKNOWN : (serverName ?? ''),
    };
    if (!chain.http) return runTcp(filters, tcpFacts(request, connection), request);
    if (request.protocol === 'tcp') return [NOT_HTTP];
    const { servers } = chain;
    const route: HttpChain['route'] = (facts) => servers === null || hasRoute(this.#mesh.routes, servers, facts);
    const { secure } = chain;
    return runHttp({ proxy, settings, filters, secure, connection, client, route }, request);
  }

  #filtersOf(service: MeshService | null, tcp: boolean): Filters {
    const key = service === null ? String(tcp) : `${tcp} ${service.ref.kind}/${nameOf(service.ref)}`;
    const known = this.#filters.get(key);
    if (known !== undefined) return known;
    const { proxy, settings } = this.#input;
    const inForce = (policy: Attachable): boolean =>
      attaches(policy, proxy, settings.rootNamespace, service?.ref ?? null);
    const rules = this.#mesh.tokenRules.filter(({ policy }) => inForce(policy));
    const jwt = rules
      .flatMap(({ providers }) => providers)
      .sort((one, other) => (one.issuer < other.issuer ? -1 : one.issuer > other.issuer ? 1 : 0));
    const tokens = { jwt, tokenPolicies: rules.map(({ policy }) => policy.ref) };
    const filters = compileFilters(this.#mesh.policies.filter(inForce), tokens, this.#mesh.services, settings, tcp);
    this.#filters.set(key, filters);
    return filters;
  }
}

/** A filter chain that took a connection. `servers` null: routes are not judged. */
interface Chain {
  readonly http: boolean;
  readonly identity: EnvoyRequest['identity'];
  readonly secure: boolean;
  readonly service: MeshService | null;
  readonly servers: readonly GatewayServer[] | null;
}

const NO_CHAIN = { ...PRINTED_NOTHING, flags: ['NR'], details: 'filter_chain_not_found' };
const CODEC_ERROR = { ...PRINTED_NOTHING, flags: ['DPE'], details: 'http1.codec_error' };
const NOT_HTTP_AFTER_TLS = deny('codec', 'TLS arrives at a port that takes plaintext HTTP', CODEC_ERROR);
const NOT_HTTP = deny('codec', 'the port takes HTTP only', { ...CODEC_ERROR, status: 400, body: 'Bad Request' });

/** Bytes of a TLS that the application has to end itself; mutual TLS of the mesh is none that it can. */
function afterPassthrough(verdict: Verdict, transport: Transport): Verdict {
  if (verdict.outcome === 'deny' || transport !== 'mtls') return verdict;
  return deny('upstream', 'mutual TLS arrives at an application that takes plaintext', verdict.printed);
}

/** On TCP the client is the peer. */
function tcpFacts(request: EnvoyRequest, connection: HttpChain['connection']): Facts {
  const { remoteAddress } = request;
  return {
    ...connection,
    remote: addressOf(remoteAddress ?? request.sourceAddress),
    method: '',
    host: '',
    path: '',
    headers: NO_HEADERS,
    claims: null,
    metadata: request.metadata,
  };
}

const NO_HEADERS = new HeaderView([], true);
