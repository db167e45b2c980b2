import { parsers } from '../parsers/index.ts';
import { createMesh, type MeshOptions } from '../src/mesh/view.ts';
import type { Finding } from '../src/model/finding.ts';
import { UNKNOWN_ORIGIN } from '../src/model/line.ts';
import type { MeshView, Pod } from '../src/model/mesh.ts';
import type { Draft, ObjectChange } from '../src/model/remedy.ts';
import type { Flow, Traffic } from '../src/model/traffic.ts';
import { type Probe, UNKNOWN_REQUEST } from '../src/policy/way/probe.ts';
import { identityOf, principalOf } from '../src/text/spiffe.ts';
import { textOf, valueAt } from '../src/text/untyped.ts';
import { emptyTraffic, fold } from '../src/traffic/traffic.ts';

type Json = Readonly<Record<string, unknown>>;

/** A pod of a workload; `mode` is how it takes part in the mesh. */
export function pod(
  namespace: string,
  workload: string,
  serviceAccount: string,
  mode: 'ambient' | 'sidecar' | 'none' = 'ambient',
  labels: Json = { app: workload },
): Json {
  const annotations = mode === 'ambient' ? { 'ambient.istio.io/redirection': 'enabled' } : {};
  const containers = [{ name: 'app', ports: [{ containerPort: 8080 }] }];
  const name = `${workload}-6d4cf56db6-x7x2p`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels, annotations },
    spec: {
      serviceAccountName: serviceAccount,
      containers: mode === 'sidecar' ? [...containers, { name: 'istio-proxy' }] : containers,
    },
    status: { podIP: addressOf(`${namespace}/${name}`) },
  };
}

function addressOf(name: string): string {
  const sum = [...name].reduce((total, letter) => (total * 31 + letter.charCodeAt(0)) % 64_000, 7);
  return `10.1.${sum >> 8}.${sum & 255}`;
}

export function namespace(name: string, labels: Json = {}): Json {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

export function policy(home: string, name: string, spec: unknown, kind = 'AuthorizationPolicy'): Json {
  const apiVersion = kind === 'NetworkPolicy' ? 'networking.k8s.io/v1' : 'security.istio.io/v1';
  return { apiVersion, kind, metadata: { name, namespace: home }, spec };
}

/** Callers in `shop` and `batch`, the destination `pay/api`, and what else is given. */
export function smallMesh(
  more: readonly unknown[],
  mode: 'ambient' | 'sidecar' = 'ambient',
  options: MeshOptions = {},
): MeshView {
  const names = new Set(
    more
      .filter((object) => valueAt(object, 'kind') === 'Namespace')
      .map((object) => valueAt(object, 'metadata', 'name')),
  );
  return createMesh(
    [
      ...['shop', 'batch', 'pay', 'istio-system'].filter((name) => !names.has(name)).map((name) => namespace(name)),
      pod('shop', 'web', 'web', mode),
      pod('shop', 'cart', 'cart', mode),
      pod('batch', 'report', 'report', mode),
      pod('pay', 'api', 'api', mode),
      pod('pay', 'ledger', 'ledger', mode),
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'api', namespace: 'pay' },
        spec: {
          clusterIP: '10.96.0.1',
          selector: { app: 'api' },
          ports: [{ port: 80, targetPort: 8080 }],
        },
      },
      ...more,
    ],
    options,
  );
}

export function podOf(mesh: MeshView, home: string, workload: string): Pod {
  const found = mesh.podByName(home, `${workload}-6d4cf56db6-x7x2p`);
  if (found === null) throw new Error(`no pod ${home}/${workload}`);
  return found;
}

/** A connection, or with `method` and `path` a request, from an identity to `pay/api`. */
export function probeFrom(
  mesh: MeshView,
  home: string,
  account: string,
  { port = 8080, method = null, path = null }: { port?: number; method?: string | null; path?: string | null } = {},
): Probe {
  const request =
    method === null
      ? { ...UNKNOWN_REQUEST, protocol: 'tcp' as const }
      : { ...UNKNOWN_REQUEST, protocol: 'http' as const, method, path, host: 'api.pay' };
  const identity = identityOf(mesh.trustDomain, home, account);
  return {
    source: { kind: 'identity', identity, ip: null, pods: [] },
    destination: { kind: 'pods', name: 'pay/api', pods: [podOf(mesh, 'pay', 'api')], port },
    request,
  };
}

/** A refusal by policy of which nothing else is known. */
export const BLANK_FINDING: Finding = {
  fingerprint: 'f',
  ruleId: 'r',
  category: 'authorization',
  level: 'error',
  certainty: 'certain',
  title: 't',
  cause: 'c',
  count: 1,
  firstSeen: null,
  lastSeen: null,
  source: { identity: null, principal: null, workload: null, namespace: null, addresses: [] },
  destination: { identity: null, workload: null, namespace: null, service: null, address: null, port: null },
  enforcedBy: null,
  policies: [],
  nearMiss: [],
  intended: 'unknown',
  intendedBecause: null,
  evidence: [],
  unchecked: [],
  flows: [],
};

/** The finding that `shop/web` was refused at `pay/api`. */
export function refusal(mesh: MeshView, fields: Partial<Finding> = {}): Finding {
  const identity = identityOf(mesh.trustDomain, 'shop', 'web');
  const target = podOf(mesh, 'pay', 'api');
  return {
    ...BLANK_FINDING,
    source: { identity, principal: principalOf(identity), workload: 'web', namespace: 'shop', addresses: [] },
    destination: {
      identity: null,
      workload: target.name,
      namespace: 'pay',
      service: null,
      address: target.ips[0] ?? null,
      port: 8080,
    },
    enforcedBy: 'ztunnel',
    ...fields,
  };
}

/** The flows of some requests (`GET /a`) that an Envoy refused, folded as they would be out of a log. */
export function requestFlows(...requests: readonly string[]): readonly Flow[] {
  const traffic: Traffic = emptyTraffic();
  requests.forEach((request, index) => {
    const denied = '403 - rbac_access_denied_matched_policy[none] - "-" 0 19 3 - "-" "-" "-" "api.pay" "-"';
    const tail = 'inbound|8080|| - 10.0.0.1:8080 10.0.0.2:5000 - -';
    const line = `[2026-11-21T12:05:48.${String(100 + index)}Z] "${request} HTTP/1.1" ${denied} ${tail}`;
    const at = { input: 'log', line: index + 1 };
    const envelope = { at, wrappings: [], time: null, origin: UNKNOWN_ORIGIN, payload: line };
    const record = parsers.find(({ id }) => id === 'envoy-text')?.parse(envelope) ?? null;
    if (record?.kind !== 'request') throw new Error('no record');
    fold(traffic, record);
  });
  return [...traffic.flows.values()];
}

/** A draft of changes that nobody proposed. */
export function draftOfChanges(...changes: readonly ObjectChange[]): Draft {
  const commands = { confirm: [], apply: [], verify: [], rollback: [] };
  return { kind: 'policy-change', summary: 's', risk: null, decision: null, changes, commands };
}

/** A change of an object as plain data; `before` null creates it. */
export function changeOf(before: Json | null, after: Json): ObjectChange {
  const [apiVersion = '', kind = '', home = '', name = ''] = [
    after['apiVersion'],
    after['kind'],
    valueAt(after, 'metadata', 'namespace'),
    valueAt(after, 'metadata', 'name'),
  ].map((text) => textOf(text) ?? '');
  return {
    op: before === null ? 'create' : 'patch',
    object: { apiVersion, kind, namespace: home, name },
    before,
    after,
    jsonPatch: null,
    yaml: '',
    file: null,
    diff: null,
  };
}
