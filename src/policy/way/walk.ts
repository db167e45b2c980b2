import type { Decision } from '../../model/policy.ts';
import type { Hop, Route } from '../../model/way.ts';
import { nameOf } from '../../text/object-ref.ts';
import { identityOf, principalOf } from '../../text/spiffe.ts';
import { arrive, atWaypoint } from './arrival.ts';
import { type DestinationCase, isHealthProbe, type SourceCase } from './cases.ts';
import type { MeshEngines } from './engines.ts';
import { hop, plainDecision } from './hop.ts';
import { HBONE_PORT, type Leg, legTo } from './leg.ts';
import { decideLeg, type NetworkSource } from './network.ts';
import type { ProbeRequest } from './probe.ts';
import {
  ingressUsesWaypoint,
  type Waypoint,
  type WaypointAnswer,
  waypointOfPod,
  waypointOfService,
} from './waypoint.ts';

/** Follows one connection from hop to hop until one refuses it. */
export function walk(
  source: SourceCase,
  destination: DestinationCase,
  request: ProbeRequest,
  engines: MeshEngines,
): Route {
  const hops = hopsOf(source, destination, request, engines);
  const { outcome, because, determining, nearMiss, error } = decisionOf(hops);
  const assuming = [...source.assuming, ...destination.assuming];
  return { assuming, hops, outcome, because, determining, nearMiss, error };
}

/**
 * The decision over hops that follow each other: one that refuses ends the way, whatever those before may do; one that is
 * not settled leaves the whole open.
 */
export function decisionOf(hops: readonly Hop[]): Decision {
  const decisive =
    hops.find(({ outcome }) => outcome === 'deny') ?? hops.find(({ outcome }) => outcome === 'unknown') ?? hops.at(-1);
  if (decisive === undefined) return plainDecision('unknown', 'there is no way');
  const { outcome, because, determining, nearMiss, error } = decisive;
  if (outcome !== 'allow') return { outcome, because, determining, nearMiss, error };
  return { outcome, because, determining: hops.flatMap((each) => each.determining), nearMiss: [], error: null };
}

function hopsOf(
  source: SourceCase,
  destination: DestinationCase,
  request: ProbeRequest,
  engines: MeshEngines,
): readonly Hop[] {
  const answer = waypointFor(source, destination, engines);
  if (answer.kind === 'none') return finalHops(source, destination, request, engines, true);
  if (answer.kind === 'unknown') {
    const because = `waypoint ${answer.name} is asked for; whether there is one, the mesh given does not tell`;
    const open = hop('waypoint', answer.name, plainDecision('unknown', because));
    const rest = finalHops(source, destination, request, engines, true);
    // Behind a waypoint another identity arrives, so a refusal of this one is not certain either.
    return [open, ...rest.filter(({ by, outcome }) => by === 'source' || outcome === 'allow')];
  }
  const { waypoint } = answer;
  const leg: Leg = {
    wire: 'hbone',
    port: HBONE_PORT,
    because: `HBONE to waypoint ${waypoint.name}`,
    by: [],
    serverName: null,
    isBlocked: false,
  };
  const first = sourceHop(source, leg);
  const network = networkHop(source, leg, waypoint.pod, engines);
  if (network?.outcome === 'deny') return [logged(first, source, leg, network), network];
  const judged = atWaypoint(source, waypoint, destination, request, engines);
  const before = [first, ...(network === null ? [] : [network]), judged];
  if (judged.outcome === 'deny') return before;
  return [...before, ...finalHops(asSource(waypoint, engines), destination, request, engines, false)];
}

/** ztunnel goes through waypoints; sidecars never do, and gateways only where they are told to. */
function waypointFor(source: SourceCase, destination: DestinationCase, engines: MeshEngines): WaypointAnswer {
  const { via, pod } = destination;
  const { mesh } = engines;
  const uses =
    (source.dataplane === 'ambient' && source.role !== 'waypoint') ||
    (source.role === 'gateway' && via !== null && ingressUsesWaypoint(via.service, mesh));
  if (!uses || destination.role === 'waypoint') return { kind: 'none' };
  return via === null ? waypointOfPod(pod, mesh) : waypointOfService(via.service, mesh);
}

/** Behind a waypoint its own identity and address are what a destination sees. */
function asSource({ pod }: Waypoint, { mesh }: MeshEngines): SourceCase {
  const { namespace, labels, serviceAccount, ips } = pod;
  return {
    name: nameOf(pod),
    ...{ pod, namespace, labels },
    dataplane: 'sidecar',
    role: 'waypoint',
    identity: identityOf(mesh.trustDomain, namespace, serviceAccount),
    ip: ips[0] ?? null,
    tls: false,
    assuming: [],
  };
}

function finalHops(
  source: SourceCase,
  destination: DestinationCase,
  request: ProbeRequest,
  engines: MeshEngines,
  withSource: boolean,
): readonly Hop[] {
  const leg = legTo(source, destination, engines);
  if (leg.isBlocked)
    return [{ ...hop('source', source.name, plainDecision('deny', leg.because)), determining: leg.by }];
  const network = networkHop(source, leg, destination.pod, engines);
  const first = sourceHop(source, leg);
  const before = (refusing: Hop): readonly Hop[] => (withSource ? [logged(first, source, leg, refusing)] : []);
  if (network?.outcome === 'deny') return [...before(network), network];
  const last = arrive(source, leg, destination, request, engines);
  return [...before(last), ...(network === null ? [] : [network]), last];
}

function sourceHop(source: SourceCase, leg: Leg): Hop {
  const secure = leg.wire === 'hbone' || leg.wire === 'mtls';
  const as = secure && source.identity !== null ? ` as ${principalOf(source.identity)}` : '';
  const because = `${leg.because}${as}`;
  return hop('source', source.name, { outcome: 'allow', because, determining: leg.by, nearMiss: [], error: null });
}

function networkHop(source: SourceCase, leg: Leg, pod: DestinationCase['pod'], { mesh }: MeshEngines): Hop | null {
  const decision = decideLeg(networkSource(source), pod, leg.port, mesh);
  return decision === null ? null : hop('network-policy', `port ${leg.port} of ${nameOf(pod)}`, decision);
}

function networkSource({ pod, ip }: SourceCase): NetworkSource {
  return pod ?? (ip === null ? null : { ip });
}

/** What the source's ztunnel logs when another refuses (istio/ztunnel 62d82653 src/proxy.rs). */
function logged(first: Hop, source: SourceCase, { wire }: Leg, refusing: Hop): Hop {
  if (source.dataplane !== 'ambient' || refusing.outcome !== 'deny' || isHealthProbe(source)) return first;
  if (refusing.by === 'network-policy') {
    const timeout = 'deadline has elapsed';
    const hint = 'connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008';
    return { ...first, error: wire === 'hbone' ? `${hint}: ${timeout}` : `io error: ${timeout}` };
  }
  return refusing.by === 'ztunnel' && refusing.error !== null && wire === 'hbone'
    ? { ...first, error: 'http status: 401 Unauthorized' }
    : first;
}
