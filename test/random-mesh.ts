import fc from 'fast-check';
import { createMesh } from '../src/mesh/view.ts';
import type { MeshView, Pod } from '../src/model/mesh.ts';
import { decide } from '../src/policy/decide.ts';
import { decodeAuthorizationPolicy, decodePeerAuthentication } from '../src/policy/decode.ts';
import { UNKNOWN_REQUEST } from '../src/policy/way/probe.ts';
import { identityOf, principalOf } from '../src/text/spiffe.ts';
import { naiveDecide } from './naive-ztunnel.ts';

/** How often random meshes are tried: more in the nightly script. */
export const RUNS: number = Number(process.env['MESHMEND_RUNS'] ?? 1000);

const PORTS = [8080, 9090];
/** Pods as `namespace/name`; those of `legacy` are outside the mesh. Each but the last runs as an account of its own. */
const CALLERS = ['shop/web', 'shop/cart', 'shop/batch', 'ops/monitor', 'legacy/cron', 'pay/api', 'shop/default'];
const DESTINATIONS = ['pay/api', 'pay/ledger'];

/** One call of the small space over which changes are judged. */
export interface Call {
  readonly caller: string;
  readonly destination: string;
  readonly port: number;
}

/** Every call there is. */
export const SPACE: readonly Call[] = CALLERS.flatMap((caller) =>
  DESTINATIONS.filter((destination) => destination !== caller).flatMap((destination) =>
    PORTS.map((port) => ({ caller, destination, port })),
  ),
);

/** An ambient mesh of eight pods in four namespaces, one of them outside the mesh, with some policies. */
export function meshOf(policies: readonly unknown[]): MeshView {
  const namespace = (name: string): unknown => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: name === 'legacy' ? {} : { 'istio.io/dataplane-mode': 'ambient' } },
  });
  const pod = (place: string, index: number): unknown => {
    const [ns, name = ''] = place.split('/');
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: ns, labels: { app: name } },
      spec: {
        serviceAccountName: name,
        containers: [{ name: 'app', ports: PORTS.map((containerPort) => ({ containerPort })) }],
      },
      status: { podIP: `10.0.0.${index + 10}`, phase: 'Running' },
    };
  };
  const places = [...new Set([...CALLERS, ...DESTINATIONS])];
  return createMesh([...['shop', 'ops', 'legacy', 'pay'].map(namespace), ...places.map(pod), ...policies]);
}

const principal = (place: string): string => `cluster.local/ns/${place.replace('/', '/sa/')}`;
const principals = fc.subarray(CALLERS, { minLength: 1 }).map((places) => places.map(principal));

const source = fc.oneof(
  principals.map((list) => ({ principals: list })),
  principals.map((list) => ({ notPrincipals: list })),
  // What users write by mistake: the scheme, and what ztunnel does not know.
  principals.map((list) => ({ principals: list.map((each) => `spiffe://${each}`) })),
  fc.constantFrom(
    { namespaces: ['shop'] },
    { namespaces: ['ops', 'pay'] },
    { notNamespaces: ['pay'] },
    { notNamespaces: ['shop', 'ops'] },
    { ipBlocks: ['10.0.0.10/31'] },
    { notIpBlocks: ['10.0.0.12/30'] },
    { requestPrincipals: ['*'] },
  ),
);
const operation = fc.oneof(
  fc.subarray(PORTS, { minLength: 1 }).map((ports) => ({ ports: ports.map(String) })),
  fc.constantFrom({ methods: ['GET'] }, { ports: ['8080'], paths: ['/a'] }, { notPorts: ['9090'] }),
);
const rule = fc
  .record({
    from: fc.option(fc.array(source, { minLength: 1, maxLength: 2 }), { nil: null }),
    to: fc.option(operation, { nil: null }),
  })
  .map(({ from, to }) => ({
    ...(from === null ? {} : { from: from.map((each) => ({ source: each })) }),
    ...(to === null ? {} : { to: [{ operation: to }] }),
  }));
const selector = fc.constantFrom(
  {},
  { selector: { matchLabels: { app: 'api' } } },
  { selector: { matchLabels: { app: 'ledger' } } },
);

const authorization = fc.record({
  action: fc.constantFrom('ALLOW', 'ALLOW', 'DENY'),
  rules: fc.array(rule, { maxLength: 3 }),
  selected: selector,
  namespace: fc.constantFrom('pay', 'pay', 'pay', 'istio-system'),
});
const strict = fc.record({
  selected: selector,
  mode: fc.constantFrom('STRICT', 'STRICT', 'PERMISSIVE', 'UNSET'),
  port: fc.option(fc.constantFrom(...PORTS), { nil: null }),
});

/** Policies of the mesh, as objects. */
export const arbitraryPolicies: fc.Arbitrary<readonly unknown[]> = fc
  .tuple(fc.array(authorization, { minLength: 1, maxLength: 4 }), fc.array(strict, { maxLength: 2 }))
  .map(([authorizations, peers]) => [
    ...authorizations.map(({ action, rules, selected, namespace }, index) => ({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: `p${index}`, namespace, creationTimestamp: `2026-01-0${index + 1}T00:00:00Z` },
      spec: { action, rules, ...selected },
    })),
    ...peers.map(({ selected, mode, port }, index) => ({
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { name: `m${index}`, namespace: 'pay', creationTimestamp: `2026-02-0${index + 1}T00:00:00Z` },
      spec: {
        ...selected,
        mtls: { mode },
        ...(port === null || !('selector' in selected) ? {} : { portLevelMtls: { [port]: { mode: 'PERMISSIVE' } } }),
      },
    })),
  ]);

/** One call of the space. */
export const arbitraryCall: fc.Arbitrary<Call> = fc.constantFrom(...SPACE);

function podOf(mesh: MeshView, place: string): Pod {
  const [namespace = '', name = ''] = place.split('/');
  const pod = mesh.podByName(namespace, name);
  if (pod === null) throw new Error(`no pod ${place}`);
  return pod;
}

type Policies = Parameters<typeof naiveDecide>[0];
const decodedOf = new WeakMap<MeshView, Policies>();

function policiesOf(mesh: MeshView): Policies {
  const known = decodedOf.get(mesh);
  if (known !== undefined) return known;
  const policies = [
    ...mesh.objectsOf('AuthorizationPolicy').map((object) => decodeAuthorizationPolicy(object)),
    ...mesh.objectsOf('PeerAuthentication').map((object) => decodePeerAuthentication(object)),
  ].flatMap((decoded) => (decoded.ok ? [decoded.value] : []));
  decodedOf.set(mesh, policies);
  return policies;
}

/** What the second, naive reading of ztunnel says: nothing of `src/policy` but the decoders has a part in it. */
export function verdict(mesh: MeshView, { caller, destination, port }: Call): 'allow' | 'deny' {
  const [from, to] = [podOf(mesh, caller), podOf(mesh, destination)];
  const identity =
    from.dataplane === 'ambient' ? identityOf('cluster.local', from.namespace, from.serviceAccount) : null;
  const connection = {
    sourceIp: from.ips[0] ?? '',
    identity,
    destinationIp: to.ips[0] ?? '',
    destinationPort: port,
  };
  return naiveDecide(policiesOf(mesh), { namespace: to.namespace, labels: to.labels }, connection, 'istio-system')
    .outcome;
}

/** Who calls, as reports call it. */
export function callerText(mesh: MeshView, { caller }: Call): string {
  const pod = podOf(mesh, caller);
  if (pod.dataplane !== 'ambient') return `plain text from ${caller}`;
  return principalOf(identityOf('cluster.local', pod.namespace, pod.serviceAccount));
}

/** What the destination's ztunnel logs of a call. */
export function logLine(mesh: MeshView, call: Call): string {
  const { caller, destination, port } = call;
  const [from, to] = [podOf(mesh, caller), podOf(mesh, destination)];
  const identity = from.dataplane === 'ambient' ? ` src.identity="spiffe://${callerText(mesh, call)}"` : '';
  const way = decide(mesh, {
    source: { kind: 'pods', name: caller, pods: [from] },
    destination: { kind: 'pods', name: destination, pods: [to], port },
    request: UNKNOWN_REQUEST,
  });
  const error = way.routes[0]?.hops.find(({ outcome }) => outcome === 'deny')?.error ?? null;
  const ends = `src.addr=${from.ips[0]}:40000 src.workload="${from.name}" src.namespace="${from.namespace}"${identity}`;
  const dialled =
    identity === ''
      ? `dst.addr=${to.ips[0]}:${port}`
      : `dst.addr=${to.ips[0]}:15008 dst.hbone_addr=${to.ips[0]}:${port}`;
  const rest = `dst.workload="${to.name}" dst.namespace="${to.namespace}" dst.identity="spiffe://${principal(destination)}" direction="inbound" bytes_sent=0 bytes_recv=0 duration="0ms"`;
  const [level, tail] = error === null ? ['info', ''] : ['error', ` error="${error}"`];
  return `2026-01-02T03:04:05.000000Z\t${level}\taccess\tconnection complete\t${ends} ${dialled} ${rest}${tail}`;
}
