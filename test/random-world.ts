import fc from 'fast-check';
import type { KubeObject, MeshView, Pod } from '../src/model/mesh.ts';
import type { PeerAuthentication } from '../src/model/policy.ts';
import { decodeAuthorizationPolicy, decodePeerAuthentication } from '../src/policy/decode.ts';
import { remembered } from '../src/text/remembered.ts';
import { identityOf, principalOf } from '../src/text/spiffe.ts';
import type { NaivePolicy } from './naive-envoy.ts';
import { naiveDecide as naiveAtZtunnel } from './naive-ztunnel.ts';

/** One call of a small space over which changes are judged. Places are `namespace/name` of pods. */
export interface Call {
  readonly caller: string;
  readonly destination: string;
  readonly port: number;
  /** By the address of the Service, where that is another way than by the pod's own. */
  readonly viaService: boolean;
  /** Null: other bytes than HTTP. */
  readonly request: CallRequest | null;
}

/** A request as far as policies here look at it. */
export interface CallRequest {
  readonly method: string;
  readonly path: string;
  /** Value of the header `x-tier`, which no log prints. Null: there is none. */
  readonly tier: string | null;
}

/** A kind of random mesh: how it is made, who calls whom in it, what the naive readings answer and what the proxies log. */
export interface World {
  readonly space: readonly Call[];
  readonly policies: fc.Arbitrary<readonly unknown[]>;
  meshOf(policies: readonly unknown[]): MeshView;
  verdict(mesh: MeshView, call: Call): 'allow' | 'deny';
  /** What is logged of a call; null: nothing. */
  logLine(mesh: MeshView, call: Call): string | null;
  /** Whether what was logged of a refused call gets through: where a proxy on the way stands in for the caller, its part of the way. */
  seen(mesh: MeshView, call: Call, was: MeshView): 'allow' | 'deny';
  /** What reports may call the destination of a call. */
  destinationsOf(call: Call): readonly string[];
}

/** The container ports of every pod: HTTP, and other bytes. */
export const PORTS: readonly number[] = [8080, 9090];
export const TRUST_DOMAIN = 'cluster.local';
/** The root namespace. */
export const ROOT = 'istio-system';

/** What is asked at the HTTP port. The tier tells two requests apart that a log does not. */
export const REQUESTS: readonly CallRequest[] = [
  { method: 'GET', path: '/a', tier: null },
  { method: 'GET', path: '/a', tier: 'gold' },
  { method: 'POST', path: '/a', tier: null },
  { method: 'GET', path: '/b/1', tier: null },
  { method: 'DELETE', path: '/b/2?x=1', tier: null },
];

/** Every call from and to some places: each request at the HTTP port, and a connection at the other. */
export function spaceOf(
  callers: readonly string[],
  destinations: readonly string[],
  ways: readonly boolean[],
): readonly Call[] {
  const asked: readonly Pick<Call, 'port' | 'request'>[] = [
    ...REQUESTS.map((request) => ({ port: 8080, request })),
    { port: 9090, request: null },
  ];
  return callers.flatMap((caller) =>
    destinations
      .filter((destination) => destination !== caller)
      .flatMap((destination) =>
        ways.flatMap((viaService) => asked.map((each) => ({ caller, destination, viaService, ...each }))),
      ),
  );
}

/** `namespace/name` in two. */
export function split(place: string): readonly [namespace: string, name: string] {
  const [namespace = '', name = ''] = place.split('/');
  return [namespace, name];
}

/** Namespaces as objects; labels by name. */
export function namespaceObjects(labels: Readonly<Record<string, Readonly<Record<string, string>>>>): unknown[] {
  return Object.entries(labels).map(([name, own]) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: own },
  }));
}

/** A pod that runs as an account of its own name. `extra` goes into its metadata. */
export function podObject(
  place: string,
  index: number,
  extra: { readonly labels?: object; readonly annotations?: object } = {},
  container = 'app',
): unknown {
  const [namespace, name] = split(place);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, ...extra, labels: { app: name, ...extra.labels } },
    spec: {
      serviceAccountName: name,
      containers: [{ name: container, ports: PORTS.map((containerPort) => ({ containerPort })) }],
    },
    status: { podIP: `10.0.0.${index + 10}`, phase: 'Running' },
  };
}

/** The Service of a pod, with the pod's own ports. */
export function serviceObject(place: string, index: number): unknown {
  const [namespace, name] = split(place);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: {
      clusterIP: serviceIp(index),
      selector: { app: name },
      ports: PORTS.map((port) => ({ name: port === 8080 ? 'http' : 'tcp', port, targetPort: port })),
    },
  };
}

/** The address of the Service of the pod with this number. */
export function serviceIp(index: number): string {
  return `10.96.0.${index + 10}`;
}

/** The pod of that name; it must be there. */
export function podOf(mesh: MeshView, place: string): Pod {
  const [namespace, name] = split(place);
  const pod = mesh.podByName(namespace, name);
  if (pod === null) throw new Error(`no pod ${place}`);
  return pod;
}

/** The principal of a pod of that name. */
export function principal(place: string): string {
  return `${TRUST_DOMAIN}/ns/${place.replace('/', '/sa/')}`;
}

/** The identity of a pod in the mesh; null: it is not in the mesh. */
export function identityOfPod(pod: Pod): string | null {
  return pod.dataplane === 'none' ? null : identityOf(TRUST_DOMAIN, pod.namespace, pod.serviceAccount);
}

/** Who calls, as reports call it. */
export function callerText(mesh: MeshView, { caller }: Call): string {
  const pod = podOf(mesh, caller);
  const identity = identityOfPod(pod);
  return identity === null
    ? `plain text from ${caller}`
    : principalOf(identityOf(TRUST_DOMAIN, pod.namespace, pod.serviceAccount));
}

/** True if one of the texts names the caller and the destination of the call, and, if `exactly`, its request. */
export function isListed(
  texts: readonly string[],
  call: Call,
  exactly: boolean,
  mesh: MeshView,
  world: World,
): boolean {
  const { port, request } = call;
  const tuples = world.destinationsOf(call).map((destination) => `${callerText(mesh, call)} to ${destination}:${port}`);
  const rests = texts.flatMap((text) =>
    tuples.filter((tuple) => text.startsWith(tuple)).map((tuple) => text.slice(tuple.length)),
  );
  if (!exactly || request === null || rests.some((rest) => rest.startsWith(', '))) return rests.length > 0;
  const policies = JSON.stringify(mesh.objectsOf('AuthorizationPolicy').map(({ raw }) => raw));
  // A method, or path, that no policy names stands for every other.
  const pathIn = (text: string): string => text.replace(/\?.*/, '');
  const asked = rests.map((rest) => /^ (\S+) ([^\s,]+), (.*)$/.exec(rest) ?? []);
  const hasMethod = ([, method = '']: readonly string[]): boolean =>
    method === request.method || (method !== '' && !policies.includes(`"${method}"`));
  const hasPath = ([, , path = '']: readonly string[]): boolean =>
    pathIn(path) === pathIn(request.path) || path === '/some/other/path' || sameTemplate(path, request.path);
  // Where no policy tells requests apart, one of each kind stands for all.
  return /"(?:not)?(?:methods|paths)"/i.test(policies)
    ? asked.some((each) => hasMethod(each) && hasPath(each))
    : asked.some(hasMethod) && asked.some(hasPath);
}

function sameTemplate(path: string, other: string): boolean {
  return path === '/b/x' && other.startsWith('/b/');
}

/** A spec as the generators and the product write it. */
interface Spec {
  readonly action?: 'ALLOW' | 'DENY';
  readonly rules?: NaivePolicy['rules'];
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly targetRefs?: readonly { readonly group?: string; readonly kind: string; readonly name: string }[];
}

function specOf({ raw }: KubeObject): Spec {
  return raw['spec'] ?? {};
}

function naivePolicies(mesh: MeshView, isInForce: (spec: Spec, namespace: string) => boolean): readonly NaivePolicy[] {
  return mesh
    .objectsOf('AuthorizationPolicy')
    .filter((object) => isInForce(specOf(object), object.metadata.namespace))
    .map((object) => {
      const { action = 'ALLOW', rules = [] } = specOf(object);
      return { namespace: object.metadata.namespace, name: object.metadata.name, action, rules };
    });
}

/** What a sidecar enforces: policies of its namespace and of the root namespace that select its pod, and none with target references. */
export function policiesAtSidecar(mesh: MeshView, { namespace: own, labels }: Pod): readonly NaivePolicy[] {
  return naivePolicies(mesh, (spec, namespace) => {
    const wanted = Object.entries(spec.selector?.matchLabels ?? {});
    return (
      spec.targetRefs === undefined &&
      [own, ROOT].includes(namespace) &&
      wanted.every(([key, value]) => labels[key] === value)
    );
  });
}

/** What a waypoint enforces for a Service of its namespace: policies that refer to the Service, or to the waypoint. */
export function policiesAtWaypoint(mesh: MeshView, service: string, waypoint: string): readonly NaivePolicy[] {
  const [[own, name], [, gateway]] = [split(service), split(waypoint)];
  return naivePolicies(mesh, (spec, namespace) =>
    (spec.targetRefs ?? []).some((target) => {
      if (target.kind === 'Service') return namespace === own && target.name === name;
      if (target.kind === 'GatewayClass') return namespace === ROOT;
      return namespace === own && target.name === gateway;
    }),
  );
}

/** The PeerAuthentications of a mesh, read. */
export const peersOf: (mesh: MeshView) => readonly PeerAuthentication[] = remembered((mesh) =>
  mesh
    .objectsOf('PeerAuthentication')
    .map(decodePeerAuthentication)
    .flatMap((decoded) => (decoded.ok ? [decoded.value] : [])),
);

/** A text in the place of each time: younger by the number of days. */
function day(index: number): string {
  return `2026-01-${String(index + 1).padStart(2, '0')}T00:00:00Z`;
}

const list = <T>(values: readonly T[]): fc.Arbitrary<T[]> =>
  fc.subarray([...values], { minLength: 1, maxLength: Math.min(3, values.length) });
const selector = fc.constantFrom(
  {},
  { selector: { matchLabels: { app: 'api' } } },
  { selector: { matchLabels: { app: 'ledger' } } },
);

/** Rules of which each part is one that callers and requests here may meet or just miss. `who`: places that rules name. */
function ruleOf(who: readonly string[]): fc.Arbitrary<object> {
  const principals = list(who).map((places) => places.map(principal));
  const source = fc.oneof(
    principals.map((values) => ({ principals: values })),
    principals.map((values) => ({ notPrincipals: values })),
    // What users write by mistake.
    principals.map((values) => ({ principals: values.map((each) => `spiffe://${each}`) })),
    fc.constantFrom<object>(
      { namespaces: ['shop'] },
      { namespaces: ['ops', 'pay'] },
      { notNamespaces: ['pay', 'shop'] },
      { ipBlocks: ['10.0.0.10/31'] },
      { notIpBlocks: ['10.0.0.12/30'] },
      { principals: [`${TRUST_DOMAIN}/ns/shop/*`] },
      { principals: ['*'] },
    ),
  );
  const operation = fc.oneof(
    list(PORTS).map((ports) => ({ ports: ports.map(String) })),
    list(['GET', 'POST', 'DELETE']).map((methods) => ({ methods })),
    list(['/a', '/b/*', '/b/{*}', '/admin']).map((paths) => ({ paths })),
    fc.constantFrom<object>(
      { methods: ['GET'], paths: ['/a'] },
      { ports: ['8080'], paths: ['/a'] },
      { notMethods: ['GET'] },
      { notPaths: ['/a'] },
      { notPorts: ['9090'] },
    ),
  );
  const condition = fc.oneof(
    principals.map((values) => ({ key: 'source.principal', values })),
    principals.map((notValues) => ({ key: 'source.principal', notValues })),
    fc.constantFrom<object>(
      { key: 'source.namespace', values: ['shop', 'ops'] },
      { key: 'source.namespace', notValues: ['shop'] },
      { key: 'request.headers[x-tier]', values: ['gold'] },
      { key: 'request.headers[x-tier]', notValues: ['gold'] },
    ),
  );
  const some = <T>(weight: number, item: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
    fc.oneof(
      { weight: 3, arbitrary: fc.constant<T[]>([]) },
      { weight, arbitrary: fc.array(item, { minLength: 1, maxLength: 2 }) },
    );
  return fc
    .record({ from: some(6, source), to: some(4, operation), when: some(1, condition) })
    .map(({ from, to, when }) => ({
      ...(from.length === 0 ? {} : { from: from.map((each) => ({ source: each })) }),
      ...(to.length === 0 ? {} : { to: to.map((each) => ({ operation: each })) }),
      ...(when.length === 0 ? {} : { when }),
    }));
}

/** Where AuthorizationPolicies are bound: in `pay` or the root namespace, by labels or not. */
export const bySelector: fc.Arbitrary<Binding> = fc.record({
  namespace: fc.constantFrom('pay', 'pay', 'pay', ROOT),
  spec: selector,
});

/** The namespace of a policy, and the part of its spec that says what it is for. */
export interface Binding {
  readonly namespace: string;
  readonly spec: object;
}

/** AuthorizationPolicies, ALLOW mostly. `prefix` begins their names. */
export function authorizations(
  prefix: string,
  who: readonly string[],
  bound: fc.Arbitrary<Binding>,
  size: { readonly minLength?: number; readonly maxLength: number },
): fc.Arbitrary<unknown[]> {
  const policy = fc.record({
    action: fc.constantFrom('ALLOW', 'ALLOW', 'DENY'),
    rules: fc.array(ruleOf(who), { maxLength: 3 }),
    bound,
  });
  return fc.array(policy, size).map((policies) =>
    policies.map(({ action, rules, bound: { namespace, spec } }, index) => ({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: `${prefix}${index}`, namespace, creationTimestamp: day(index) },
      spec: { ...spec, action, rules },
    })),
  );
}

/** PeerAuthentications of `pay` and of the mesh. */
export const peerAuthentications: fc.Arbitrary<unknown[]> = fc
  .array(
    fc.record({
      selected: selector,
      namespace: fc.constantFrom('pay', 'pay', ROOT),
      mode: fc.constantFrom('STRICT', 'STRICT', 'PERMISSIVE', 'UNSET'),
      port: fc.option(fc.tuple(fc.constantFrom(...PORTS), fc.constantFrom('PERMISSIVE', 'STRICT')), { nil: null }),
    }),
    { maxLength: 2 },
  )
  .map((peers) =>
    peers.map(({ selected, namespace, mode, port }, index) => ({
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { name: `m${index}`, namespace, creationTimestamp: day(index) },
      spec: {
        ...selected,
        mtls: { mode },
        ...(port === null || !('selector' in selected) ? {} : { portLevelMtls: { [port[0]]: { mode: port[1] } } }),
      },
    })),
  );

const ztunnelPolicies = remembered((mesh: MeshView) => [
  ...mesh
    .objectsOf('AuthorizationPolicy')
    .map((object) => decodeAuthorizationPolicy(object))
    .flatMap((decoded) => (decoded.ok ? [decoded.value] : [])),
  ...peersOf(mesh),
]);

/** Who calls a pod, as its ztunnel sees it. */
export interface Peer {
  readonly pod: Pod;
  /** Null: plain text. */
  readonly identity: string | null;
}

/** Why the ztunnel of a pod refuses a connection, as it words it; null: it does not. */
export function ztunnelRefusal(mesh: MeshView, from: Peer, to: Pod, port: number): string | null {
  if (to.dataplane !== 'ambient') return null;
  const { outcome, deniedBy } = naiveAtZtunnel(
    ztunnelPolicies(mesh),
    { namespace: to.namespace, labels: to.labels },
    {
      sourceIp: from.pod.ips[0] ?? '',
      identity: from.identity,
      destinationIp: to.ips[0] ?? '',
      destinationPort: port,
    },
    ROOT,
  );
  if (outcome === 'allow') return null;
  const [denied] = deniedBy;
  const why = denied === undefined ? 'allow policies exist, but none allowed' : `explicitly denied by: ${denied}`;
  return `connection closed due to policy rejection: ${why}`;
}

/** What a ztunnel logs of a connection; the one of the caller says `outbound`. */
export function ztunnelLine(
  from: Peer,
  to: Pod,
  port: number,
  direction: 'inbound' | 'outbound',
  error: string | null,
): string {
  const own = `src.addr=${from.pod.ips[0]}:40000 src.workload="${from.pod.name}" src.namespace="${from.pod.namespace}"`;
  const src = from.identity === null ? own : `${own} src.identity="${from.identity}"`;
  const dialled =
    from.identity !== null && to.dataplane === 'ambient'
      ? `dst.addr=${to.ips[0]}:15008 dst.hbone_addr=${to.ips[0]}:${port}`
      : `dst.addr=${to.ips[0]}:${port}`;
  const dst = `dst.workload="${to.name}" dst.namespace="${to.namespace}" dst.identity="spiffe://${principal(`${to.namespace}/${to.serviceAccount}`)}"`;
  const end = `direction="${direction}" bytes_sent=0 bytes_recv=0 duration="${direction === 'outbound' ? 10005 : 0}ms"`;
  const [level, tail] = error === null ? ['info', ''] : ['error', ` error="${error}"`];
  return `2026-01-02T03:04:05.000000Z\t${level}\taccess\tconnection complete\t${src} ${dialled} ${dst} ${end}${tail}`;
}
