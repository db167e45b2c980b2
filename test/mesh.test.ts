import { mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeManifests } from '../src/mesh/manifests.ts';
import { readMesh } from '../src/mesh/read.ts';
import { createMesh, type MeshOptions, unknownMesh } from '../src/mesh/view.ts';
import { Failure } from '../src/model/failure.ts';
import type { KubeObject, MeshView, Pod } from '../src/model/mesh.ts';
import { listOf, textOf, valueAt } from '../src/text/untyped.ts';
import { loadScenario, meshFromCapture, meshFromScenario, scenarioLines } from './scenario.ts';
import { hasShared, needsShared, shared } from './shared.ts';

const FOLDER = fileURLToPath(new URL('../fixtures/mesh/folder', import.meta.url));

function names(objects: readonly KubeObject[]): string[] {
  return objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);
}

function listedIn(cluster: unknown, part: string): (string | null)[] {
  return listOf(valueAt(cluster, part)).map((entry) => textOf(valueAt(entry, 'name')));
}

function readText(path: string): string {
  return readFileSync(shared(path), 'utf8');
}

function mesh(yaml: string, options?: MeshOptions): MeshView {
  return createMesh(decodeManifests(yaml, 'mesh.yaml').objects, options);
}

function pod(fields: string, namespaceLabels: string | null): Pod['dataplane'] | undefined {
  const namespace =
    namespaceLabels === null ? '' : `{kind: Namespace, metadata: {name: a, labels: ${namespaceLabels}}}\n---\n`;
  return mesh(`${namespace}{apiVersion: v1, kind: Pod, ${fields}}`).pods[0]?.dataplane;
}

describe('readMesh', () => {
  it('uses what can be read of a folder, in sorted order, and says what cannot', () => {
    const { objects, problems, sources } = readMesh([FOLDER]);
    expect(names(objects)).toEqual([
      'Pod shop/web-0',
      'AuthorizationPolicy shop/first',
      'AuthorizationPolicy shop/last',
    ]);
    expect(sources).toEqual([FOLDER]);
    expect(problems.map(({ message }) => message.replaceAll(`${FOLDER}/`, ''))).toEqual([
      expect.stringMatching(/^policies\.yaml:1[12]: /),
      'template.yaml:1: a Helm template, not a manifest: render it first (helm template)',
      'AuthorizationPolicy shop/first stands in nested/pods.json and policies.yaml; the last one counts',
    ]);
  });

  it('names file and document of every object', () => {
    const { objects } = readMesh([join(FOLDER, 'policies.yaml')]);
    expect(objects.map(({ source }) => source.document)).toEqual([0, 2]);
  });

  it('enters a folder once, whatever links lead to it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mesh-'));
    writeFileSync(join(folder, 'a.yaml'), '{apiVersion: v1, kind: Namespace, metadata: {name: a}}');
    symlinkSync(folder, join(folder, 'again'));
    symlinkSync(join(folder, 'nowhere'), join(folder, 'gone.yaml'));
    expect(names(readMesh([folder]).objects)).toEqual(['Namespace /a']);
  });

  it('reads what PowerShell writes', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'mesh-')), 'a.yaml');
    writeFileSync(file, `\ufeffkind: Namespace\r\nmetadata:\r\n  name: a\r\n`, 'utf16le');
    expect(names(readMesh([file]).objects)).toEqual(['Namespace /a']);
  });

  it('refuses a path that cannot be read, and standard input', () => {
    expect(() => readMesh([join(FOLDER, 'nothing')])).toThrow(Failure);
    expect(() => readMesh(['-'])).toThrow(Failure);
  });
});

describe('decodeManifests', () => {
  it('reads Lists in Lists, and items that leave out their kind', () => {
    const inner = {
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthenticationList',
      items: [{ metadata: { name: 'a' } }],
    };
    const text = JSON.stringify({
      kind: 'List',
      items: [inner, { kind: 'Node', metadata: { name: 'n', namespace: 'x' } }],
    });
    const { objects, problems } = decodeManifests(text, 'a.json');
    expect(names(objects)).toEqual(['PeerAuthentication default/a', 'Node /n']);
    expect(objects[0]?.raw['apiVersion']).toBe('security.istio.io/v1');
    expect(problems).toEqual([]);
  });

  it('writes out what YAML aliases share, so that an edit of one place leaves the other', () => {
    const { objects } = decodeManifests('{kind: A, metadata: {name: a}, x: &x [1], y: *x}', 'a.yaml');
    const { x, y } = objects[0]?.raw ?? {};
    expect(x).toEqual(y);
    expect(x).not.toBe(y);
  });

  it.each([
    ['an anchor within itself', '{kind: A, metadata: {name: a}, x: &x [*x]}'],
    [
      'a billion laughs',
      `${['a: &a [1,1,1,1,1,1,1,1,1]', ...[...'bcdefghi'].map((key, index) => `${key}: &${key} [${Array(9).fill(`*${'abcdefgh'[index]}`).join()}]`)].join('\n')}\nkind: A\nmetadata: {name: a}`,
    ],
    ['brackets without end', '['.repeat(100_000)],
    ['lists without end', `${'{kind: List, items: ['.repeat(500)}${']}'.repeat(500)}`],
    ['no object', 'just text'],
    ['no name', '{kind: A, metadata: {name: 7}}'],
    ['a name of a template', '{kind: A, metadata: {name: "{{ .x }}"}}'],
  ])('%s is a problem', (_what, text) => {
    const { objects, problems } = decodeManifests(text, 'a.yaml');
    expect(objects).toEqual([]);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.message).toMatch(/^a\.yaml/);
  });

  it('never throws, and no object it finds breaks a view', () => {
    const piece = fc.constantFrom(
      'kind: Pod\n',
      'metadata:\n',
      '  name: a\n',
      'spec: ',
      '&a ',
      '*a',
      '{{ x }}',
      '---\n',
      '- ',
      '[',
      '}',
      '"',
      '\u0000',
      '? ',
      '!!binary ',
      '<<: ',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(piece).map((parts) => parts.join('')),
          fc.string(),
          fc.json(),
        ),
        (text) => {
          createMesh(decodeManifests(text, 'a').objects);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('any value may stand anywhere in an object', () => {
    const kinds = fc.constantFrom(
      'Pod',
      'Service',
      'Namespace',
      'ConfigMap',
      'Deployment',
      'IstioOperator',
      'ServiceAccount',
    );
    const keys = fc.constantFrom(
      'containers',
      'ports',
      'podIPs',
      'template',
      'selector',
      'clusterIPs',
      'mesh',
      'labels',
      'meshConfig',
      '__proto__',
      'name',
      'conditions',
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof({ maxDepth: 4 }, fc.jsonValue(), fc.array(tie('tree')), fc.dictionary(keys, tie('tree'))),
    }));
    fc.assert(
      fc.property(kinds, tree, tree, tree, (kind, spec, status, data) => {
        const object = { apiVersion: 'v1', kind, metadata: { name: 'istio', labels: spec }, spec, status, data };
        const view = createMesh([object, data]);
        view.podByIp('10.0.0.1');
        view.serviceByHost(JSON.stringify(spec));
      }),
      { numRuns: 500 },
    );
  });
});

describe('createMesh', () => {
  it('takes plain objects as well as read ones', () => {
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } };
    const { objects } = decodeManifests(JSON.stringify(object), 'a.json');
    expect(createMesh([object]).namespaces).toEqual(createMesh(objects).namespaces);
  });

  it('takes settings from the mesh configuration, and options before it', () => {
    const config = `
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: mesh, labels: {operator.istio.io/version: 1.27.3, istio.io/rev: default}}
data: {mesh: "trustDomain: td\\ntrustDomainAliases: [old]\\nrootNamespace: mesh"}
`;
    expect(mesh(config)).toMatchObject({
      trustDomain: 'td',
      trustDomainAliases: ['old'],
      rootNamespace: 'mesh',
      istioVersion: '1.27',
    });
    expect(mesh(config, { trustDomain: 'other' }).trustDomain).toBe('other');
    expect(mesh('kind: A')).toMatchObject({
      trustDomain: 'cluster.local',
      rootNamespace: 'istio-system',
      istioVersion: null,
    });
  });

  it.each([
    ['{kind: IstioOperator, metadata: {name: a}, spec: {tag: 1.24.2, meshConfig: {trustDomain: td}}}', 'td', '1.24'],
    [
      '{apiVersion: sailoperator.io/v1, kind: Istio, metadata: {name: a}, spec: {version: v1.26.0, values: {meshConfig: {trustDomain: td}}}}',
      'td',
      '1.26',
    ],
    [
      '{kind: Deployment, metadata: {name: istiod}, spec: {template: {spec: {containers: [{image: "docker.io/istio/pilot:1.28.1-distroless@sha256:0"}]}}}}',
      'cluster.local',
      '1.28',
    ],
  ])('reads %s', (yaml, trustDomain, istioVersion) => {
    expect(mesh(yaml)).toMatchObject({ trustDomain, istioVersion });
  });

  it('does not take a Knative Service or a Calico NetworkPolicy for Kubernetes ones', () => {
    const view = mesh(
      '{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: a}}\n---\n{apiVersion: crd.projectcalico.org/v1, kind: NetworkPolicy, metadata: {name: a}}',
    );
    expect(view.services).toEqual([]);
    expect(view.objectsOf('NetworkPolicy')).toEqual([]);
    expect(view.objects).toHaveLength(2);
  });

  it('finds a Service by every form of its name and by its addresses', () => {
    const view = mesh(
      '{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIP: 10.96.0.1, ports: [{port: 80, targetPort: "8080"}]}}',
    );
    for (const host of ['web.shop', 'web.shop.svc', 'web.shop.svc.cluster.local', 'WEB.shop.svc.corp.']) {
      expect(view.serviceByHost(host)?.name).toBe('web');
    }
    expect(view.serviceByHost('web.shop.example.com')).toBeNull();
    expect(view.serviceByIp('::ffff:10.96.0.1')?.ports[0]?.targetPort).toBe(8080);
  });

  it('gives no pod for an address that several have, and none for one that a finished pod had', () => {
    const at = (name: string, phase: string, ip: string): string =>
      `{apiVersion: v1, kind: Pod, metadata: {name: ${name}}, status: {phase: ${phase}, podIP: ${ip}}}`;
    const view = mesh(
      [
        at('a', 'Running', '10.0.0.1'),
        at('b', 'Running', '10.0.0.1'),
        at('c', 'Succeeded', '10.0.0.2'),
        at('d', 'Running', '10.0.0.2'),
      ].join('\n---\n'),
    );
    expect(view.podByIp('10.0.0.1')).toBeNull();
    expect(view.podByIp('10.0.0.2')?.name).toBe('d');
  });

  it('knows service accounts from objects, pods and templates, but pods from pods only', () => {
    const template = 'template: {metadata: {labels: {app: x}}, spec: {serviceAccountName: s, containers: [{name: c}]}}';
    const view = mesh(
      `{kind: ServiceAccount, metadata: {name: a}}\n---\n{kind: Deployment, metadata: {name: d, namespace: n}, spec: {${template}}}\n---\n{kind: CronJob, metadata: {name: c, namespace: m}, spec: {jobTemplate: {spec: {${template}}}}}`,
    );
    expect([...view.serviceAccounts]).toEqual(['default/a', 'm/s', 'n/s']);
    expect(view.pods).toEqual([]);
  });

  it('says when the newest object was written', () => {
    const view = mesh(
      '{kind: A, metadata: {name: a, creationTimestamp: "2026-01-01T00:00:00Z", managedFields: [{time: "2026-02-01T00:00:00Z"}]}}',
    );
    expect(view.takenAt).toBe('2026-02-01T00:00:00.000000Z');
  });

  it('knows nothing without objects being given', () => {
    expect(unknownMesh.known).toBe(false);
    expect(createMesh([]).known).toBe(true);
  });
});

describe('dataplane of a pod', () => {
  const live = 'spec: {containers: [{name: app}]}, status: {podIP: 10.0.0.1}';
  const ambient = '{istio.io/dataplane-mode: ambient}';
  const cases: readonly (readonly [Pod['dataplane'], string, string | null])[] = [
    ['ambient', `metadata: {name: p, namespace: a}, ${live}`, ambient],
    ['none', `metadata: {name: p, namespace: a, labels: {istio.io/dataplane-mode: none}}, ${live}`, ambient],
    ['ambient', `metadata: {name: p, namespace: a, labels: {istio.io/dataplane-mode: ambient}}, ${live}`, '{}'],
    [
      'ambient',
      `metadata: {name: p, namespace: a, annotations: {ambient.istio.io/redirection: enabled}}, ${live}`,
      null,
    ],
    ['none', 'metadata: {name: p, namespace: a}, spec: {hostNetwork: true}', ambient],
    ['sidecar', 'metadata: {name: p, namespace: a}, spec: {containers: [{name: app}, {name: istio-proxy}]}', '{}'],
    ['sidecar', 'metadata: {name: p, namespace: a}, spec: {initContainers: [{name: istio-proxy}]}', ambient],
    ['sidecar', 'metadata: {name: p, namespace: a, labels: {security.istio.io/tlsMode: istio}}', null],
    ['none', `metadata: {name: p, namespace: a}, ${live}`, '{istio-injection: enabled}'],
    ['unknown', 'metadata: {name: p, namespace: a}, spec: {containers: [{name: app}]}', '{istio-injection: enabled}'],
    ['none', `metadata: {name: p, namespace: a}, ${live}`, '{}'],
    ['unknown', `metadata: {name: p, namespace: a}, ${live}`, null],
  ];
  it.each(cases)('is %s for %s in a namespace with %s', (wanted, fields, namespaceLabels) => {
    expect(pod(fields, namespaceLabels)).toBe(wanted);
  });
});

describe.skipIf(!hasShared)(needsShared('scenarios and captures'), () => {
  const scenarios = hasShared ? readdirSync(shared('scenarios')).filter((file) => file.endsWith('.yaml')) : [];

  it.each(scenarios)('%s is a mesh with all its pods and policies', (file) => {
    const path = shared(`scenarios/${file}`);
    expect(readMesh([path]).problems).toEqual([]);
    const { cluster } = loadScenario(path);
    const view = meshFromScenario(path);
    expect(view.pods.map(({ name }) => name)).toEqual(listedIn(cluster, 'pods'));
    expect(view.services.map(({ name }) => name)).toEqual(listedIn(cluster, 'services'));
    expect(view.istioVersion).toMatch(/^1\.\d+$/);
    expect(view.pods.filter(({ dataplane }) => dataplane === 'unknown')).toEqual([]);
  });

  it('renders lines without place-holders, with tabs between the columns of ztunnel', () => {
    const lines = scenarios.flatMap((file) => scenarioLines(loadScenario(shared(`scenarios/${file}`))));
    expect(lines.length).toBeGreaterThan(30);
    for (const line of lines) expect(line).not.toMatch(/<[a-zA-Z]/);
    expect(lines.filter((line) => line.includes('\taccess\tconnection complete\t')).length).toBeGreaterThan(15);
  });

  it('reads the world of every ztunnel capture', () => {
    for (const folder of readdirSync(shared('captures/ztunnel'))) {
      const view = meshFromCapture(readText(`captures/ztunnel/${folder}/meta.yaml`));
      expect(view.pods.length, folder).toBeGreaterThan(0);
    }
  });

  it('reads the world of the Envoy captures', () => {
    const view = meshFromCapture(
      readText('captures/envoy/ext-authz-http/meta.yaml'),
      readText('captures/envoy/_world.yaml'),
    );
    expect(view.podByIp('10.244.1.10')?.dataplane).toBe('sidecar');
    expect(view.objectsOf('AuthorizationPolicy', 'shop').length).toBeGreaterThan(0);
  });
});
