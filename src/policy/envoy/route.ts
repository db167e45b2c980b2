import type { KubeObject } from '../../model/mesh.ts';
import { isRecord } from '../../text/kube-object.ts';
import { recordOf, textsOf } from '../../text/untyped.ts';
import { ask, type Facts } from './facts.ts';
import { type GatewayServer, hostFits, mostSpecific } from './gateway.ts';
import { every, some, type Tri, UNKNOWN } from './known.ts';
import { isIstio, listOf, textOf } from './services.ts';

/** A VirtualService of some gateways: its hosts and the conditions of its http routes. */
export interface GatewayRoutes {
  /** `namespace/name` of its gateways. */
  readonly gateways: readonly string[];
  /** In lower case. */
  readonly hosts: readonly string[];
  /** One entry a route: alternatives of which one must hold; none: it takes everything. */
  readonly routes: readonly (readonly Readonly<Record<string, unknown>>[])[];
}

/** Reads the VirtualServices that name a gateway. Untrusted. */
export function readRoutes(objects: readonly KubeObject[]): readonly GatewayRoutes[] {
  return objects.flatMap((object) => {
    if (object.kind !== 'VirtualService' || !isIstio(object, 'networking')) return [];
    const spec = recordOf(object.raw['spec']);
    const { namespace } = object.metadata;
    return [
      {
        gateways: textsOf(spec['gateways']).map((name) => (name.includes('/') ? name : `${namespace}/${name}`)),
        hosts: textsOf(spec['hosts']).map((host) => host.toLowerCase()),
        routes: listOf(spec['http']).map((route) => listOf(route['match'])),
      },
    ];
  });
}

/**
 * Whether the gateway has a route for a request; false: 404 `route_not_found` (istio 86c9f01f
 * pilot/pkg/networking/core/gateway.go). Ports in the Host header are ignored.
 */
export function hasRoute(all: readonly GatewayRoutes[], servers: readonly GatewayServer[], facts: Facts): Tri {
  return ask(facts.host, (written) => {
    const host = written.toLowerCase().replace(/:\d+$/, '');
    const candidates = servers.flatMap(({ gateway, hosts }) =>
      all.flatMap((entry) =>
        entry.gateways.includes(gateway)
          ? [{ hosts: entry.hosts.flatMap((own) => hosts.flatMap((served) => narrower(own, served))), entry }]
          : [],
      ),
    );
    const best = mostSpecific(candidates, ({ hosts }) => hosts, host);
    if (best === null) return false;
    return some(best.entry.routes, (matches) =>
      matches.length === 0 ? true : some(matches, (match) => matchHolds(match, facts)),
    );
  });
}

/** The part that two host patterns have in common. */
function narrower(one: string, other: string): readonly string[] {
  if (hostFits(other, one)) return [one];
  return hostFits(one, other) ? [other] : [];
}

/** Keys of a match that another test than a comparison decides, or that decide nothing here. */
const PLAIN_KEYS = new Set(['name', 'gateways', 'ignoreUriCase', 'uri', 'method', 'authority', 'headers']);

function matchHolds(match: Readonly<Record<string, unknown>>, facts: Facts): Tri {
  const fold = match['ignoreUriCase'] === true;
  const headers = Object.entries(recordOf(match['headers']));
  const tests: readonly Tri[] = [
    compares(match['uri'], facts.path, fold),
    compares(match['method'], facts.method, false),
    compares(match['authority'], facts.host, false),
    every(headers, ([name, wanted]) => {
      const value = facts.headers.joined(name.toLowerCase());
      if (value === null) return false;
      return isRecord(wanted) && Object.keys(wanted).length === 0 ? true : compares(wanted, value, false);
    }),
    Object.keys(match).every((key) => PLAIN_KEYS.has(key)) ? true : null,
  ];
  return every(tests, (truth) => truth);
}

/** A StringMatch: exact or prefix. Absent is true; a regular expression is left undecided. */
function compares(wanted: unknown, value: string | typeof UNKNOWN, fold: boolean): Tri {
  if (!isRecord(wanted)) return true;
  if (value === UNKNOWN) return null;
  const normal = (text: string): string => (fold ? text.toLowerCase() : text);
  if ('exact' in wanted) return normal(value) === normal(textOf(wanted['exact']));
  if ('prefix' in wanted) return normal(value).startsWith(normal(textOf(wanted['prefix'])));
  return null;
}
