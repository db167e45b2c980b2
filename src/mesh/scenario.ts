import { stringify } from 'yaml';
import { isRecord } from '../text/kube-object.ts';
import { listOf, recordOf, textMapOf, textOf } from '../text/untyped.ts';

type Json = Readonly<Record<string, unknown>>;

const SCHEMA = 'mesh-scenario/v1';

/** True for a scenario: a small cluster written down as `cluster: {namespaces, pods, services, policies, …}`. */
export function isScenario(value: unknown): value is Json {
  return isRecord(value) && value['schema'] === SCHEMA && isRecord(value['cluster']);
}

/**
 * The cluster of a scenario as the List of Kubernetes objects that `kubectl get` would print for it. What the scenario
 * says of the mesh (trust domain, root namespace, release, providers) becomes the `istio` ConfigMap and its labels. Parts
 * of the wrong type are left out. Never throws.
 */
export function scenarioManifests(scenario: Json): Json {
  const cluster = recordOf(scenario['cluster']);
  const sidecars = textOf(cluster['dataPlane'])?.startsWith('sidecar') ?? false;
  const injected = sidecars ? injectedNamespaces(cluster) : new Set<string>();
  return {
    kind: 'List',
    apiVersion: 'v1',
    items: [
      meshConfigMap(cluster),
      ...listOf(cluster['namespaces']).map(namespaceManifest),
      ...listOf(cluster['pods']).map((pod) => podManifest(recordOf(pod), injected)),
      ...listOf(cluster['services']).map((service) => serviceManifest(recordOf(service))),
      ...listOf(cluster['routes']).map((route, index) => routeManifest(recordOf(route), index)),
      ...listOf(cluster['secrets']).map(secretManifest),
      ...listOf(cluster['policies']),
    ],
  };
}

function meshConfigMap(cluster: Json): Json {
  const { trustDomain, rootNamespace, istioVersion, meshConfig } = cluster;
  const mesh = { ...recordOf(meshConfig), ...present({ trustDomain, rootNamespace }) };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'istio',
      namespace: textOf(rootNamespace) ?? 'istio-system',
      labels: present({ 'app.kubernetes.io/part-of': 'istio', 'app.kubernetes.io/version': istioVersion }),
    },
    data: { mesh: stringify(mesh) },
  };
}

function namespaceManifest(namespace: unknown): Json {
  const { name, labels } = recordOf(namespace);
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

function injectedNamespaces(cluster: Json): ReadonlySet<string> {
  const names = listOf(cluster['namespaces'])
    .map(recordOf)
    .filter((namespace) => textMapOf(namespace['labels'])['istio-injection'] === 'enabled')
    .map((namespace) => textOf(namespace['name']) ?? '');
  return new Set(names);
}

/** Gateways and waypoints are proxies by themselves; other pods have one where their namespace has them injected. */
function podManifest(pod: Json, injected: ReadonlySet<string>): Json {
  const { name, namespace, labels, annotations, serviceAccount, node, ip, ready } = pod;
  const isProxy = pod['gateway'] === true || pod['waypoint'] === true;
  const optedOut = textMapOf(labels)['sidecar.istio.io/inject'] === 'false';
  const hasProxy = isProxy || (injected.has(textOf(namespace) ?? '') && !optedOut);
  const ports = listOf(pod['containerPorts'])
    .map(recordOf)
    .map((port) => ({ name: port['name'], containerPort: port['port'] }));
  const containers: Json[] = [];
  if (!isProxy) containers.push({ name: 'app', ports });
  if (hasProxy) containers.push({ name: 'istio-proxy', ports: isProxy ? ports : [] });
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels, annotations },
    spec: { serviceAccountName: serviceAccount, nodeName: node, hostNetwork: pod['hostNetwork'] === true, containers },
    status: {
      podIP: ip,
      podIPs: [{ ip }],
      conditions: [{ type: 'Ready', status: ready === false ? 'False' : 'True' }],
    },
  };
}

function serviceManifest(service: Json): Json {
  const { name, namespace, labels, annotations, selector, ports, clusterIP } = service;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels, annotations },
    spec: { clusterIP, selector, ports },
  };
}

/** A route of a gateway, as the VirtualService which makes it. */
function routeManifest(route: Json, index: number): Json {
  const { gateway, hosts } = route;
  const [namespace = ''] = (textOf(gateway) ?? '').split('/');
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: `route-${index}`, namespace },
    spec: { hosts, gateways: [gateway] },
  };
}

/** A Secret that is known by its name `namespace/name` only. */
function secretManifest(secret: unknown): Json {
  const [namespace = '', name = ''] = (textOf(secret) ?? '').split('/');
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace } };
}

/** Without the entries that are absent. */
function present(fields: Json): Json {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
