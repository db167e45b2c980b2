import type { Finding } from '../../model/finding.ts';
import type { MeshView, Pod, Service } from '../../model/mesh.ts';
import { hasLabels } from '../../text/labels.ts';
import { textMapOf, valueAt } from '../../text/untyped.ts';
import { workloadOf } from '../../text/workload.ts';
import { ownAddresses } from './caller-proof.ts';
import { isNamespace } from './names.ts';

type Labels = Readonly<Record<string, string>>;

/** Who was called, as far as finding and mesh together tell. */
export interface Destination {
  readonly namespace: string;
  /** Owner of the pods; null: not known. */
  readonly workload: string | null;
  /** Labels of its pods; null: no pod and no pod template is known. */
  readonly labels: Labels | null;
  /** The pods that may have been meant; the first one is the one that was dialled, where that is known. */
  readonly pods: readonly Pod[];
  /** A Service that was dialled, or else one that selects the pods. */
  readonly service: Service | null;
  /** Port of the pod; null: not known. */
  readonly port: number | null;
}

/** The port on which ztunnel and waypoints take mesh traffic for all ports of a pod. */
export const TUNNEL_PORT = 15008;

/** The destination of a finding; null: not even its namespace is known, or it is no name. */
export function destinationOf(finding: Finding, mesh: MeshView): Destination | null {
  const { address, workload, port } = finding.destination;
  const dialled = dialledService(finding, mesh);
  const pods = destinationPods(finding, mesh, dialled);
  const [pod] = pods;
  const namespace = finding.destination.namespace ?? pod?.namespace ?? dialled?.namespace ?? null;
  if (!isNamespace(namespace)) return null;
  const owner = workload ?? (pod === undefined ? null : workloadOf(pod.name));
  const viaService = address !== null && dialled?.addresses.includes(address) === true;
  return {
    namespace,
    workload: owner === null ? null : workloadOf(owner),
    labels: pod?.labels ?? templateLabels(mesh, namespace, owner),
    pods,
    service: dialled ?? (pod === undefined ? null : serviceSelecting(pod, mesh)),
    port:
      port === null || port === TUNNEL_PORT || pod === undefined
        ? innerPort(port)
        : podPort(port, pod, dialled, viaService),
  };
}

/** The caller's pods: by its own address, else by name of the workload. */
export function sourcePods(finding: Finding, mesh: MeshView): readonly Pod[] {
  const { workload, namespace } = finding.source;
  const byAddress = ownAddresses(finding)
    .map((address) => mesh.podByIp(address))
    .filter((pod) => pod !== null);
  return byAddress.length > 0 ? byAddress : podsOfWorkload(mesh, namespace, workload);
}

/** The workloads in a namespace (or everywhere: null) whose pods carry the labels. */
export function workloadsSelected(mesh: MeshView, namespace: string | null, matchLabels: Labels): ReadonlySet<string> {
  const selected = mesh.pods.filter(
    (pod) => (namespace === null || pod.namespace === namespace) && hasLabels(pod.labels, matchLabels),
  );
  return new Set(selected.map((pod) => `${pod.namespace}/${workloadOf(pod.name)}`));
}

/** A gateway that refused decides by its own policies: the Service behind it has no say. */
function dialledService(finding: Finding, mesh: MeshView): Service | null {
  if (finding.enforcedBy === 'gateway') return null;
  const { address, service } = finding.destination;
  const byAddress = address === null ? null : mesh.serviceByIp(address);
  return byAddress ?? (service === null ? null : mesh.serviceByHost(service));
}

function destinationPods(finding: Finding, mesh: MeshView, service: Service | null): readonly Pod[] {
  const { address, workload, namespace } = finding.destination;
  const byAddress = address === null ? null : mesh.podByIp(address);
  if (byAddress !== null) return [byAddress];
  const byName = podsOfWorkload(mesh, namespace, workload);
  if (byName.length > 0 || service === null || service.selector === null) return byName;
  const { selector } = service;
  return mesh.pods.filter((pod) => pod.namespace === service.namespace && hasLabels(pod.labels, selector));
}

function podsOfWorkload(mesh: MeshView, namespace: string | null, workload: string | null): readonly Pod[] {
  if (namespace === null || workload === null) return [];
  const exact = mesh.podByName(namespace, workload);
  if (exact !== null) return [exact];
  return mesh.pods.filter((pod) => pod.namespace === namespace && workloadOf(pod.name) === workload);
}

function serviceSelecting(pod: Pod, mesh: MeshView): Service | null {
  const selecting = mesh.services.find(
    ({ namespace, selector }) => namespace === pod.namespace && selector !== null && hasLabels(pod.labels, selector),
  );
  return selecting ?? null;
}

/** Workloads that make pods from a template, in the order in which a name is looked up. */
const TEMPLATED_KINDS = ['Deployment', 'StatefulSet', 'DaemonSet', 'Rollout', 'ReplicaSet', 'Job', 'CronJob'];

/** Labels that a workload's manifest gives to its pods, for when only manifests are known. */
function templateLabels(mesh: MeshView, namespace: string, workload: string | null): Labels | null {
  if (workload === null) return null;
  for (const kind of TEMPLATED_KINDS) {
    const spec = mesh.object({ kind, namespace, name: workloadOf(workload) })?.raw['spec'];
    const template = valueAt(spec, 'template') ?? valueAt(spec, 'jobTemplate', 'spec', 'template');
    const labels = textMapOf(valueAt(template, 'metadata', 'labels'));
    if (Object.keys(labels).length > 0) return labels;
  }
  return null;
}

/** The tunnel's port is no application's: what it carried is not known then. */
function innerPort(port: number | null): number | null {
  return port === TUNNEL_PORT ? null : port;
}

/** A port that the pod does not have, but the Service that was dialled does, is the Service's: then where that leads. */
function podPort(port: number, pod: Pod, service: Service | null, viaService: boolean): number {
  const known = pod.ports.some((entry) => entry.port === port);
  const target = service?.ports.find((entry) => entry.port === port)?.targetPort;
  if (target === undefined || (known && !viaService) || (pod.ports.length === 0 && !viaService)) return port;
  if (typeof target === 'number') return target;
  return pod.ports.find((entry) => entry.name === target)?.port ?? port;
}
