import { readFileSync } from 'node:fs';
import type { KubeObject } from '../src/model/mesh.ts';
import { UNKNOWN } from '../src/policy/envoy/known.ts';
import type { AuthorizerAnswer, EnvoyRequest } from '../src/policy/envoy/request.ts';
import {
  type AuthorizationProvider,
  DEFAULT_SETTINGS,
  type EnvoyInput,
  type EnvoyProxy,
  type PathNormalization,
} from '../src/policy/envoy/settings.ts';
import { verifyJws } from '../src/text/jws.ts';
import { decodeKubeObject, isRecord } from '../src/text/kube-object.ts';
import { parseSpiffeId } from '../src/text/spiffe.ts';
import { shared } from './shared.ts';

/** One result of a vector: what a real Envoy answered. */
export interface VectorResult {
  readonly outcome: 'allow' | 'deny';
  readonly status: number | null;
  readonly flags: string;
  readonly details: string;
  readonly connectionTermination?: string;
  readonly grpcStatus?: string;
  readonly body?: string;
  readonly wwwAuthenticate?: string;
  readonly backendPath?: string;
  readonly rbacMetadata?: Readonly<Record<string, string>>;
  readonly auditHint?: boolean;
}

interface VectorRequest {
  readonly protocol: 'http' | 'tcp';
  readonly tls: 'mtls' | 'tls' | 'plaintext';
  readonly srcIdentity: string | null;
  readonly srcIp: string;
  readonly dstIp: string;
  readonly dstPort: number;
  readonly sni?: string;
  readonly method?: string;
  readonly host?: string;
  readonly path?: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly h2?: boolean;
}

interface VectorMesh {
  readonly rootNamespace: string;
  readonly trustDomain: string;
  readonly trustDomainAliases?: readonly string[];
  readonly pathNormalization?: PathNormalization;
  readonly numTrustedProxies?: number;
  readonly extensionProviders?: readonly Readonly<Record<string, unknown>>[];
}

/** One case of `vectors/envoy-*.jsonl`. */
export interface VectorCase {
  readonly id: string;
  readonly note?: string;
  readonly mesh: VectorMesh;
  readonly proxy: EnvoyProxy;
  readonly objects: readonly unknown[];
  readonly rejectedByEnvoy?: string;
  readonly requests: readonly VectorRequest[];
  readonly results: readonly VectorResult[];
}

/** All cases of one file. */
export function readVectors(name: string): readonly VectorCase[] {
  const lines = readFileSync(shared(`vectors/${name}.jsonl`), 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line): VectorCase => JSON.parse(line));
}

/** The engine's input for a case. A `jwksUri` in the vectors cannot be fetched. */
export function inputOf({ mesh, proxy, objects }: VectorCase): EnvoyInput {
  const decoded = objects.map((object) => decodeKubeObject(object, { file: 'vector', document: 0 }));
  const kept = decoded.filter((object): object is KubeObject => typeof object !== 'string');
  return {
    proxy,
    objects: kept,
    settings: {
      ...DEFAULT_SETTINGS,
      rootNamespace: mesh.rootNamespace,
      trustDomain: mesh.trustDomain,
      trustDomainAliases: mesh.trustDomainAliases ?? [],
      pathNormalization: mesh.pathNormalization ?? 'DEFAULT',
      numTrustedProxies: mesh.numTrustedProxies ?? 0,
      extensionProviders: (mesh.extensionProviders ?? []).map(providerOf),
      fetchedKeys: new Map([['http://127.0.0.1:1/jwks', null]]),
      verifySignature: verifyJws,
    },
  };
}

function providerOf(entry: Readonly<Record<string, unknown>>): AuthorizationProvider {
  const kind = 'envoyExtAuthzHttp' in entry ? 'http' : 'envoyExtAuthzGrpc' in entry ? 'grpc' : null;
  const config = entry['envoyExtAuthzHttp'] ?? entry['envoyExtAuthzGrpc'];
  const { service, port, failOpen, statusOnError }: Readonly<Record<string, unknown>> = isRecord(config) ? config : {};
  return {
    name: String(entry['name'] ?? ''),
    kind,
    service: String(service ?? ''),
    port: Number(port ?? 0),
    failOpen: failOpen === true,
    statusOnError: Number(statusOnError ?? 403),
  };
}

/** The time at which the vectors were made lies between the times that occur in their tokens. */
const NOW_SECONDS = 1_795_000_000;

/** The request of a case as the engine takes it. */
export function requestOf(request: VectorRequest, vector: VectorCase): EnvoyRequest {
  return {
    protocol: request.protocol,
    transport: request.tls,
    identity: parseSpiffeId(request.srcIdentity),
    sourceAddress: request.srcIp,
    remoteAddress: null,
    destinationAddress: request.dstIp,
    destinationPort: request.dstPort,
    serverName: request.sni ?? null,
    method: request.method ?? UNKNOWN,
    host: request.host ?? UNKNOWN,
    path: request.path ?? UNKNOWN,
    headers: request.headers,
    headersComplete: true,
    http2: request.h2 === true,
    scheme: request.h2 === true ? 'http' : null,
    token: { kind: 'read' },
    authorizer: authorizerOf(request, vector),
    metadata: {},
    time: NOW_SECONDS,
  };
}

/** The test authorizer of the vectors (vectors/README-envoy.md). Nothing listens on port 8001. */
function authorizerOf(request: VectorRequest, { mesh }: VectorCase): AuthorizerAnswer {
  if (JSON.stringify(mesh.extensionProviders ?? []).includes('"port":8001')) return { kind: 'unreachable' };
  if (request.protocol === 'tcp') {
    const trusted = request.srcIdentity?.endsWith('/sa/trusted') ?? false;
    return trusted ? { kind: 'allow' } : { kind: 'deny', status: 403, body: '' };
  }
  const wanted = request.headers.find(([name]) => name === 'x-ext-authz')?.[1] ?? '';
  if (wanted === 'allow') return { kind: 'allow' };
  if (wanted === 'hang') return { kind: 'unreachable' };
  const status = Number(/^status-(\d+)$/.exec(wanted)?.[1] ?? 403);
  return { kind: 'deny', status, body: 'denied by the external authorizer' };
}
