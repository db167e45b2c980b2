import type { MeshView, ObjectRef } from '../model/mesh.ts';
import type { Decision } from '../model/policy.ts';
import type { Hop, Route, Way } from '../model/way.ts';
import { distinctRefs, nameOf } from '../text/object-ref.ts';
import { principalOf } from '../text/spiffe.ts';
import { type DestinationCase, destinationCases, sourceCases } from './way/cases.ts';
import { enginesOf } from './way/compiled.ts';
import { type Endpoints, endpointsOf } from './way/endpoints.ts';
import type { MeshEngines } from './way/engines.ts';
import { hop, plainDecision } from './way/hop.ts';
import { isPossible } from './way/leg.ts';
import type { Probe, ProbeDestination, ProbeSource } from './way/probe.ts';
import { walk } from './way/walk.ts';

/**
 * What the mesh would answer to one connection or request, hop by hop: what the source's own proxy does, NetworkPolicies,
 * the waypoint, the destination's ztunnel, sidecar or gateway. What is not known is tried in every way it can be: an answer
 * that is the same in all of them is certain, else it is `unknown` and says on what it depends. The first question about a
 * mesh compiles its policies, the next ones only ask. Pure; never throws.
 */
export function decide(mesh: MeshView, probe: Probe): Way {
  if (!mesh.known) return wayOf(probe, single([], plainDecision('unknown', 'no mesh is known')), []);
  const engines = enginesOf(mesh);
  const answer = routesOf(probe, engines);
  return wayOf(probe, Array.isArray(answer) ? joined(answer) : answer, notesOn(probe, engines));
}

type Answer = Decision & Pick<Way, 'routes'>;

// Written out, not spread: a proof asks tens of thousands of times.
function wayOf({ source, destination }: Probe, answer: Answer, notes: readonly string[]): Way {
  const { outcome, because, determining, nearMiss, error, routes } = answer;
  const [from, to] = [sourceName(source), destinationName(destination)];
  return { source: from, destination: to, outcome, because, determining, nearMiss, error, routes, notes };
}

function routesOf({ source, destination, request }: Probe, engines: MeshEngines): Route[] | Answer {
  const found = destinationsOf(destination, engines);
  if (!('cases' in found)) return single([found], found);
  return sourceCases(source, engines).flatMap((from) =>
    found.cases.filter((to) => isPossible(from, to, engines)).map((to) => walk(from, to, request, engines)),
  );
}

/** All who may answer, or the hop at which the way ends because there is nobody. */
function destinationsOf(
  destination: ProbeDestination,
  engines: MeshEngines,
): { readonly cases: readonly DestinationCase[] } | Hop {
  switch (destination.kind) {
    case 'pods': {
      const { pods, port } = destination;
      const endpoints = pods.map((pod) => ({ pod, port }));
      return { cases: destinationCases(endpoints, null, engines) };
    }
    case 'service': {
      const { service, port } = destination;
      const found = endpointsOf(service, port, engines);
      if (found.kind !== 'endpoints') return nobody(nameOf(service), found);
      return { cases: destinationCases(found.endpoints, { service, port }, engines) };
    }
    case 'address':
      return nobody(destination.ip, {
        kind: 'unknown',
        because: `nothing in the mesh has the address ${destination.ip}`,
      });
  }
}

function nobody(name: string, { kind, because }: Exclude<Endpoints, { kind: 'endpoints' }>): Hop {
  return hop('service', name, plainDecision(kind === 'none' ? 'deny' : 'unknown', because));
}

function single(hops: readonly Hop[], { outcome, because, determining, nearMiss, error }: Decision): Answer {
  const route: Route = { assuming: [], hops, outcome, because, determining, nearMiss, error };
  return { outcome, because, determining, nearMiss, error, routes: [route] };
}

/** One decision over all routes; where they differ, what it depends on. */
function joined(routes: readonly Route[]): Answer {
  const [first] = routes;
  if (first === undefined) return single([], plainDecision('unknown', 'there is nobody who could call'));
  if (routes.length === 1) return single(first.hops, first);
  if (routes.every(({ outcome }) => outcome === first.outcome)) {
    const { outcome, because, nearMiss, error } = first;
    return { outcome, because, determining: unite(routes), nearMiss, error, routes };
  }
  const because = routes
    .map(({ assuming, outcome, because: why }) => `${assuming.join(' and ') || 'so far'}: ${outcome} (${why})`)
    .join('; ');
  return { outcome: 'unknown', because, determining: unite(routes), nearMiss: [], error: null, routes };
}

function unite(routes: readonly Route[]): readonly ObjectRef[] {
  return distinctRefs(routes.flatMap(({ determining }) => determining));
}

/** Manifests that count as absent, where they would have had a say. */
function notesOn({ source, destination }: Probe, { inForce, mesh }: MeshEngines): readonly string[] {
  if (inForce.refused.length === 0) return [];
  const near = new Set([mesh.rootNamespace, ...namespacesOf(source), ...namespacesOf(destination)]);
  return inForce.refused
    .filter(({ ref }) => near.has(ref.namespace))
    .map(({ ref, reason }) => `${ref.kind} ${nameOf(ref)} would be refused and counts as absent: ${reason}`);
}

function namespacesOf(end: ProbeSource | ProbeDestination): readonly string[] {
  if ('pods' in end) return end.pods.map(({ namespace }) => namespace);
  return end.kind === 'service' ? [end.service.namespace] : [];
}

function sourceName(source: ProbeSource): string {
  switch (source.kind) {
    case 'pods':
      return source.name;
    case 'identity':
      return principalOf(source.identity);
    case 'plain':
      return source.pod === null ? source.ip : `${nameOf(source.pod)} (${source.ip}) in plaintext`;
  }
}

function destinationName(destination: ProbeDestination): string {
  switch (destination.kind) {
    case 'pods':
      return `${destination.name}:${destination.port}`;
    case 'service':
      return `Service ${nameOf(destination.service)}:${destination.port}`;
    case 'address':
      return `${destination.ip}:${destination.port}`;
  }
}
