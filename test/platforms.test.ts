import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readMesh } from '../src/mesh/read.ts';
import { createMesh } from '../src/mesh/view.ts';
import type { MeshView } from '../src/model/mesh.ts';
import { type End, expectedFlow } from '../src/platforms/expected-flow.ts';
import { homeFile, homeOf } from '../src/platforms/file-layout.ts';
import { platforms } from '../src/platforms/index.ts';
import { planChanges } from '../src/remedy/patch/plan.ts';
import { reportOn } from './analysis.ts';

describe('what is known of platforms', () => {
  const flows = platforms.flatMap((platform) => platform.flows);

  it('has names that are told apart', () => {
    expect(platforms.map(({ id }) => id)).toEqual([...platforms.map(({ id }) => id)].sort());
    expect(new Set(flows.map(({ id }) => id)).size).toBe(flows.length);
    expect(flows.length).toBeGreaterThan(30);
  });

  it.each(flows.map((flow) => [flow.id, flow] as const))('%s is told in whole sentences', (_, flow) => {
    expect(flow.purpose).not.toMatch(/\.$/);
    expect(flow.exception).not.toMatch(/\.$/);
    expect(flow.without).toMatch(/^Without it .*\.$/);
    if (flow.forwards !== null) expect(flow.forwards).toMatch(/\.$/);
    expect(flow.ports.every((port) => Number.isInteger(port) && port > 0 && port < 65_536)).toBe(true);
  });

  it.each(platforms.map((platform) => [platform.title, platform] as const))(
    '%s says where it is from',
    (_, platform) => {
      expect(platform.cites.length).toBeGreaterThan(0);
      expect(platform.notes.every((note) => note.endsWith('.'))).toBe(true);
      expect(platform.changed.every(({ was, is }) => was !== is)).toBe(true);
    },
  );
});

const end = (namespace: string, name: string | null, account: string | null = null): End => ({
  namespace,
  account,
  names: name === null ? [] : [name],
});
const revision = end('models', 'iris-predictor-00001-deployment');

/** Calls, and the flow that each is; null: none. */
const CALLS: readonly (readonly [string, End | null, End, number | null, readonly string[], string | null])[] = [
  ['Knative probes', end('knative-serving', 'activator'), revision, 8012, ['/healthz'], 'knative-activator-probe'],
  ['Knative forwards', end('knative-serving', 'activator'), revision, 8012, ['/v1/x'], 'knative-activator-forward'],
  ['Knative, unseen request', end('knative-serving', 'activator'), revision, 8112, [], 'knative-activator-forward'],
  [
    'Knative by account',
    end('knative-serving', null, 'activator'),
    revision,
    8012,
    ['/x'],
    'knative-activator-forward',
  ],
  ['Knative scrapes', end('knative-serving', 'autoscaler'), revision, 9090, ['/metrics'], 'knative-scrape'],
  ['an account that many have', end('knative-serving', 'webhook', 'controller'), revision, 9090, ['/metrics'], null],
  ['an activator of somebody else', end('dev', 'activator', 'activator'), revision, 8012, ['/healthz'], null],
  ['another port', end('knative-serving', 'activator'), revision, 5432, [], null],
  ['the kube-apiserver', null, end('knative-serving', 'webhook'), 8443, [], 'knative-webhook'],
  ['a pod at the webhook', end('dev', 'x'), end('knative-serving', 'webhook'), 8443, [], null],
  ['a gateway', end('istio-system', 'istio-ingressgateway'), revision, 8012, ['/x'], 'knative-gateway-to-revision'],
  ['a client', end('dev', 'web'), end('knative-serving', 'activator'), 8012, ['/x'], 'knative-client-to-activator'],
  [
    'a transformer',
    end('models', 'iris-transformer-00001-deployment'),
    revision,
    8012,
    [],
    'kserve-transformer-to-predictor',
  ],
  ['log-in', end('istio-system', 'istio-ingressgateway'), end('auth', 'dex'), 5556, [], 'kubeflow-login'],
  [
    'the gateway by its account alone',
    { namespace: 'istio-system', account: 'istio-ingressgateway-service-account', names: [] },
    revision,
    8012,
    ['/x'],
    'knative-gateway-to-revision',
  ],
  [
    'the activator of an older release, by its account alone',
    { namespace: 'knative-serving', account: 'controller', names: [] },
    revision,
    8012,
    ['/healthz'],
    'knative-activator-probe',
  ],
  [
    'the autoscaler at the activator',
    end('knative-serving', 'autoscaler', 'controller'),
    end('knative-serving', 'activator'),
    8012,
    ['/healthz'],
    'knative-autoscaler-probe',
  ],
  [
    'metadata of pipelines',
    end('kubeflow', 'metadata-grpc-deployment', 'metadata-grpc-server'),
    end('kubeflow', 'mysql'),
    3306,
    [],
    'kubeflow-pipelines-database',
  ],
  ['a stranger at the database', end('dev', 'attacker'), end('kubeflow', 'mysql'), 3306, [], null],
  [
    'a webhook of the trainer',
    null,
    end('kubeflow-system', 'jobset-controller-manager'),
    9443,
    [],
    'kubeflow-webhooks',
  ],
  ['documents', end('edp', 'edp-celery', 'edp-chart'), end('vdb', 'vdb-redis'), 6379, [], 'rag-edp-to-database'],
  ['an attacker', end('dev', 'attacker', 'attacker'), end('vdb', 'vdb-redis'), 6379, [], null],
];

describe('calls of platforms', () => {
  it.each(CALLS)('%s', (_, source, destination, port, paths, flow) => {
    expect(expectedFlow({ source, destination, port, paths })?.flow.id ?? null).toBe(flow);
  });

  it('any text may stand in the ends', () => {
    const text = fc.option(fc.string({ unit: 'binary' }), { nil: null });
    const anyEnd = fc.record({ namespace: text, account: text, names: fc.array(fc.string()) });
    fc.assert(
      fc.property(
        fc.option(anyEnd, { nil: null }),
        anyEnd,
        fc.option(fc.nat(), { nil: null }),
        (source, destination, port) => {
          expect(() => expectedFlow({ source, destination, port, paths: [] })).not.toThrow();
        },
      ),
    );
  });
});

const STRICT =
  'apiVersion: security.istio.io/v1beta1\nkind: PeerAuthentication\nmetadata:\n  name: default\nspec:\n  mtls:\n    mode: STRICT\n';
const AUTHZ = (namespace: string, name: string): string =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata:\n  name: ${name}\n  namespace: ${namespace}\nspec:\n  selector:\n    matchLabels:\n      app: ${name}\n  action: DENY\n  rules:\n  - from:\n    - source:\n        notPrincipals:\n        # the only one\n        - cluster.local/ns/edp/sa/edp-chart\n`;
const PODS = ['connector', 'store']
  .map((name, index) =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `${name}-0`,
        namespace: 'system',
        labels: { app: name },
        annotations: { 'ambient.istio.io/redirection': 'enabled' },
      },
      spec: { serviceAccountName: name, containers: [{ name: 'c', ports: [{ containerPort: 9443 }] }] },
      status: { podIP: `10.0.0.${index + 1}` },
    }),
  )
  .join('\n---\n');
const PLAINTEXT =
  '2026-11-21T12:05:51.841732Z\terror\taccess\tconnection complete\tsrc.addr=192.168.1.1:41775 dst.addr=10.0.0.1:9443 dst.workload="connector-0" dst.namespace="system" dst.identity="spiffe://cluster.local/ns/system/sa/connector" direction="inbound" bytes_sent=0 bytes_recv=0 duration="0ms" error="connection closed due to policy rejection: explicitly denied by: istio-system/istio_converted_static_strict"\n';

const NOT_ADMITTED =
  '2026-11-21T12:05:51.841732Z\terror\taccess\tconnection complete\tsrc.addr=10.0.0.7:41775 src.workload="web-0" src.namespace="web" src.identity="spiffe://cluster.local/ns/web/sa/web" dst.addr=10.0.0.1:15008 dst.hbone_addr=10.0.0.1:9443 dst.workload="connector-0" dst.namespace="system" dst.identity="spiffe://cluster.local/ns/system/sa/connector" direction="inbound" bytes_sent=0 bytes_recv=0 duration="0ms" error="connection closed due to policy rejection: allow policies exist, but none allowed"\n';

/** A repository in which the namespace of some files stands in their names only. */
function repository(files: Readonly<Record<string, string>>): { readonly root: string; readonly mesh: MeshView } {
  const root = mkdtempSync(join(tmpdir(), 'meshmend-layout-'));
  mkdirSync(join(root, 'istio', 'authz'), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, 'istio', name), text);
  const { objects, sources, texts } = readMesh([root]);
  return { root, mesh: createMesh(objects, { sources, texts }) };
}

describe('repositories that put the namespace into the name of a file', () => {
  const files = {
    'mTLS-strict.yaml': STRICT,
    'mTLS-strict-ingress-nginx.yaml': STRICT,
    'authz/authz-system.yaml': AUTHZ('system', 'store'),
    'authz/authz-edp.yaml': AUTHZ('edp', 'store'),
    'pods.yaml': PODS,
  };

  it('each namespace has what is meant for it', () => {
    const { mesh } = repository(files);
    const places = mesh.objectsOf('PeerAuthentication').map(({ metadata }) => metadata.namespace);
    expect([...places].sort()).toEqual(['edp', 'ingress-nginx', 'system']);
  });

  it('a file with a namespace written in it means that one', () => {
    const { mesh } = repository({ 'mTLS-strict-edp.yaml': STRICT.replace('default', 'default\n  namespace: other') });
    expect(mesh.objectsOf('PeerAuthentication').map(({ metadata }) => metadata.namespace)).toEqual(['other']);
  });

  it('a new exception goes into the file of its namespace, with what this file takes the place of', () => {
    const { root, mesh } = repository(files);
    const [finding] = reportOn({ log: PLAINTEXT }, mesh).findings;
    const [change] = finding?.remedies.flatMap(({ changes }) => changes) ?? [];
    expect(change?.file).toBe(join(root, 'istio', 'mTLS-strict-system.yaml'));
    const added = (change?.diff ?? '').split('\n').filter((line) => line.startsWith('+') && !line.startsWith('+++'));
    const text = added.map((line) => line.slice(1)).join('\n');
    expect(change?.diff).toMatch(/^--- \/dev\/null\n/);
    expect(text).toMatch(/name: default\n {2}namespace: system[\s\S]*\n---\n[\s\S]*portLevelMtls/);
  });

  it('and to the end of that file where it is there', () => {
    const { mesh } = repository({ ...files, 'mTLS-strict-system.yaml': STRICT });
    const [finding] = reportOn({ log: PLAINTEXT }, mesh).findings;
    const [change] = finding?.remedies.flatMap(({ changes }) => changes) ?? [];
    expect(change?.diff).toMatch(/^--- a\/.*mTLS-strict-system\.yaml\n/);
    expect(change?.diff).toMatch(/\n \s+mode: STRICT\n\+---\n/);
  });

  it('the plan of patches has new objects at the end of their files', () => {
    const list =
      'apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata:\n  name: list\n  namespace: system\nspec:\n  rules:\n  - from:\n    - source:\n        principals: [cluster.local/ns/edp/sa/edp-chart] # all\n';
    const { mesh } = repository({ ...files, 'authz/authz-system.yaml': list });
    const { diffs } = planChanges(reportOn({ log: NOT_ADMITTED }, mesh).findings, mesh);
    const text = diffs.map((diff) => diff.text).join('');
    expect(text).toMatch(/^--- a\/.*authz-system\.yaml\n/);
    expect(text).toMatch(/\n [^\n]*# all\n\+---\n\+apiVersion: security.istio.io\/v1\n/);
  });

  it('names files as they are named there', () => {
    expect(homeOf('PeerAuthentication', 'a/istio/mTLS-strict-vdb.yaml')).toEqual({
      root: 'a/istio/',
      namespace: 'vdb',
    });
    expect(homeOf('AuthorizationPolicy', 'istio/authz/authz-vdb.yaml')).toEqual({ root: 'istio/', namespace: 'vdb' });
    expect(homeOf('PeerAuthentication', 'mTLS-strict.yaml')).toEqual({ root: '', namespace: null });
    expect(homeOf('NetworkPolicy', 'mTLS-strict-vdb.yaml')).toBeNull();
    expect(homeFile('AuthorizationPolicy', 'istio/', 'edp')).toBe('istio/authz/authz-edp.yaml');
  });
});
