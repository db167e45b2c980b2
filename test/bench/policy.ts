import { createMesh } from '../../src/mesh/view.ts';
import type { MeshView } from '../../src/model/mesh.ts';
import type { SpiffeId } from '../../src/model/record.ts';
import { compileZtunnel } from '../../src/policy/ambient/decide.ts';
import { decide } from '../../src/policy/decide.ts';
import { decodeAuthorizationPolicy } from '../../src/policy/decode.ts';
import { compileEnvoy } from '../../src/policy/envoy/decide.ts';
import { type EnvoyRequest, unknownRequest } from '../../src/policy/envoy/request.ts';
import { DEFAULT_SETTINGS } from '../../src/policy/envoy/settings.ts';
import { describeRequest } from '../../src/policy/way/describe.ts';
import { findDestination, findSource } from '../../src/policy/way/ends.ts';
import type { Probe } from '../../src/policy/way/probe.ts';
import { decodeKubeObject } from '../../src/text/kube-object.ts';
import { identityOf } from '../../src/text/spiffe.ts';

const POLICIES = 20;
/** Each rate is the best of this many rounds: on a shared machine the fastest is nearest to the truth. */
const ROUNDS = 5;
const DECISIONS = 100_000;

/** Decisions a second of one engine for a workload with 20 policies, and 10,000 flows through a whole mesh. */
export function benchPolicy(): void {
  console.log(`\npolicy, one workload with ${POLICIES} policies, decisions a second and core`);
  for (const [name, rate] of [...ambientRates(), ...envoyRates()]) {
    console.log(`  ${name.padEnd(24)} ${Math.round(rate).toLocaleString('en').padStart(12)}`);
  }
  console.log('\npolicy, distinct flows through a mesh of 1,000 policies and 5,000 pods');
  for (const dataplane of ['ambient', 'sidecar'] as const) {
    for (const flows of [5_000, 10_000]) {
      const mesh = bigMesh(dataplane);
      const probes = Array.from({ length: flows }, (_, index) => probeNumber(index, mesh));
      const start = process.cpuUsage();
      const denied = probes.filter((probe) => decide(mesh, probe).outcome === 'deny').length;
      const seconds = cpuSeconds(start).toFixed(2);
      console.log(`  ${dataplane.padEnd(8)} ${String(flows).padStart(6)} flows  ${seconds} s  (${denied} denied)`);
    }
  }
}

function rateOf(decideOnce: (index: number) => unknown): number {
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.cpuUsage();
    for (let index = 0; index < DECISIONS; index++) decideOnce(index);
    best = Math.max(best, DECISIONS / cpuSeconds(start));
  }
  return best;
}

/** Seconds of processor time since then: another process beside this one does not count. */
function cpuSeconds(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

/** Half deny, half allow; rules about callers, namespaces, addresses, ports, methods and paths. */
function policyNumber(index: number, namespace: string, app: string): object {
  const http = index % 4 === 1 ? { methods: ['DELETE'], paths: [`/admin/${index}/*`] } : { ports: ['8080', '9090'] };
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: `p-${index}`, namespace },
    spec: {
      selector: { matchLabels: { app } },
      action: index % 2 === 0 ? 'ALLOW' : 'DENY',
      rules: [
        {
          from: [{ source: { principals: [`cluster.local/ns/ns-${index}/sa/caller-*`, `*/sa/job-${index}`] } }],
          to: [{ operation: http }],
        },
        { from: [{ source: { namespaces: [`team-${index}`], ipBlocks: [`10.${index % 200}.0.0/16`] } }] },
      ],
    },
  };
}

const IDENTITIES: readonly SpiffeId[] = Array.from({ length: 64 }, (_, index) =>
  identityOf('cluster.local', `ns-${index}`, `caller-${index}`),
);

function pick<T>(list: readonly T[], index: number): T {
  const item = list[index % list.length];
  if (item === undefined) throw new Error('an empty list');
  return item;
}

function objectsOf(values: readonly object[]): readonly Exclude<ReturnType<typeof decodeKubeObject>, string>[] {
  return values
    .map((value, document) => decodeKubeObject(value, { file: 'bench', document }))
    .filter((object) => typeof object !== 'string');
}

const TWENTY = objectsOf(Array.from({ length: POLICIES }, (_, index) => policyNumber(index, 'shop', 'web')));

function ambientRates(): readonly (readonly [string, number])[] {
  const policies = TWENTY.map(decodeAuthorizationPolicy).flatMap((policy) => (policy.ok ? [policy.value] : []));
  const settings = { rootNamespace: 'istio-system', revision: null, istioVersion: null };
  const workload = compileZtunnel(policies, settings).forWorkload({ namespace: 'shop', labels: { app: 'web' } });
  const connection = (identity: SpiffeId): Parameters<typeof workload.decide>[0] => ({
    sourceIp: '10.0.1.9',
    identity,
    destinationIp: '10.0.2.5',
    destinationPort: 8080,
  });
  const stranger = identityOf('cluster.local', 'elsewhere', 'nobody');
  return [
    ['ambient, mixed callers', rateOf((index) => workload.decide(connection(pick(IDENTITIES, index))))],
    ['ambient, no ALLOW fits', rateOf(() => workload.decide(connection(stranger)))],
  ];
}

function envoyRates(): readonly (readonly [string, number])[] {
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  };
  const engine = compileEnvoy({
    proxy: { type: 'sidecar', namespace: 'shop', name: 'web-1', labels: { app: 'web' } },
    objects: [...TWENTY, ...objectsOf([service])],
    settings: DEFAULT_SETTINGS,
  });
  const request = (identity: SpiffeId): EnvoyRequest => ({
    ...unknownRequest(8080),
    transport: 'mtls',
    identity,
    sourceAddress: '10.0.1.9',
    remoteAddress: null,
    destinationAddress: '10.0.2.5',
    serverName: 'outbound_.80_._.web.shop.svc.cluster.local',
    method: 'GET',
    host: 'web.shop',
    path: '/api/items?page=2',
    headers: [
      ['user-agent', 'curl/8.5.0'],
      ['accept', '*/*'],
    ],
    headersComplete: true,
    token: { kind: 'none' },
    metadata: {},
  });
  const stranger = identityOf('cluster.local', 'elsewhere', 'nobody');
  const mixed = IDENTITIES.map(request);
  const denied = request(stranger);
  return [
    ['Envoy, mixed callers', rateOf((index) => engine.decide(pick(mixed, index)))],
    ['Envoy, no ALLOW fits', rateOf(() => engine.decide(denied))],
  ];
}

const NAMESPACES = 100;
const WORKLOADS = 5;
const REPLICAS = 10;

/** 100 namespaces of 5 workloads of 10 pods, each namespace with 10 policies. */
function bigMesh(dataplane: 'ambient' | 'sidecar'): MeshView {
  const objects: object[] = [];
  for (let space = 0; space < NAMESPACES; space++) {
    const namespace = `ns-${space}`;
    objects.push({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    for (let work = 0; work < WORKLOADS; work++) {
      objects.push(...workloadNumber(space, work, dataplane));
      objects.push(
        policyNumber(2 * work, namespace, `app-${work}`),
        policyNumber(2 * work + 1, namespace, `app-${work}`),
      );
    }
  }
  return createMesh(objects);
}

function workloadNumber(space: number, work: number, dataplane: 'ambient' | 'sidecar'): readonly object[] {
  const namespace = `ns-${space}`;
  const app = `app-${work}`;
  const proxy = dataplane === 'sidecar' ? [{ name: 'istio-proxy' }] : [];
  const annotations = dataplane === 'ambient' ? { 'ambient.istio.io/redirection': 'enabled' } : {};
  const pods = Array.from({ length: REPLICAS }, (_, replica) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${app}-6d4cf56db6-x7x${replica}p`,
      namespace,
      labels: { app, 'pod-template-hash': '6d4cf56db6' },
      annotations,
    },
    spec: {
      serviceAccountName: `caller-${work}`,
      containers: [{ name: 'app', ports: [{ name: 'http', containerPort: 8080 }] }, ...proxy],
    },
    status: { podIP: `10.${space}.${work}.${replica + 1}` },
  }));
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: app, namespace },
    spec: {
      clusterIP: `172.16.${space}.${work}`,
      selector: { app },
      ports: [{ name: 'http', port: 80, targetPort: 'http' }],
    },
  };
  return [...pods, service];
}

/** Distinct in caller, destination or path. */
function probeNumber(index: number, mesh: MeshView): Probe {
  const pod = pick(mesh.pods, index * 7);
  const to = `app-${index % WORKLOADS}.ns-${(index * 13) % NAMESPACES}:80`;
  const source = findSource(`${pod.namespace}/${pod.name}`, mesh);
  const destination = findDestination(to, mesh);
  if (!source.ok || !destination.ok) throw new Error(`no such end: ${to}`);
  const words = { method: 'GET', path: `/items/${index}`, host: to, headers: [], claims: null, authorizer: null };
  return { source: source.value, destination: destination.value, request: describeRequest(words) };
}
