import { gzipSync } from 'node:zlib';
import { type Packed, tarOf } from './packing.ts';

/** The log of one container, and where it ran. */
export interface ContainerLog {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly node: string;
  readonly lines: readonly string[];
}

type Json = Readonly<Record<string, unknown>>;

const DAY = '2026-11-21T12:40';
const DENIED =
  'error="connection closed due to policy rejection: allow policies exist, but none allowed for payments:8080"';
const MANY = 3;

/** What the two ztunnels say of a call that a policy of `payments` denies. */
function denial(index: number, end: 'source' | 'destination'): string {
  const isSource = end === 'source';
  const ends = [
    `src.addr=10.244.1.10:${isSource ? 41000 + index : 50000 + index}`,
    'src.workload="orders-5d9c7f8b6c-x2x4z" src.namespace="shop" src.identity="spiffe://cluster.local/ns/shop/sa/orders"',
    'dst.addr=10.244.2.20:15008 dst.hbone_addr=10.244.2.20:8080 dst.service="payments.shop.svc.cluster.local"',
    'dst.workload="payments-7c6d5f9b8d-k4k6m" dst.namespace="shop" dst.identity="spiffe://cluster.local/ns/shop/sa/payments"',
    `direction="${isSource ? 'outbound' : 'inbound'}" bytes_sent=0 bytes_recv=0 duration="${isSource ? 3 : 0}ms"`,
  ].join(' ');
  const error = isSource ? 'error="http status: 401 Unauthorized"' : DENIED;
  return `${DAY}:0${index}.${isSource ? '002' : '001'}000Z\terror\taccess\tconnection complete\t${ends} ${error}`;
}

function worked(source: string, port: number): string {
  return `${DAY}:20.000000Z\tinfo\taccess\tconnection complete\tsrc.addr=${source}:${port} src.workload="orders-5d9c7f8b6c-x2x4z" src.namespace="shop" src.identity="spiffe://cluster.local/ns/shop/sa/orders" dst.addr=10.244.3.40:15008 dst.hbone_addr=10.96.0.30:80 dst.service="catalog.shop.svc.cluster.local" dst.workload="waypoint-6b7c8d9f5b-q5q7r" dst.namespace="shop" dst.identity="spiffe://cluster.local/ns/shop/sa/waypoint" direction="outbound" bytes_sent=120 bytes_recv=340 duration="12ms"`;
}

function request(index: number, time: string, answer: string, rest: string): string {
  const id = `7dbec14f-034d-4c12-bbba-05729848${String(1000 + index)}`;
  return `[${DAY}:${time}Z] "GET /cart/${index} HTTP/1.1" 403 - ${answer} - "-" 0 19 4 ${answer === 'via_upstream' ? 3 : '-'} "203.0.113.9" "curl/8.4.0" "${id}" "shop.example.com" ${rest}`;
}

const INDEXES: readonly number[] = Array.from({ length: MANY }, (_, index) => index + 1);

const START: readonly string[] = [
  `${DAY}:00.100000Z\tinfo\tFLAG: --concurrency="0"`,
  `${DAY}:00.200000Z\tinfo\tReadiness succeeded in 812.4ms`,
  `${DAY}:00.300000Z\tinfo\tEnvoy proxy is ready`,
];

/**
 * One incident as three nodes logged it: a policy denies `orders` at `payments` (both ztunnels tell of it), the waypoint of
 * `catalog` denies a DELETE, the sidecar of `cart` denies what the gateway passes on, and refuses the plain text of `front`.
 */
export const INCIDENT: readonly ContainerLog[] = [
  {
    namespace: 'istio-system',
    pod: 'ztunnel-4wq7x',
    container: 'istio-proxy',
    node: 'worker-a',
    lines: [...INDEXES.map((index) => denial(index, 'source')), worked('10.244.1.10', 42001)],
  },
  {
    namespace: 'istio-system',
    pod: 'ztunnel-6rz9d',
    container: 'istio-proxy',
    node: 'worker-b',
    lines: INDEXES.map((index) => denial(index, 'destination')),
  },
  {
    namespace: 'istio-system',
    pod: 'ztunnel-8tl5n',
    container: 'istio-proxy',
    node: 'worker-c',
    lines: [worked('10.244.3.11', 42002)],
  },
  {
    namespace: 'shop',
    pod: 'waypoint-6b7c8d9f5b-q5q7r',
    container: 'istio-proxy',
    node: 'worker-c',
    lines: [
      ...START,
      ...INDEXES.map(
        (index) =>
          `[${DAY}:1${index}.578Z] "DELETE /items/7 HTTP/1.1" 403 - rbac_access_denied_matched_policy[none] - "-" 0 19 0 - "-" "python-requests/2.32.3" "7208409e-1081-4c1e-9b7a-a1b20000494${index}" "catalog.shop" "-" inbound-vip|80|http|catalog.shop.svc.cluster.local; - 10.96.0.30:80 10.244.1.10:3427${index} - default`,
      ),
    ],
  },
  {
    namespace: 'istio-system',
    pod: 'istio-ingressgateway-5f6d7c8b9c-z7z9l',
    container: 'istio-proxy',
    node: 'worker-a',
    lines: [
      ...START,
      ...INDEXES.map((index) =>
        request(
          index,
          `3${index}.200`,
          'via_upstream',
          `"10.244.2.30:8080" outbound|80||cart.legacy.svc.cluster.local 10.244.1.5:5000${index} 10.244.1.5:8080 203.0.113.9:5010${index} - -`,
        ),
      ),
    ],
  },
  {
    namespace: 'legacy',
    pod: 'cart-78f9d6b5c4-m8m2v',
    container: 'istio-proxy',
    node: 'worker-b',
    lines: [
      ...START,
      ...INDEXES.map((index) =>
        request(
          index,
          `3${index}.202`,
          'rbac_access_denied_matched_policy[none]',
          '"-" inbound|8080|| - 10.244.2.30:8080 203.0.113.9:0 outbound_.80_._.cart.legacy.svc.cluster.local default',
        ),
      ),
      `[${DAY}:45.402Z] "- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" - - 10.244.2.30:8080 10.244.3.31:51514 - -`,
    ],
  },
  {
    namespace: 'legacy',
    pod: 'front-6c5b4d3f2f-n4n6p',
    container: 'istio-proxy',
    node: 'worker-c',
    lines: [
      ...START,
      `[${DAY}:45.400Z] "GET /cart/9 HTTP/1.1" 503 UC upstream_reset_before_response_started{connection_termination} - "-" 0 95 2 - "-" "curl/8.4.0" "5a1e41d2-3d1b-9c0e-8c2c-3d1b9c0e8c2c" "cart.legacy" "10.244.2.30:8080" outbound|80||cart.legacy.svc.cluster.local 10.244.3.31:51514 10.96.0.40:80 10.244.3.31:33000 - default`,
    ],
  },
  {
    namespace: 'legacy',
    pod: 'front-6c5b4d3f2f-n4n6p',
    container: 'app',
    node: 'worker-c',
    lines: ['cart answered 503, trying again', 'cart answered 503, giving up'],
  },
];

interface PodSpec {
  readonly namespace: string;
  readonly name: string;
  readonly ip: string;
  readonly node: string;
  readonly labels: Json;
  readonly account: string;
  readonly containers: readonly string[];
  readonly ambient: boolean;
}

function podSpec(
  namespace: string,
  name: string,
  ip: string,
  node: string,
  app: string,
  more: Partial<PodSpec>,
): PodSpec {
  return { namespace, name, ip, node, labels: { app }, account: app, containers: ['app'], ambient: false, ...more };
}

const PROXIED = { containers: ['app', 'istio-proxy'] };
const ZTUNNEL = { containers: ['istio-proxy'], account: 'ztunnel' };
const WAYPOINT = {
  containers: ['istio-proxy'],
  labels: {
    'gateway.networking.k8s.io/gateway-name': 'waypoint',
    'gateway.istio.io/managed': 'istio.io-mesh-controller',
  },
};

const PODS: readonly PodSpec[] = [
  podSpec('istio-system', 'ztunnel-4wq7x', '10.244.1.2', 'worker-a', 'ztunnel', ZTUNNEL),
  podSpec('istio-system', 'ztunnel-6rz9d', '10.244.2.2', 'worker-b', 'ztunnel', ZTUNNEL),
  podSpec('istio-system', 'ztunnel-8tl5n', '10.244.3.2', 'worker-c', 'ztunnel', ZTUNNEL),
  podSpec('istio-system', 'istio-ingressgateway-5f6d7c8b9c-z7z9l', '10.244.1.5', 'worker-a', 'istio-ingressgateway', {
    containers: ['istio-proxy'],
  }),
  podSpec('shop', 'orders-5d9c7f8b6c-x2x4z', '10.244.1.10', 'worker-a', 'orders', { ambient: true }),
  podSpec('shop', 'payments-7c6d5f9b8d-k4k6m', '10.244.2.20', 'worker-b', 'payments', { ambient: true }),
  podSpec('shop', 'waypoint-6b7c8d9f5b-q5q7r', '10.244.3.40', 'worker-c', 'waypoint', WAYPOINT),
  podSpec('legacy', 'cart-78f9d6b5c4-m8m2v', '10.244.2.30', 'worker-b', 'cart', PROXIED),
  podSpec('legacy', 'front-6c5b4d3f2f-n4n6p', '10.244.3.31', 'worker-c', 'front', PROXIED),
];

function podObject({ namespace, name, ip, node, labels, account, containers, ambient }: PodSpec): Json {
  const annotations = ambient ? { 'ambient.istio.io/redirection': 'enabled' } : {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels, annotations },
    spec: {
      nodeName: node,
      serviceAccountName: account,
      containers: containers.map((container) => ({ name: container })),
    },
    status: { podIP: ip, phase: 'Running' },
  };
}

function service(namespace: string, name: string, ip: string, labels: Json = {}): Json {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels },
    spec: { clusterIP: ip, selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  };
}

const CORE: readonly Json[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'istio-system' } },
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: { 'istio.io/dataplane-mode': 'ambient' } } },
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'legacy', labels: { 'istio-injection': 'enabled' } } },
  ...PODS.map(podObject),
  service('shop', 'payments', '10.96.0.20'),
  service('shop', 'catalog', '10.96.0.30', { 'istio.io/use-waypoint': 'waypoint' }),
  service('legacy', 'cart', '10.96.0.40'),
];

const API = 'security.istio.io/v1';
const CUSTOM: readonly Json[] = [
  {
    apiVersion: API,
    kind: 'AuthorizationPolicy',
    metadata: { name: 'payments', namespace: 'shop' },
    spec: {
      selector: { matchLabels: { app: 'payments' } },
      rules: [{ from: [{ source: { principals: ['cluster.local/ns/shop/sa/billing'] } }] }],
    },
  },
  {
    apiVersion: API,
    kind: 'AuthorizationPolicy',
    metadata: { name: 'catalog', namespace: 'shop' },
    spec: {
      targetRefs: [{ kind: 'Service', group: '', name: 'catalog' }],
      rules: [{ to: [{ operation: { methods: ['GET'] } }] }],
    },
  },
  {
    apiVersion: API,
    kind: 'AuthorizationPolicy',
    metadata: { name: 'cart', namespace: 'legacy' },
    spec: {
      selector: { matchLabels: { app: 'cart' } },
      rules: [{ from: [{ source: { principals: ['cluster.local/ns/legacy/sa/front'] } }] }],
    },
  },
  {
    apiVersion: API,
    kind: 'PeerAuthentication',
    metadata: { name: 'default', namespace: 'legacy' },
    spec: { mtls: { mode: 'STRICT' } },
  },
];

/** All objects of the cluster. */
export const INCIDENT_MESH: readonly Json[] = [...CORE, ...CUSTOM];

/** What the ztunnels know of it: `/config_dump` (istio 86c9f01f istioctl/pkg/writer/ztunnel/configdump/api.go). */
export function ztunnelDump(): Json {
  const workloads = PODS.map(({ namespace, name, ip, node, labels, account, ambient }) => ({
    workloadIps: [ip],
    protocol: ambient || name.startsWith('waypoint') ? 'HBONE' : 'TCP',
    networkMode: 'Standard',
    uid: `Kubernetes//Pod/${namespace}/${name}`,
    name,
    namespace,
    trustDomain: 'cluster.local',
    serviceAccount: account,
    canonicalName: String(labels['app'] ?? 'waypoint'),
    node,
    authorizationPolicies: name.startsWith('payments') ? ['shop/payments'] : [],
    status: 'Healthy',
    clusterId: 'Kubernetes',
  }));
  const services = CORE.filter(({ kind }) => kind === 'Service').map((object) => {
    const { name, namespace } = metadataOf(object);
    const [endpoint] = workloads.filter((workload) => workload.name.startsWith(name));
    return {
      name,
      namespace,
      hostname: `${name}.${namespace}.svc.cluster.local`,
      vips: [`/${String((object['spec'] as Json)['clusterIP'])}`],
      ports: { '80': 0 },
      endpoints: endpoint === undefined ? {} : { [endpoint.uid]: { workloadUid: endpoint.uid, port: { '80': 8080 } } },
    };
  });
  return { workloads, services, policies: [], certificates: [], config: {}, version: {} };
}

/** A file of a dump. */
export interface DumpFile {
  readonly name: string;
  readonly text: string;
}

function joined(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

/** YAML may be JSON; kubectl's begins with the version. */
function yamlList(items: readonly Json[]): string {
  return joined(['apiVersion: v1', 'items:', ...items.map((item) => `- ${JSON.stringify(item)}`), 'kind: List']);
}

/** `istioctl bug-report` (istio 86c9f01f tools/bug-report/pkg/archive/archive.go, pkg/content/content.go). */
export function bugReport(): readonly DumpFile[] {
  const proxies = INCIDENT.filter(({ container }) => container === 'istio-proxy');
  return [
    {
      name: 'bug-report/analyze/all-namespaces/ALL_NAMESPACES',
      text: 'Info [IST0102] (Namespace default) The namespace is not enabled\n',
    },
    { name: 'bug-report/cluster/cluster-context', text: 'kind-mesh\nhttps://127.0.0.1:6443\n' },
    { name: 'bug-report/cluster/crs', text: yamlList(CUSTOM) },
    { name: 'bug-report/cluster/events', text: 'No resources found\n' },
    { name: 'bug-report/cluster/k8s-resources', text: yamlList(CORE) },
    { name: 'bug-report/cluster/kubectl-version', text: 'Client Version: v1.34.1\n' },
    ...proxies.flatMap(({ namespace, pod, lines }) => {
      const folder = `bug-report/proxies/${namespace}/${pod}`;
      return [
        { name: `${folder}/certs`, text: '{\n "certificates": []\n}\n' },
        { name: `${folder}/istio-proxy.log`, text: joined(lines) },
        { name: `${folder}/netstat`, text: 'Active Internet connections (servers and established)\n' },
      ];
    }),
    { name: 'bug-report/versions', text: 'CLI version: client version: 1.28.0\n' },
  ];
}

/** `oc adm must-gather`, of which `oc adm inspect` writes the folders (oc pkg/cli/admin/inspect). */
export function mustGather(): readonly DumpFile[] {
  const root = 'must-gather.local.42/quay-io-gather-sha256-0a1b';
  const namespaces = [...new Set(INCIDENT.map(({ namespace }) => namespace))];
  const custom = CUSTOM.map((object) => {
    const { name, namespace } = metadataOf(object);
    return {
      name: `${root}/namespaces/${namespace}/security.istio.io/${String(object['kind']).toLowerCase()}s/${name}.yaml`,
      text: `---\n${JSON.stringify(object)}\n`,
    };
  });
  return [
    { name: `${root}/timestamp`, text: '2026-11-21 12:50:01.000000000 +0000 UTC m=+0.1\n' },
    ...namespaces.map((namespace) => ({
      name: `${root}/namespaces/${namespace}/core/pods.yaml`,
      text: yamlList(CORE.filter((object) => object['kind'] === 'Pod' && metadataOf(object).namespace === namespace)),
    })),
    ...namespaces.map((namespace) => ({
      name: `${root}/namespaces/${namespace}/core/services.yaml`,
      text: yamlList(
        CORE.filter((object) => object['kind'] === 'Service' && metadataOf(object).namespace === namespace),
      ),
    })),
    ...namespaces.map((namespace) => ({
      name: `${root}/namespaces/${namespace}/${namespace}.yaml`,
      text: `---\n${JSON.stringify(CORE.find((object) => object['kind'] === 'Namespace' && metadataOf(object).name === namespace))}\n`,
    })),
    ...custom,
    ...INCIDENT.flatMap(({ namespace, pod, container, lines }) => {
      const folder = `${root}/namespaces/${namespace}/pods/${pod}/${container}/${container}/logs`;
      return [
        { name: `${folder}/current.log`, text: joined(stamped(lines)) },
        { name: `${folder}/previous.log`, text: '' },
      ];
    }),
  ];
}

function metadataOf(object: Json): { readonly name: string; readonly namespace: string } {
  const metadata = object['metadata'] as { readonly name: string; readonly namespace?: string };
  return { name: metadata.name, namespace: metadata.namespace ?? '' };
}

/** With the time of the kubelet, as `--timestamps` prints it. */
function stamped(lines: readonly string[]): readonly string[] {
  return lines.map((line, index) => `${DAY}:50.${String(index).padStart(9, '0')}Z ${line}`);
}

function uidOf(pod: string): string {
  return `0f0e0d0c-0b0a-4908-8706-${Buffer.from(pod).toString('hex').slice(0, 12)}`;
}

/** The reports of `sos` of three nodes: the logs of the kubelet as they lie on the disk (CRI). */
export function sosReports(): readonly DumpFile[] {
  return INCIDENT.flatMap(({ namespace, pod, container, node, lines }) => {
    const root = `sosreport-${node}-2026-11-21-abcdefg`;
    return [
      {
        name: `${root}/var/log/pods/${namespace}_${pod}_${uidOf(pod)}/${container}/0.log`,
        text: joined(lines.map((line, index) => `${DAY}:50.${String(index).padStart(9, '0')}Z stdout F ${line}`)),
      },
      { name: `${root}/uptime`, text: ' 12:50:01 up 3 days\n' },
    ];
  });
}

/** `kubectl cluster-info dump --all-namespaces --output-directory` (kubectl pkg/cmd/clusterinfo/clusterinfo_dump.go). */
export function clusterInfoDump(): readonly DumpFile[] {
  const pods = [...new Set(INCIDENT.map(({ namespace, pod }) => `${namespace}/${pod}`))];
  const namespaces = [...new Set(INCIDENT.map(({ namespace }) => namespace))];
  const ofKind = (kind: string, namespace: string): readonly Json[] =>
    CORE.filter((object) => object['kind'] === kind && metadataOf(object).namespace === namespace).map(
      ({ metadata, spec, status }) => ({ metadata, spec, status }),
    );
  const list = (kind: string, namespace: string): DumpFile => ({
    name: `${namespace}/${kind.toLowerCase()}s.json`,
    text: JSON.stringify(
      { kind: `${kind}List`, apiVersion: 'v1', metadata: {}, items: ofKind(kind, namespace) },
      null,
      4,
    ),
  });
  return [
    {
      name: 'nodes.json',
      text: JSON.stringify({ kind: 'NodeList', apiVersion: 'v1', metadata: {}, items: [] }, null, 4),
    },
    ...namespaces.flatMap((namespace) => [list('Pod', namespace), list('Service', namespace)]),
    ...pods.map((name) => {
      const logs = INCIDENT.filter(({ namespace, pod }) => name === `${namespace}/${pod}`);
      const text = logs.flatMap(({ namespace, pod, container, lines }) => [
        `==== START logs for container ${container} of pod ${namespace}/${pod} ====`,
        ...lines,
        `==== END logs for container ${container} of pod ${namespace}/${pod} ====`,
      ]);
      return { name: `${name}/logs.txt`, text: joined(text) };
    }),
  ];
}

/** Lines of all containers, one after the other in turn, as a follower of many pods prints them. */
export function interleaved<Out>(wrap: (log: ContainerLog, line: string) => Out): readonly Out[] {
  const longest = Math.max(...INCIDENT.map(({ lines }) => lines.length));
  const rounds = Array.from({ length: longest }, (_, round) => round);
  return rounds.flatMap((round) =>
    INCIDENT.flatMap((log) => {
      const line = log.lines[round];
      return line === undefined ? [] : [wrap(log, line)];
    }),
  );
}

/** `stern -A`. */
export function sternFile(): string {
  return joined(interleaved(({ namespace, pod, container }, line) => `${namespace} ${pod} ${container} ${line}`));
}

/** The answer of Loki's API to a range query. */
export function lokiAnswer(): string {
  const result = INCIDENT.map(({ namespace, pod, container, node, lines }) => ({
    stream: { namespace, pod, container, node_name: node },
    values: lines.map((line, index) => [String(1_795_264_850_000_000_000n + BigInt(index)), line]),
  }));
  return JSON.stringify({ status: 'success', data: { resultType: 'streams', result, stats: {} } });
}

/** The files as a tar archive, compressed. */
export function archived(files: readonly DumpFile[], more: readonly Packed[] = []): Buffer {
  const members = files.map(({ name, text }) => longNamed({ name, bytes: Buffer.from(text) }));
  return gzipSync(tarOf([...members.flat(), ...more]));
}

/** Names of more than a hundred characters go into a member of their own (GNU tar). */
function longNamed({ name, bytes }: Packed): readonly Packed[] {
  if (name.length <= 100) return [{ name, bytes }];
  return [
    { name: '././@LongLink', bytes: Buffer.from(`${name}\0`), type: 'L' },
    { name: name.slice(0, 100), bytes },
  ];
}
