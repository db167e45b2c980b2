import { closeSync, openSync, writeSync } from 'node:fs';

/** What the generator writes. */
export const FORMATS = ['ztunnel-text', 'ztunnel-json', 'envoy-text', 'envoy-json'] as const;
export type Format = (typeof FORMATS)[number];

const NAMESPACES = 24;
const DEPLOYMENTS = 240;
const PODS_PER_DEPLOYMENT = 4;
/** Pairs of pods of which a node's ztunnel tells, and callers of which one pod's Envoy does. */
const ZTUNNEL_EDGES = 900;
const ENVOY_EDGES = 90;
/** A pair that fails does so in one way, again and again: 2 % of all lines. */
const FAILING_EDGES = 0.1;
const FAILURE_RATE = 0.2;
const CHATTER_RATE = 0.004;

/** A small seeded generator of numbers from 0 to 1 (mulberry32): the same seed, the same log. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

interface Pod {
  readonly name: string;
  readonly app: string;
  readonly namespace: string;
  readonly ip: string;
}

interface Edge {
  readonly from: Pod;
  readonly to: Pod;
  readonly port: number;
  /** How it fails when it does, as a number from 0 to 1; null: never. */
  readonly failure: number | null;
}

const ERRORS = [
  'connection closed due to policy rejection: allow policies exist, but none allowed',
  'connection closed due to policy rejection: explicitly denied by: istio-system/istio_converted_static_strict',
  'http status: 401 Unauthorized',
  'http status: 503 Service Unavailable',
  'connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: deadline has elapsed',
  'connection failed: Connection refused (os error 111)',
  'io error: Connection refused (os error 111)',
  'while closing connection: receive: io error: broken pipe',
];

const REQUEST_FAILURES: readonly (readonly [number, string, string])[] = [
  [403, '-', 'rbac_access_denied_matched_policy[none]'],
  [403, '-', 'rbac_access_denied_matched_policy[ns[shop]-policy[deny-admin]-rule[0]]'],
  [401, '-', 'jwt_authn_access_denied{Jwt_is_expired}'],
  [503, 'UH', 'no_healthy_upstream'],
  [
    503,
    'UF,URX',
    'upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}',
  ],
  [504, 'UT', 'response_timeout'],
  [404, 'NR', 'route_not_found'],
];

/** Paths; `#` stands for a number of the request's own. */
const PATHS = ['/api/items', '/api/items/#', '/static/app.js', '/healthz', '/v1/models/mnist:predict', '/cart?user=#'];

/** Writes about `bytes` of the log of one proxy: Zipf-distributed pairs of pods, some of which fail, a little chatter. */
export function generateLog(path: string, format: Format, bytes: number, seed: number): void {
  const random = seeded(seed);
  const edges = makeEdges(format, random);
  const weights = zipf(edges.length);
  const file = openSync(path, 'w');
  let written = 0;
  let time = Date.UTC(2026, 0, 2, 3, 4, 5);
  let chunk = '';
  while (written < bytes) {
    time += random() * 3;
    const edge = edges[pick(weights, random())] as Edge;
    chunk += random() < CHATTER_RATE ? chatter(format, time) : record(format, edge, time, random);
    if (chunk.length > 1 << 20) {
      written += writeSync(file, chunk);
      chunk = '';
    }
  }
  closeSync(file);
}

function makeEdges(format: Format, random: () => number): Edge[] {
  const letters = 'bcdfghjklmnpqrstvwxz2456789';
  const hash = (length: number): string =>
    Array.from({ length }, () => letters[Math.floor(random() * letters.length)]).join('');
  const pods: Pod[] = Array.from({ length: DEPLOYMENTS }, (_, index) => {
    const app = `service-${index}`;
    const namespace = `team-${index % NAMESPACES}`;
    const revision = hash(9);
    return Array.from({ length: PODS_PER_DEPLOYMENT }, (__, pod) => ({
      name: `${app}-${revision}-${hash(5)}`,
      app,
      namespace,
      ip: `10.${20 + (index % 8)}.${Math.floor(index / 8)}.${10 + pod}`,
    }));
  }).flat();
  const any = (): Pod => pods[Math.floor(random() * pods.length)] as Pod;
  const own = any();
  const isEnvoy = format.startsWith('envoy');
  return Array.from({ length: isEnvoy ? ENVOY_EDGES : ZTUNNEL_EDGES }, () => ({
    from: any(),
    to: isEnvoy ? own : any(),
    port: isEnvoy ? 8080 : 8000 + Math.floor(random() * 20),
    failure: random() < FAILING_EDGES ? random() : null,
  }));
}

/** Cumulative weights 1/rank^0.9. */
function zipf(size: number): number[] {
  const weights = Array.from({ length: size }, (_, rank) => 1 / (rank + 1) ** 0.9);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  return weights.map((weight) => {
    sum += weight / total;
    return sum;
  });
}

function pick(cumulative: readonly number[], point: number): number {
  let low = 0;
  let high = cumulative.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((cumulative[middle] as number) < point) low = middle + 1;
    else high = middle;
  }
  return low;
}

function chatter(format: Format, time: number): string {
  const stamp = micros(time);
  if (format === 'ztunnel-json') {
    return `{"level":"info","time":"${stamp}","scope":"ztunnel::proxy::inbound","message":"listener established","address":"[::]:15008","component":"inbound"}\n`;
  }
  if (format === 'ztunnel-text')
    return `${stamp}\tinfo\tproxy::inbound\tlistener established\taddress=[::]:15008 component="inbound"\n`;
  return `${stamp}\tinfo\txdsproxy\tconnected to upstream XDS server: istiod.istio-system.svc:15012\n`;
}

function record(format: Format, edge: Edge, time: number, random: () => number): string {
  const failure = random() < FAILURE_RATE ? edge.failure : null;
  return format.startsWith('ztunnel')
    ? connection(format, edge, time, failure, random)
    : request(format, edge, time, failure, random);
}

function connection(
  format: Format,
  { from, to, port }: Edge,
  time: number,
  failure: number | null,
  random: () => number,
): string {
  const outbound = random() < 0.5;
  const error = failure === null ? null : (ERRORS[Math.floor(failure * ERRORS.length)] as string);
  const fields: [string, string | number, boolean][] = [
    ['src.addr', `${from.ip}:${30000 + Math.floor(random() * 30000)}`, false],
    ['src.workload', from.name, true],
    ['src.namespace', from.namespace, true],
    ['src.identity', `spiffe://cluster.local/ns/${from.namespace}/sa/${from.app}`, true],
    ['dst.addr', `${to.ip}:15008`, false],
    ['dst.hbone_addr', `${to.ip}:${port}`, false],
    ['dst.service', `${to.app}.${to.namespace}.svc.cluster.local`, true],
    ['dst.workload', to.name, true],
    ['dst.namespace', to.namespace, true],
    ['dst.identity', `spiffe://cluster.local/ns/${to.namespace}/sa/${to.app}`, true],
    ['direction', outbound ? 'outbound' : 'inbound', true],
    ['bytes_sent', Math.floor(random() * 20000), false],
    ['bytes_recv', Math.floor(random() * 90000), false],
    ['duration', `${Math.floor(random() * 900)}ms`, true],
  ];
  if (error !== null) fields.push(['error', error, true]);
  const level = error === null ? 'info' : 'error';
  if (format === 'ztunnel-json') {
    return `${JSON.stringify({ level, time: micros(time), scope: 'access', message: 'connection complete', ...Object.fromEntries(fields.map(([key, value]) => [key, value])) })}\n`;
  }
  const columns = fields.map(([key, value, quoted]) => (quoted ? `${key}="${value}"` : `${key}=${value}`)).join(' ');
  return `${micros(time)}\t${level}\taccess\tconnection complete\t${columns}\n`;
}

function request(
  format: Format,
  { from, to, port }: Edge,
  time: number,
  failure: number | null,
  random: () => number,
): string {
  const failed = failure !== null;
  const [status, flags, details] = failed
    ? (REQUEST_FAILURES[Math.floor(failure * REQUEST_FAILURES.length)] as readonly [number, string, string])
    : ([200, '-', 'via_upstream'] as const);
  const method = random() < 0.8 ? 'GET' : 'POST';
  const path = (PATHS[Math.floor(random() * PATHS.length)] as string).replace('#', String(Math.floor(random() * 1e5)));
  const duration = Math.floor(random() * 400);
  const id = `${hex(random, 8)}-${hex(random, 4)}-4${hex(random, 3)}-a${hex(random, 3)}-${hex(random, 12)}`;
  const upstream = failed ? null : `${to.ip}:${port}`;
  const local = failed ? null : `127.0.0.6:${30000 + Math.floor(random() * 30000)}`;
  const remote = `${from.ip}:${30000 + Math.floor(random() * 30000)}`;
  const host = `${to.app}.${to.namespace}`;
  // What refuses always answers the same.
  const sent = failed ? 19 : Math.floor(random() * 9000);
  const sni = `outbound_.80_._.${host}.svc.cluster.local`;
  const start = new Date(time).toISOString();
  if (format === 'envoy-json') {
    return `${JSON.stringify({ authority: host, bytes_received: 0, bytes_sent: sent, connection_termination_details: null, downstream_local_address: `${to.ip}:${port}`, downstream_remote_address: remote, duration, method, path, protocol: 'HTTP/1.1', request_id: id, requested_server_name: sni, response_code: status, response_code_details: details, response_flags: flags, route_name: 'default', start_time: start, upstream_cluster: `inbound|${port}||`, upstream_host: upstream, upstream_local_address: local, upstream_service_time: failed ? null : String(duration), upstream_transport_failure_reason: null, user_agent: 'Go-http-client/1.1', x_forwarded_for: null })}\n`;
  }
  return `[${start}] "${method} ${path} HTTP/1.1" ${status} ${flags} ${details} - "-" 0 ${sent} ${duration} ${failed ? '-' : duration} "-" "Go-http-client/1.1" "${id}" "${host}" "${upstream ?? '-'}" inbound|${port}|| ${local ?? '-'} ${to.ip}:${port} ${remote} ${sni} default\n`;
}

function hex(random: () => number, digits: number): string {
  return Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('');
}

function micros(time: number): string {
  const whole = Math.floor(time);
  return `${new Date(whole).toISOString().slice(0, 23)}${String(Math.floor((time - whole) * 1000)).padStart(3, '0')}Z`;
}
