import { scenarioManifests } from '../src/mesh/scenario.ts';
import { createMesh } from '../src/mesh/view.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { Hop, Way } from '../src/model/way.ts';
import { decide } from '../src/policy/decide.ts';
import { describeRequest } from '../src/policy/way/describe.ts';
import { findDestination, findSource } from '../src/policy/way/ends.ts';
import type { Probe, ProbeRequest, ProbeSource } from '../src/policy/way/probe.ts';
import { isRecord } from '../src/text/kube-object.ts';
import { listOf, recordOf, textMapOf, textOf, valueAt } from '../src/text/untyped.ts';

type Json = Readonly<Record<string, unknown>>;

/** A change of a scenario's cluster, as `fix.change` and `wrong_fixes[].change` have it. */
export interface Change {
  readonly apply: readonly unknown[];
  readonly delete: readonly unknown[];
  readonly cluster: readonly unknown[];
}

/** Null: it changes nothing, or says so in prose only. */
export function changeOf(value: unknown): Change | null {
  if (!isRecord(value)) return null;
  return { apply: listOf(value['apply']), delete: listOf(value['delete']), cluster: listOf(value['cluster']) };
}

/** The mesh of a scenario after a change. */
export function meshAfter(scenario: Json, change: Change | null): MeshView {
  const cluster = (change?.cluster ?? []).map(recordOf).reduce(editCluster, recordOf(scenario['cluster']));
  const gone = new Set([...(change?.apply ?? []), ...(change?.delete ?? [])].map(nameOfObject));
  const kept = listOf(cluster['policies']).filter((policy) => !gone.has(nameOfObject(policy)));
  const changed = { ...cluster, policies: [...kept, ...(change?.apply ?? [])] };
  const { items } = scenarioManifests({ cluster: changed });
  return createMesh([...listOf(items).map(withRoutes), ...gatewaysOf(changed), ...authorizersOf(changed)]);
}

/** `kind namespace/name`; both notations of a reference. */
function nameOfObject(value: unknown): string {
  const metadata = recordOf(valueAt(value, 'metadata') ?? value);
  return `${valueAt(value, 'kind')} ${metadata['namespace']}/${metadata['name']}`;
}

function editCluster(cluster: Json, edit: Json): Json {
  const { pod, namespace, labels, addRoute, addSecret, ...rest } = edit;
  const merge = (item: Json): Json => ({
    ...item,
    ...rest,
    labels: { ...textMapOf(item['labels']), ...textMapOf(labels) },
  });
  const edited = (list: unknown, isMeant: (item: Json) => boolean): readonly Json[] =>
    listOf(list)
      .map(recordOf)
      .map((item) => (isMeant(item) ? merge(item) : item));
  return {
    ...cluster,
    pods: edited(cluster['pods'], (item) => `${item['namespace']}/${item['name']}` === pod),
    namespaces: edited(cluster['namespaces'], (item) => item['name'] === namespace),
    routes: [...listOf(cluster['routes']), ...(addRoute === undefined ? [] : [addRoute])],
    secrets: [...listOf(cluster['secrets']), ...(addSecret === undefined ? [] : [addSecret])],
  };
}

/** A scenario writes a route as hosts of a gateway: a VirtualService that takes every path. */
function withRoutes(item: unknown): unknown {
  const object = recordOf(item);
  return object['kind'] === 'VirtualService' ? { ...object, spec: { http: [{}], ...recordOf(object['spec']) } } : item;
}

/** And it leaves out the Gateway to which the hosts belong. */
function gatewaysOf(cluster: Json): readonly unknown[] {
  const names = new Set(listOf(cluster['routes']).map((route) => textOf(valueAt(route, 'gateway')) ?? ''));
  return [...names].map((full) => {
    const [namespace, name] = full.split('/');
    return {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: { namespace, name },
      spec: {
        selector: { istio: 'ingressgateway' },
        servers: [{ port: { number: 80, protocol: 'HTTP', name: 'http' }, hosts: ['*'] }],
      },
    };
  });
}

/** And the Services of external authorizers. */
function authorizersOf(cluster: Json): readonly unknown[] {
  return listOf(valueAt(cluster, 'meshConfig', 'extensionProviders')).map((provider) => {
    const { service, port } = recordOf(valueAt(provider, 'envoyExtAuthzHttp'));
    const [name, namespace] = (textOf(service) ?? '').split('.');
    return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec: { ports: [{ port }] } };
  });
}

/** The probe of an attempt. Throws where it names something that is not there. */
export function probeOf(attempt: Json, mesh: MeshView): Probe {
  const to = recordOf(attempt['to']);
  const service = (textOf(to['service']) ?? '').split('/').reverse().join('.');
  const name = textOf(to['pod']) ?? service;
  const destination = findDestination(`${name}:${to['port'] ?? to['workloadPort']}`, mesh);
  if (!destination.ok) throw new Error(destination.message);
  return { source: sourceOf(attempt, mesh), destination: destination.value, request: requestOf(attempt, service) };
}

function sourceOf(attempt: Json, mesh: MeshView): ProbeSource {
  const from = recordOf(attempt['from']);
  const pod = textOf(from['pod']);
  if (pod === null) {
    return { kind: 'plain', ip: textOf(from['ip']) ?? '', tls: attempt['scheme'] === 'https', pod: null };
  }
  const source = findSource(pod, mesh);
  if (!source.ok) throw new Error(source.message);
  return source.value;
}

function requestOf(attempt: Json, service: string): ProbeRequest {
  const { extAuthz } = attempt;
  const token = [attempt['jwt'], attempt['sessionJwt']].find(isRecord);
  const { claims, ...registered }: Json = token ?? {};
  const request = describeRequest({
    method: textOf(attempt['method']),
    path: textOf(attempt['path']),
    host: attempt['proto'] === 'http' ? (textOf(valueAt(attempt, 'to', 'host')) ?? service) : null,
    headers: Object.entries(textMapOf(attempt['headers'])),
    claims: token === undefined ? null : { ...registered, ...recordOf(claims) },
    authorizer: typeof extAuthz !== 'string' ? null : authorizerOf(extAuthz),
  });
  // What oauth2-proxy puts in stands in no header of the client's.
  return isRecord(attempt['sessionJwt']) ? { ...request, headers: [] } : request;
}

function authorizerOf(words: string): ProbeRequest['authorizer'] {
  return words === 'allow' ? { kind: 'allow' } : { kind: 'deny', status: Number(words.replace('deny-', '')), body: '' };
}

/** An answer in the words of the scenarios. */
export function verdictOf(way: Way): string {
  if (way.outcome === 'allow') return 'ALLOW';
  const decisive = way.routes[0]?.hops.find(({ outcome }) => outcome === 'deny');
  return way.outcome === 'unknown' || decisive === undefined ? `UNKNOWN (${way.because})` : verdictAt(decisive);
}

const AT_ENVOY: Readonly<Record<string, string>> = {
  authorization: 'DENY_AUTHZ',
  authentication: 'UNAUTHENTICATED',
  'external-authorization': 'REDIRECT_LOGIN',
  route: 'NOT_FOUND',
};

function verdictAt({ by, stage, determining }: Hop): string {
  if (by === 'network-policy') return 'BLOCK_NETPOL';
  if (by === 'service') return 'UNAVAILABLE';
  if (by === 'ztunnel')
    return determining.some(({ kind }) => kind === 'PeerAuthentication') ? 'DENY_MTLS' : 'DENY_AUTHZ';
  if (by === 'workload') return 'TLS_MISMATCH';
  return AT_ENVOY[stage ?? ''] ?? (by === 'gateway' ? 'TLS_MISMATCH' : 'DENY_MTLS');
}

/** The answer to one attempt. */
export function answer(attempt: Json, mesh: MeshView): Way {
  return decide(mesh, probeOf(attempt, mesh));
}
