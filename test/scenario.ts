import { readFileSync } from 'node:fs';
import { parse, parseAllDocuments } from 'yaml';
import { decodeManifests } from '../src/mesh/manifests.ts';
import { readMesh } from '../src/mesh/read.ts';
import { createMesh } from '../src/mesh/view.ts';
import type { MeshView } from '../src/model/mesh.ts';
import { listOf, recordOf, textMapOf, textOf, valueAt } from '../src/text/untyped.ts';

type Json = Readonly<Record<string, unknown>>;

/** The parsed scenario file (`schema: mesh-scenario/v1`). */
export function loadScenario(path: string): Json {
  return recordOf(parse(readFileSync(path, 'utf8')));
}

/** The cluster of a scenario file, read as `--mesh` reads it. */
export function meshFromScenario(path: string): MeshView {
  const { objects, sources } = readMesh([path]);
  return createMesh(objects, { sources });
}

/**
 * The mesh of a capture: `meta.yaml` of a ztunnel capture (objects, workloads, services), or of an Envoy capture (objects in
 * force; give the text of `_world.yaml` as well), or `_world.yaml` alone.
 */
export function meshFromCapture(metaYaml: string, worldYaml = ''): MeshView {
  const [meta] = parseAllDocuments(metaYaml).map((document) => recordOf(document.toJS()));
  if (meta === undefined || meta['kind'] !== undefined)
    return createMesh(decodeManifests(metaYaml, '_world.yaml').objects);
  if (meta['policiesInForce'] !== undefined) return envoyMesh(meta, worldYaml);
  const workloads = listOf(meta['workloads']).map(recordOf);
  const services = listOf(meta['services']).map(recordOf);
  const spaces = new Set([...workloads, ...services].map((item) => textOf(item['namespace']) ?? ''));
  return createMesh(
    [
      ...[...spaces].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
      ...workloads.map(podOf),
      ...services.map(serviceOf),
      ...listOf(meta['istio']),
    ],
    {
      trustDomain: textOf(valueAt(meta, 'cluster', 'trustDomain')) ?? 'cluster.local',
      rootNamespace: textOf(valueAt(meta, 'cluster', 'rootNamespace')) ?? 'istio-system',
    },
  );
}

function envoyMesh(meta: Json, worldYaml: string): MeshView {
  const world = decodeManifests(worldYaml, '_world.yaml').objects;
  const config = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'istio', namespace: 'istio-system' },
    data: { mesh: JSON.stringify(meta['meshConfig'] ?? {}) },
  };
  return createMesh([...world, config, ...listOf(meta['policiesInForce'])]);
}

/** Redirection is known from the pod, as istio-cni annotates it, so that the namespace needs no label. */
function podOf(workload: Json): Json {
  const { name, namespace, labels, serviceAccount, node, ip, ip6, protocol } = workload;
  const redirection = protocol === 'HBONE' ? { 'ambient.istio.io/redirection': 'enabled' } : {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels, annotations: redirection },
    spec: { serviceAccountName: serviceAccount, nodeName: node, containers: [{ name: 'app' }] },
    status: {
      podIP: ip,
      podIPs: [ip, ip6].filter((address) => address !== undefined).map((address) => ({ ip: address })),
    },
  };
}

function serviceOf(service: Json): Json {
  const { name, namespace, vips, ports } = service;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: {
      clusterIPs: vips,
      ports: Object.entries(recordOf(ports)).map(([port, targetPort]) => ({ port: Number(port), targetPort })),
    },
  };
}

const STAND_INS: readonly (readonly [RegExp, string])[] = [
  [/<RFC3339 ts>/g, '2026-11-21T12:05:48.841732Z'],
  [/^<ts>/g, '2026-11-21T12:05:48.841732Z'],
  [/<ts>/g, '2026-11-21T12:05:48.841Z'],
  [/<(?:ephemeral|port)>/g, '51234'],
  [/<n>/g, '2'],
  [/<bytes>/g, '19'],
  [/<ms>/g, '3'],
  [/<user-agent>/g, 'curl/8.5.0'],
  [/<request-id>/g, '482358cf-46b1-4c1e-9b7a-a1b200002937'],
  [/src\.addr=\.\.\./g, 'src.addr=10.0.0.9:51234'],
  [/(?<=access.*) \.\.\.(?= )/g, ''],
];
const ZTUNNEL = /^(\S+) (error|warn|info) access connection complete (.*)$/s;

/** Components of a scenario whose words are in no log. */
const NOT_LOGGED: ReadonlySet<string> = new Set(['client', 'istioctl analyze', 'AuthorizationPolicy status condition']);

/**
 * The log lines of a scenario, with values in the place of its `<…>`. What no log holds is left out: what clients saw, and
 * lines that are only told of, in parentheses. A shape that starts with `...` repeats the line before it but for the error
 * it names.
 */
export function scenarioLines(scenario: unknown): string[] {
  const lines: string[] = [];
  for (const log of listOf(valueAt(scenario, 'logs'))) {
    const { component = '', shape = '(' } = textMapOf(log);
    if (NOT_LOGGED.has(component) || shape.startsWith('(')) continue;
    lines.push(shape.startsWith('... ') ? repeated(lines.at(-1) ?? '', shape) : rendered(shape));
  }
  return lines;
}

function repeated(before: string, shape: string): string {
  const error = /error="[^"]*"/.exec(shape)?.[0] ?? '';
  return before.replace(/error="[^"]*"/, error);
}

function rendered(shape: string): string {
  const line = STAND_INS.reduce((text, [pattern, value]) => text.replace(pattern, value), shape);
  return line.replace(ZTUNNEL, '$1\t$2\taccess\tconnection complete\t$3');
}
