import type { Decision } from '../../model/policy.ts';
import type { SpiffeId } from '../../model/record.ts';
import type { Hop } from '../../model/way.ts';
import { nameOf } from '../../text/object-ref.ts';
import { identityParts } from '../../text/spiffe.ts';
import type { EnvoyEngine } from '../envoy/decide.ts';
import { type Known, UNKNOWN } from '../envoy/known.ts';
import { type EnvoyRequest, unknownRequest } from '../envoy/request.ts';
import { decisionOf, type EnvoyDecision, type Verdict } from '../envoy/verdict.ts';
import { type DestinationCase, isHealthProbe, type SourceCase } from './cases.ts';
import type { MeshEngines } from './engines.ts';
import { envoyHop, hop, plainDecision } from './hop.ts';
import type { Leg } from './leg.ts';
import type { ProbeRequest } from './probe.ts';
import { nameUnknowns } from './unknowns.ts';
import type { Waypoint } from './waypoint.ts';
import { decideZtunnel } from './ztunnel.ts';

/** What the pod's side makes of a connection that has reached it. */
export function arrive(
  source: SourceCase,
  leg: Leg,
  destination: DestinationCase,
  request: ProbeRequest,
  engines: MeshEngines,
): Hop {
  const { pod, role, dataplane } = destination;
  const at = nameOf(pod);
  if (role === 'waypoint') return hop('waypoint', at, plainDecision('unknown', 'a waypoint answers for others only'));
  if (dataplane === 'ambient') return hop('ztunnel', at, atZtunnel(source, leg, destination, engines));
  if (dataplane === 'none') return hop('workload', at, withoutProxy(leg));
  const type = role === 'gateway' ? 'gateway' : 'sidecar';
  const engine = engines.envoyOf(pod, type, null);
  if (leg.wire === 'mtls' && showsForeignCertificate(engine, destination.port)) {
    const because = "the caller's proxy trusts certificates of the mesh only, and the Gateway shows one of its own";
    return { ...hop(type, at, plainDecision('deny', because)), stage: 'tls' };
  }
  return envoyHop(type, at, askEnvoy(engine, envoyRequest(source, leg, destination, request), request));
}

/** A client that speaks mutual TLS of the mesh also checks whom it speaks to. */
function showsForeignCertificate({ servers }: EnvoyEngine, port: number): boolean {
  const secure = servers.filter(({ ports, tls }) => ports.includes(port) && tls !== 'none' && tls !== 'passthrough');
  return secure.length > 0 && !secure.some(({ meshCertificate }) => meshCertificate);
}

function atZtunnel(source: SourceCase, leg: Leg, destination: DestinationCase, engines: MeshEngines): Decision {
  if (isHealthProbe(source)) return plainDecision('allow', "health probes of the pod's node do not pass ztunnel");
  const identity = leg.wire === 'hbone' ? source.identity : null;
  if (identity !== null && isForeign(identity, engines.mesh.trustDomain)) {
    // istio/ztunnel 62d82653 src/tls/workload.rs: the handshake ends before any policy is asked.
    return plainDecision('deny', `ztunnel refuses identities of another trust domain than ${engines.mesh.trustDomain}`);
  }
  return decideZtunnel(engines.ztunnelOf(destination.pod), {
    sourceIp: source.ip,
    identity,
    destinationIp: destination.ip,
    destinationPort: destination.port,
  });
}

function isForeign(identity: SpiffeId, trustDomain: string): boolean {
  const parts = identityParts(identity);
  return parts !== null && parts.trustDomain !== trustDomain;
}

function withoutProxy({ wire }: Leg): Decision {
  if (wire === 'mtls') return plainDecision('deny', 'mutual TLS arrives at a pod without a proxy that could end it');
  return plainDecision('allow', 'no proxy of the mesh guards this pod: no policy is enforced');
}

/** What the waypoint says to a request for a Service (or, where `via` is null, for the pod itself). */
export function atWaypoint(
  source: SourceCase,
  waypoint: Waypoint,
  destination: DestinationCase,
  request: ProbeRequest,
  engines: MeshEngines,
): Hop {
  const { pod, via } = destination;
  const engine = engines.envoyOf(waypoint.pod, 'waypoint', via?.service.namespace ?? pod.namespace);
  const asked: EnvoyRequest = {
    ...commonRequest(source, via?.port ?? destination.port, request),
    transport: 'mtls',
    identity: source.identity,
    destinationAddress: (via === null ? destination.ip : via.service.addresses[0]) ?? UNKNOWN,
    service: via === null ? null : { kind: 'Service', namespace: via.service.namespace, name: via.service.name },
    serverName: null,
  };
  return envoyHop('waypoint', waypoint.name, askEnvoy(engine, asked, request));
}

function envoyRequest(source: SourceCase, leg: Leg, destination: DestinationCase, request: ProbeRequest): EnvoyRequest {
  const secure = leg.wire === 'hbone' || leg.wire === 'mtls';
  return {
    ...commonRequest(source, destination.port, request),
    transport: leg.wire === 'hbone' ? 'mtls' : leg.wire,
    identity: secure ? source.identity : null,
    destinationAddress: destination.ip ?? UNKNOWN,
    serverName: leg.wire === 'tls' ? hostName(request.host) : leg.serverName,
  };
}

/** A client of its own TLS names the host it calls. */
function hostName(host: string | null): Known<string | null> {
  return host === null ? UNKNOWN : host.replace(/:\d+$/, '');
}

function commonRequest(source: SourceCase, port: number, request: ProbeRequest): EnvoyRequest {
  return {
    ...unknownRequest(port),
    protocol: request.protocol ?? 'http',
    sourceAddress: source.ip ?? UNKNOWN,
    remoteAddress: null,
    method: request.method ?? UNKNOWN,
    host: request.host ?? UNKNOWN,
    path: request.path ?? UNKNOWN,
    headers: request.headers,
    headersComplete: request.headersComplete,
    token: request.token,
    authorizer: request.authorizer ?? UNKNOWN,
    time: request.timeSeconds ?? UNKNOWN,
  };
}

/** Where nobody said what is spoken, and the port declares nothing, HTTP and other bytes are both asked for. */
function askEnvoy(engine: EnvoyEngine, asked: EnvoyRequest, { protocol }: ProbeRequest): EnvoyDecision {
  if (engine.refusals.length > 0) return withOldConfiguration(engine.refusals);
  const http = nameUnknowns(engine.decide(asked), engine, asked);
  if (protocol !== null || engine.protocolOf(asked) !== 'auto') return http;
  const raw: EnvoyRequest = { ...asked, protocol: 'tcp' };
  const bytes = nameUnknowns(engine.decide(raw), engine, raw);
  if (http.outcome === bytes.outcome && http.because === bytes.because) return http;
  return decisionOf([...verdictsOf(http, 'if it is HTTP'), ...verdictsOf(bytes, 'if it is not HTTP')]);
}

/** Envoy goes on with the configuration it had, and which that was nobody told. */
function withOldConfiguration(refusals: readonly string[]): EnvoyDecision {
  const because = `the proxy refuses its new configuration and keeps the one it had: ${refusals.join('; ')}`;
  return { ...plainDecision('unknown', because), stage: null, printed: null };
}

function verdictsOf(decision: EnvoyDecision, condition: string): readonly Verdict[] {
  const { outcome, stage, because, determining, printed } = decision;
  const verdict = {
    stage: stage ?? 'authorization',
    because: `${condition}, ${because}`,
    determining,
    printed,
  } as const;
  const possible = outcome === 'unknown' ? (['deny', 'allow'] as const) : [outcome];
  return possible.map((one) => ({ ...verdict, outcome: one, explain: () => decision.nearMiss }));
}
