import type { WebhookFailure } from '../../causes/webhook-failure.ts';
import type { Finding } from '../../model/finding.ts';
import type { MeshView, ObjectRef, Pod, Service } from '../../model/mesh.ts';
import { decide } from '../../policy/decide.ts';
import { type ProbeDestination, UNKNOWN_REQUEST } from '../../policy/way/probe.ts';
import { hasLabels } from '../../text/labels.ts';

/**
 * The finding about a webhook with both ends filled in: the kube-apiserver, which has no identity, and the port of the pods
 * behind the Service, which policies see; null where it is not known.
 */
export function webhookFinding(finding: Finding, { host, port }: WebhookFailure, mesh: MeshView): Finding {
  const service = mesh.serviceByHost(host);
  const { source, destination } = finding;
  return {
    ...finding,
    source: { ...source, identity: null, principal: null, workload: 'kube-apiserver', namespace: null },
    destination: {
      ...destination,
      service: host,
      namespace: service?.namespace ?? host.split('.')[1] ?? null,
      port: service === null ? null : podPort(service, port, mesh),
    },
  };
}

/** The PeerAuthentications for which the kube-apiserver is refused at a webhook; empty: none is, or it is not known. */
export function refusesApiServer({ host, port }: WebhookFailure, mesh: MeshView): readonly ObjectRef[] {
  const service = mesh.serviceByHost(host);
  return service === null ? [] : strictAt({ kind: 'service', service, port }, true, mesh);
}

/** The PeerAuthentications for which a kubelet's plain text is refused at a port of a pod; empty: none is, or it is not known. */
export function refusesKubelet(pod: Pod, port: number, mesh: MeshView): readonly ObjectRef[] {
  return strictAt({ kind: 'pods', name: pod.name, pods: [pod], port }, false, mesh);
}

function strictAt(destination: ProbeDestination, tls: boolean, mesh: MeshView): readonly ObjectRef[] {
  // Where the caller stands is no matter of mutual TLS.
  const way = decide(mesh, {
    source: { kind: 'plain', ip: '', tls, pod: null },
    destination,
    request: UNKNOWN_REQUEST,
  });
  return way.outcome === 'deny' ? way.determining.filter(({ kind }) => kind === 'PeerAuthentication') : [];
}

/** The port of the pods behind a Service's port; null: it has no such port, or no pod that tells. */
function podPort(service: Service, port: number, mesh: MeshView): number | null {
  const target = service.ports.find((entry) => entry.port === port)?.targetPort;
  if (target === undefined || typeof target === 'number') return target ?? null;
  const ports = podsOf(service, mesh).flatMap((pod) => pod.ports.filter(({ name }) => name === target));
  return ports[0]?.port ?? null;
}

function podsOf({ namespace, selector }: Service, mesh: MeshView): readonly Pod[] {
  return selector === null
    ? []
    : mesh.pods.filter((pod) => pod.namespace === namespace && hasLabels(pod.labels, selector));
}
