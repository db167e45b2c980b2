import type { KubeObject } from '../model/mesh.ts';
import { isRecord } from '../text/kube-object.ts';
import { listOf, recordOf, textMapOf, textOf, textsOf, valueAt } from '../text/untyped.ts';

type Json = Readonly<Record<string, unknown>>;
type Labels = Readonly<Record<string, string>>;

/** Marks objects made of what ztunnel knew, until it is known which of them are given as such. */
const DUMPED = 'dump.ztunnel.istio.io/v1';
/** What stands for the labels by which a Service selects its pods: a dump has its endpoints instead. */
const SELECTED_BY = 'endpoint.dump.ztunnel.istio.io/';

interface Dump {
  readonly workloads: readonly Json[];
  readonly services: readonly Json[];
}

/**
 * What ztunnel knows of its cluster: its `/config_dump`, in which workloads and services are lists (maps before Istio 1.23), and
 * what `istioctl ztunnel-config workloads|services|all -o json` prints of it (istio 86c9f01f
 * istioctl/pkg/writer/ztunnel/configdump/api.go).
 */
function readDump(value: unknown): Dump {
  const parts = Array.isArray(value) ? [value] : [valueAt(value, 'workloads'), valueAt(value, 'services')];
  const entries = parts
    .flatMap((part) => (Array.isArray(part) ? part : Object.values(recordOf(part))))
    .filter(isRecord);
  return {
    workloads: entries.filter((entry) => Array.isArray(entry['workloadIps']) && textOf(entry['uid']) !== null),
    services: entries.filter((entry) => Array.isArray(entry['vips']) && textOf(entry['hostname']) !== null),
  };
}

/** True for what ztunnel knows of its cluster, or a part of it. */
export function isZtunnelDump(value: unknown): boolean {
  const { workloads, services } = readDump(value);
  return workloads.length + services.length > 0;
}

/**
 * The pods and Services of a dump as a List, to be given to `settled`. Policies are left out: ztunnel has them in a converted form
 * only. Never throws.
 */
export function dumpedManifests(value: unknown): Json {
  const { workloads, services } = readDump(value);
  const called = servicesByName(services);
  const selectors = selectorsByUid(services);
  return {
    kind: 'List',
    apiVersion: 'v1',
    items: [
      ...workloads.flatMap((workload) => podOf(workload, selectors, called)),
      ...services.map((service) => serviceOf(service, called)),
    ],
  };
}

/** A uid is `CLUSTER/GROUP/KIND/NAMESPACE/NAME`; workloads that are no pods have no place in a mesh of Kubernetes objects. */
function podOf(
  workload: Json,
  selectors: ReadonlyMap<string, readonly string[]>,
  called: ReadonlyMap<string, Json>,
): readonly Json[] {
  const uid = textOf(workload['uid']) ?? '';
  const { name, namespace, serviceAccount, node, canonicalName } = workload;
  if (!uid.includes('//Pod/')) return [];
  const labels = {
    ...(canonicalName === 'ztunnel' ? { app: 'ztunnel' } : {}),
    ...Object.fromEntries((selectors.get(uid) ?? []).map((selector) => [selector, ''])),
    ...waypointLabels(workload, called),
  };
  // A waypoint takes HBONE, too, and is not enrolled.
  const isWaypoint = /waypoint/.test(`${canonicalName} ${serviceAccount}`);
  const isAmbient = workload['protocol'] === 'HBONE' && !isWaypoint;
  const annotations = isAmbient ? { 'ambient.istio.io/redirection': 'enabled' } : {};
  return [
    {
      apiVersion: DUMPED,
      kind: 'Pod',
      metadata: { name, namespace, labels, annotations },
      spec: { serviceAccountName: serviceAccount, nodeName: node, containers: [] },
      status: { podIPs: textsOf(workload['workloadIps']).map((ip) => ({ ip })) },
      authorizationPolicies: textsOf(workload['authorizationPolicies']),
    },
  ];
}

function serviceOf(service: Json, called: ReadonlyMap<string, Json>): Json {
  const addresses = textsOf(service['vips']).map((vip) => vip.slice(vip.indexOf('/') + 1));
  const ports = Object.entries(recordOf(service['ports'])).map(([port, target]) => ({
    port: Number(port),
    // 0: the container's port has a name, which is not told.
    targetPort: typeof target === 'number' && target > 0 ? target : Number(port),
  }));
  const { name, namespace } = service;
  return {
    apiVersion: DUMPED,
    kind: 'Service',
    metadata: { name, namespace, labels: waypointLabels(service, called) },
    spec: { clusterIP: addresses[0] ?? 'None', clusterIPs: addresses, selector: { [selectorOf(service)]: '' }, ports },
  };
}

function selectorOf({ namespace, name }: Json): string {
  return `${SELECTED_BY}${textOf(namespace)}.${textOf(name)}`;
}

/** What selects a workload, by its uid. */
function selectorsByUid(services: readonly Json[]): ReadonlyMap<string, readonly string[]> {
  const selectors = new Map<string, string[]>();
  for (const service of services) {
    for (const endpoint of Object.values(recordOf(service['endpoints']))) {
      const uid = textOf(valueAt(endpoint, 'workloadUid')) ?? '';
      const known = selectors.get(uid);
      if (known === undefined) selectors.set(uid, [selectorOf(service)]);
      else known.push(selectorOf(service));
    }
  }
  return selectors;
}

/** Services as waypoints are named: `NETWORK/ADDRESS` or `NAMESPACE/HOSTNAME`. */
function servicesByName(services: readonly Json[]): ReadonlyMap<string, Json> {
  return new Map(
    services.flatMap((service) =>
      [...textsOf(service['vips']), `${textOf(service['namespace'])}/${textOf(service['hostname'])}`].map(
        (name): [string, Json] => [name, service],
      ),
    ),
  );
}

function waypointLabels(of: Json, called: ReadonlyMap<string, Json>): Labels {
  const waypoint = called.get(textOf(valueAt(of, 'waypoint', 'destination')) ?? '');
  const [name, namespace] = [textOf(waypoint?.['name']), textOf(waypoint?.['namespace'])];
  if (name === null || namespace === null) return {};
  return { 'istio.io/use-waypoint': name, 'istio.io/use-waypoint-namespace': namespace };
}

/** The objects without those of dumps that are in `seen`, to which the others are added: each ztunnel knows the whole cluster. */
export function unseen(objects: readonly KubeObject[], seen: Set<string>): readonly KubeObject[] {
  return objects.filter((object) => {
    const isFirst = object.apiVersion !== DUMPED || !seen.has(nameOf(object));
    if (object.apiVersion === DUMPED) seen.add(nameOf(object));
    return isFirst;
  });
}

/** Objects in which what ztunnel knew stands in for what is not given, and how much of it does. */
export interface Settled {
  readonly objects: readonly KubeObject[];
  /** Files that pods or Services were taken from, and how many. */
  readonly files: readonly string[];
  readonly used: number;
}

/** Decides which objects of dumps are used: where a Pod or Service is given as such, that one is. All ztunnels know the same ones. */
export function settled(objects: readonly KubeObject[]): Settled {
  const given = objects.filter(({ apiVersion }) => apiVersion !== DUMPED);
  const known = new Set(given.map(nameOf));
  const used: KubeObject[] = [];
  for (const object of objects) {
    if (object.apiVersion !== DUMPED || known.has(nameOf(object))) continue;
    known.add(nameOf(object));
    used.push(withSelectedLabels(object, given));
  }
  const files = [...new Set(used.map(({ source }) => source.file))];
  return { objects: [...given, ...used], files, used: used.length };
}

function nameOf({ kind, metadata }: KubeObject): string {
  return `${kind}/${metadata.namespace}/${metadata.name}`;
}

/** What istiod names a PeerAuthentication that it turned into a policy of ztunnel (istio 86c9f01f pilot/pkg/serviceregistry/ambient/authorization.go). */
const CONVERTED = 'converted_peer_authentication_';

/** A dump has no labels, but the names of the policies that select a pod: with their labels they select it again. */
function withSelectedLabels(object: KubeObject, given: readonly KubeObject[]): KubeObject {
  const { authorizationPolicies, ...raw } = object.raw;
  const names = new Set(listOf(authorizationPolicies));
  const selecting = given.filter(({ kind, metadata: { namespace, name } }) =>
    names.has(`${namespace}/${kind === 'PeerAuthentication' ? CONVERTED : ''}${name}`),
  );
  const selected = selecting.map((policy) => textMapOf(valueAt(policy.raw, 'spec', 'selector', 'matchLabels')));
  const labels: Labels = Object.assign({}, ...selected, object.metadata.labels ?? {});
  const metadata = { ...object.metadata, labels };
  return {
    ...object,
    apiVersion: 'v1',
    metadata,
    raw: { ...raw, apiVersion: 'v1', metadata: { ...recordOf(raw['metadata']), labels } },
  };
}
