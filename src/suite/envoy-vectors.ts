import type { KubeObject } from '../model/mesh.ts';
import type { Fields, ProbeResult } from '../model/suite.ts';
import { compileEnvoy } from '../policy/envoy/decide.ts';
import { UNKNOWN } from '../policy/envoy/known.ts';
import { readMeshConfig, readNormalization } from '../policy/envoy/mesh-config.ts';
import type { AuthorizerAnswer, EnvoyRequest, Transport } from '../policy/envoy/request.ts';
import type { EnvoyInput, EnvoyProxy, FetchedKeys } from '../policy/envoy/settings.ts';
import type { EnvoyDecision } from '../policy/envoy/verdict.ts';
import { verifyJws } from '../text/jws.ts';
import { parseSpiffeId } from '../text/spiffe.ts';
import { listOf, recordOf, textMapOf, textOf, valueAt } from '../text/untyped.ts';
import { isSame, malformed, type SuiteResults } from './result.ts';
import { admissionFaults, readObjects } from './vector-objects.ts';

/** What of a result is compared, beside what only Envoy's own log line holds. */
const COMPARED = [
  ...['outcome', 'status', 'flags', 'details', 'connectionTermination', 'grpcStatus', 'body', 'wwwAuthenticate'],
  ...['backendPath', 'rbacMetadata', 'auditHint'],
];

/**
 * Runs one case of `envoy-*.jsonl`: what a real Envoy answered to requests under these objects. All objects are in force,
 * also those that admission would have refused. Requests without a result (Envoy refused the configuration) are skipped;
 * that the engine knows of the refusal, and what admission says, is no probe, but a failure if it is wrong.
 */
export function runEnvoyVector(file: string, name: string, line: Fields): SuiteResults {
  const objects = readObjects(file, line['objects'], line['validation']);
  const fail = (reason: string): ProbeResult => malformed(file, name, reason);
  if (typeof objects === 'string') return { results: [fail(objects)], skipped: 0 };
  const proxy = proxyOf(recordOf(line['proxy']));
  if (proxy === null) return { results: [fail('proxy.type: must be sidecar, gateway or waypoint')], skipped: 0 };
  const kept = objects.map(({ object }) => object);
  const engine = compileEnvoy(envoyInputOf(line, proxy, kept));
  const requests = listOf(line['requests']).map(recordOf);
  const wanted = listOf(line['results']);
  const rejected = line['rejectedByEnvoy'] !== undefined;
  const faults = [...admissionFaults(objects), ...rejectionFaults(rejected, engine.refusals)];
  if (wanted.length !== requests.length && !rejected)
    faults.push(`${requests.length} requests, ${wanted.length} results`);
  const results = wanted.slice(0, requests.length).map((result, index) => {
    const request = envoyRequestOf(requests[index] ?? {}, line);
    if (typeof request === 'string') return fail(`requests[${index}]: ${request}`);
    return compare(file, name, probeName(request), recordOf(result), engine.decide(request));
  });
  const skipped = rejected ? requests.length - results.length : 0;
  return { results: [...faults.map(fail), ...results], skipped };
}

/** The engine's input for a case. A `jwksUri` in the vectors cannot be fetched. */
export function envoyInputOf(line: Fields, proxy: EnvoyProxy, objects: readonly KubeObject[]): EnvoyInput {
  const mesh = recordOf(line['mesh']);
  const { numTrustedProxies } = mesh;
  return {
    proxy,
    objects,
    settings: {
      ...readMeshConfig(mesh),
      pathNormalization: readNormalization(mesh['pathNormalization']),
      numTrustedProxies: typeof numTrustedProxies === 'number' ? numTrustedProxies : 0,
      envoyVersion: textOf(mesh['envoyVersion']),
      fetchedKeys: unfetched(objects),
      verifySignature: verifyJws,
    },
  };
}

function unfetched(objects: readonly KubeObject[]): FetchedKeys {
  const rules = objects.flatMap(({ raw }) => listOf(valueAt(raw, 'spec', 'jwtRules')));
  return new Map(
    rules
      .flatMap((rule) => [valueAt(rule, 'jwksUri'), valueAt(rule, 'jwks_uri')].filter(isText))
      .map((uri) => [uri, null]),
  );
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** Null: of no type that there is. */
export function proxyOf({ type, namespace, name, labels }: Fields): EnvoyProxy | null {
  if (type !== 'sidecar' && type !== 'gateway' && type !== 'waypoint') return null;
  return { type, namespace: textOf(namespace) ?? '', name: textOf(name) ?? '', labels: textMapOf(labels) };
}

/** The time at which the vectors were made lies between the times that occur in their tokens. */
const NOW_SECONDS = 1_795_000_000;
const TRANSPORTS: readonly Transport[] = ['mtls', 'tls', 'plaintext'];

/** The request of a case as the engine takes it, or what is wrong with it. */
export function envoyRequestOf(request: Fields, line: Fields): EnvoyRequest | string {
  const { protocol, srcIp, dstIp, dstPort } = request;
  const transport = TRANSPORTS.find((known) => known === request['tls']);
  if (protocol !== 'http' && protocol !== 'tcp') return 'protocol must be http or tcp';
  if (transport === undefined) return `tls must be one of ${TRANSPORTS.join(', ')}`;
  if (!isText(srcIp) || !isText(dstIp)) return 'srcIp and dstIp must be texts';
  if (typeof dstPort !== 'number') return 'dstPort must be a number';
  const text = (name: string): string | typeof UNKNOWN => {
    const value = request[name];
    return isText(value) ? value : UNKNOWN;
  };
  const http2 = request['h2'] === true;
  return {
    protocol,
    transport,
    identity: parseSpiffeId(textOf(request['srcIdentity'])),
    sourceAddress: srcIp,
    remoteAddress: null,
    destinationAddress: dstIp,
    destinationPort: dstPort,
    service: null,
    serverName: isText(request['sni']) ? request['sni'] : null,
    method: text('method'),
    host: text('host'),
    path: text('path'),
    headers: headersOf(request['headers']),
    headersComplete: true,
    http2,
    scheme: http2 ? 'http' : null,
    token: { kind: 'read' },
    authorizer: authorizerOf(request, recordOf(line['mesh'])),
    metadata: {},
    time: NOW_SECONDS,
  };
}

function headersOf(value: unknown): readonly (readonly [string, string])[] {
  return listOf(value).flatMap((entry) => {
    const [name, text] = listOf(entry);
    return isText(name) && isText(text) ? [[name, text] as const] : [];
  });
}

/** The test authorizer of the vectors: it does what a header asks for. Nothing listens on port 8001. */
function authorizerOf(request: Fields, mesh: Fields): AuthorizerAnswer {
  if (JSON.stringify(mesh['extensionProviders'] ?? []).includes('"port":8001')) return { kind: 'unreachable' };
  if (request['protocol'] === 'tcp') {
    const trusted = textOf(request['srcIdentity'])?.endsWith('/sa/trusted') ?? false;
    return trusted ? { kind: 'allow' } : { kind: 'deny', status: 403, body: '' };
  }
  const wanted = headersOf(request['headers']).find(([name]) => name === 'x-ext-authz')?.[1] ?? '';
  if (wanted === 'allow') return { kind: 'allow' };
  if (wanted === 'hang') return { kind: 'unreachable' };
  const status = Number(/^status-(\d+)$/.exec(wanted)?.[1] ?? 403);
  return { kind: 'deny', status, body: 'denied by the external authorizer' };
}

/** A decision in the words of the vectors; what is absent there is undefined here. */
export function printedOf({ outcome, printed }: EnvoyDecision): Fields {
  if (printed === null) return { outcome, status: 'depends on what is not known' };
  const { status, flags, details, termination, grpcStatus, body, wwwAuthenticate, backendPath } = printed;
  const metadata = printed.rbacMetadata ?? {};
  return {
    outcome,
    status,
    flags: flags.length === 0 ? '-' : flags.join(','),
    details: details ?? '-',
    connectionTermination: termination ?? undefined,
    grpcStatus: grpcStatus === null ? undefined : String(grpcStatus),
    body: body ?? undefined,
    wwwAuthenticate: wwwAuthenticate ?? undefined,
    backendPath: backendPath ?? undefined,
    rbacMetadata: Object.keys(metadata).length === 0 ? undefined : metadata,
    auditHint: printed.auditHint ? true : undefined,
  };
}

function compare(file: string, name: string, probe: string, wanted: Fields, decision: EnvoyDecision): ProbeResult {
  const printed = printedOf(decision);
  const expected = Object.fromEntries(COMPARED.filter((key) => key in wanted).map((key) => [key, wanted[key]]));
  return {
    file,
    case: name,
    probe,
    expected,
    actual: { ...printed, outcome: decision.outcome, error: decision.error, because: decision.because },
    pass: COMPARED.every((key) => isSame(printed[key], wanted[key])),
  };
}

function probeName({
  protocol,
  transport,
  identity,
  sourceAddress,
  destinationPort,
  method,
  path,
}: EnvoyRequest): string {
  const who = identity === null || identity === UNKNOWN ? String(transport) : identity;
  const what = protocol === 'tcp' ? 'TCP' : `${String(method)} ${String(path)}`;
  return `${who} from ${String(sourceAddress)} to port ${destinationPort}: ${what}`;
}

function rejectionFaults(rejected: boolean, refusals: readonly string[]): string[] {
  if (rejected === refusals.length > 0) return [];
  return [rejected ? 'Envoy refused this configuration, and the engine takes it' : refusals.join('; ')];
}
