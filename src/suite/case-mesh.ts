import { deployed } from '../mesh/deployed.ts';
import { flattenObjects } from '../mesh/flatten.ts';
import type { Manifests } from '../mesh/manifests.ts';
import { createMesh, type MeshOptions } from '../mesh/view.ts';
import type { KubeObject, MeshView } from '../model/mesh.ts';
import type { CaseWords, MeshWords, SuiteWords, WorkloadMesh, WorkloadWords } from './case-format.ts';

/** Reads the manifests of a path that stands in a file of cases. */
export type LoadManifests = (path: string) => Manifests;

/** A mesh, and why some of what was written for it could not be used. */
export interface CaseMesh {
  readonly mesh: MeshView;
  readonly problems: readonly string[];
}

/** The mesh of a case: what its file holds and what it adds. */
export function meshOf(file: string, suite: SuiteWords, own: CaseWords | null, load: LoadManifests): CaseMesh {
  const settings = [suite.mesh, own?.mesh ?? null].filter((words) => words !== null);
  const problems: string[] = [];
  const written = [
    ...settings.flatMap(({ config }) => (config === null ? [] : [configMap(config)])),
    ...[...suite.namespaces].map(([name, labels]) => namespace(name, labels)),
    ...[...suite.workloads].map(([name, words]) => pod(name, words)),
    ...suite.objects,
    ...(own?.objects ?? []),
  ];
  const objects = written.flatMap((value, document) => {
    const { objects: found, problems: faults } = read(value, file, document, load);
    problems.push(...faults);
    return found;
  });
  return { mesh: createMesh(deployed(objects), settings.reduce(addSettings, {})), problems };
}

function read(
  value: unknown,
  file: string,
  document: number,
  load: LoadManifests,
): { readonly objects: readonly KubeObject[]; readonly problems: readonly string[] } {
  if (typeof value === 'string') {
    const { objects, problems } = load(value);
    return { objects, problems: problems.map(({ message }) => message) };
  }
  const { objects, reasons } = flattenObjects(value, { file, document });
  return { objects, problems: reasons.map((reason) => `objects: ${reason}`) };
}

function addSettings(options: MeshOptions, words: MeshWords): MeshOptions {
  const { rootNamespace, trustDomain, trustDomainAliases, istioVersion } = words;
  return {
    ...options,
    ...(rootNamespace === null ? {} : { rootNamespace }),
    ...(trustDomain === null ? {} : { trustDomain }),
    ...(trustDomainAliases === null ? {} : { trustDomainAliases }),
    ...(istioVersion === null ? {} : { istioVersion }),
  };
}

/** MeshConfig where an installation keeps it; JSON is YAML. */
function configMap(config: object): object {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'istio', namespace: 'istio-system' },
    data: { mesh: JSON.stringify(config) },
  };
}

function namespace(name: string, labels: ReadonlyMap<string, string>): object {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: Object.fromEntries(labels) } };
}

const PROXY = { name: 'istio-proxy' };
/** What istio-cni writes on a pod that it redirects, or does not. */
const REDIRECTION = 'ambient.istio.io/redirection';

/** How each kind of workload shows in its pod. */
const SIGNS: Readonly<Record<NonNullable<WorkloadMesh>, (app: object, name: string) => PodSigns>> = {
  ambient: (app) => ({ annotations: { [REDIRECTION]: 'enabled' }, labels: {}, containers: [app] }),
  sidecar: (app) => ({ annotations: {}, labels: {}, containers: [app, PROXY] }),
  none: (app) => ({
    annotations: { [REDIRECTION]: 'disabled', 'sidecar.istio.io/inject': 'false' },
    labels: {},
    containers: [app],
  }),
  gateway: (app) => ({ annotations: {}, labels: {}, containers: [{ ...app, ...PROXY }] }),
  waypoint: (app, name) => ({
    annotations: {},
    labels: {
      'gateway.networking.k8s.io/gateway-name': name,
      'gateway.networking.k8s.io/gateway-class-name': 'istio-waypoint',
    },
    containers: [{ ...app, ...PROXY }],
  }),
};

interface PodSigns {
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly containers: readonly object[];
}

function pod(full: string, { labels, serviceAccount, ip, mesh, ports }: WorkloadWords): object {
  const slash = full.indexOf('/');
  const [place, name] = slash < 0 ? ['default', full] : [full.slice(0, slash), full.slice(slash + 1)];
  const app = { name: 'app', ports: [...ports].map(([key, port]) => ({ name: key, containerPort: port })) };
  const signs = mesh === null ? { annotations: {}, labels: {}, containers: [app] } : SIGNS[mesh](app, name);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: place,
      labels: { ...signs.labels, ...Object.fromEntries(labels) },
      annotations: signs.annotations,
    },
    spec: { serviceAccountName: serviceAccount ?? 'default', containers: signs.containers },
    status: ip === null ? {} : { podIP: ip },
  };
}
