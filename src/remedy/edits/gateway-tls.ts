import { type GatewayServer, numberOf, serversOf, servicesOf } from '../../causes/gateway-server.ts';
import type { MeshView, Pod } from '../../model/mesh.ts';
import type { Draft } from '../../model/remedy.ts';
import { nameOf } from '../../text/object-ref.ts';
import { listOf, textOf, valueAt } from '../../text/untyped.ts';
import { workloadOf } from '../../text/workload.ts';
import { draftOf, patchObject, refOf } from './change.ts';
import type { Edit } from './json-patch.ts';
import { showPolicy } from './kubectl.ts';
import { step } from './step.ts';

/** Protocols whose server takes mutual TLS without its routes being written anew (istio 86c9f01f pilot/pkg/model/gateway.go). */
const HTTP_PROTOCOLS: ReadonlySet<string> = new Set(['HTTP', 'HTTP2', 'GRPC']);

/**
 * The draft that lets the plaintext servers of a gateway's port take mutual TLS of the mesh, all of them at once, as two on
 * one port must speak alike. An owner has to decide where pods outside of the mesh are known; a step where clients come from
 * outside of the cluster, or a server is for other protocols.
 */
export function secureServers(pod: Pod, servers: readonly GatewayServer[], mesh: MeshView): Draft {
  const [first] = servers;
  const port = first?.port ?? 0;
  const isPublic = servesOutside(pod, port, mesh);
  const gateways = [...new Set(servers.map(({ gateway }) => gateway))];
  const planned = gateways.map((gateway) =>
    patchObject(
      gateway,
      servers.filter((server) => server.gateway === gateway).flatMap((server) => editsFor(server)),
    ),
  );
  const changes = planned.filter((change) => change !== null);
  const names = gateways.map((gateway) => `Gateway ${nameOf(refOf(gateway))}`).join(' and ');
  const able = servers.every(({ protocol }) => HTTP_PROTOCOLS.has(protocol));
  if (isPublic || !able || changes.length < gateways.length || changes.length === 0)
    return byHand(names, port, gateways.map(refOf));
  const strangers = outsiders(mesh);
  return draftOf(changes, {
    kind: 'configuration',
    summary: `Let port ${port} of ${names} take mutual TLS of the mesh: protocol HTTPS, tls.mode ISTIO_MUTUAL.`,
    risk: `Clients without a certificate of the mesh can no longer use port ${port}; give them a port of their own on the gateway.`,
    decision:
      strangers.length === 0
        ? null
        : `Pods outside of the mesh (${strangers.slice(0, 3).join(', ')}${strangers.length > 3 ? ', …' : ''}) would lose port ${port}: see that none of them calls it.`,
    verify: [`istioctl proxy-config listener ${workloadOf(pod.name)}.${pod.namespace} --port ${port}`],
  });
}

function editsFor({ gateway, index }: GatewayServer): readonly Edit[] {
  const at = ['spec', 'servers', index];
  const name = textOf(valueAt(gateway.raw, ...at, 'port', 'name'));
  const others = listOf(valueAt(gateway.raw, 'spec', 'servers')).map((server) => valueAt(server, 'port', 'name'));
  const number = String(valueAt(gateway.raw, ...at, 'port', 'number'));
  const renamed = others.includes('https') ? `https-${number}` : 'https';
  return [
    ...(name?.startsWith('http') === true && !name.startsWith('https')
      ? [{ op: 'set' as const, at: [...at, 'port', 'name'], value: renamed }]
      : []),
    { op: 'set', at: [...at, 'port', 'protocol'], value: 'HTTPS' },
    { op: 'set', at: [...at, 'tls'], value: { mode: 'ISTIO_MUTUAL' } },
  ];
}

/** A Service that the outside reaches leads to the port. */
function servesOutside(pod: Pod, port: number, mesh: MeshView): boolean {
  return servicesOf(pod, mesh).some(({ namespace, name, ports }) => {
    const type = valueAt(mesh.object({ kind: 'Service', namespace, name })?.raw, 'spec', 'type');
    const leads = ports.some(({ targetPort }) => numberOf(targetPort, pod) === port);
    return leads && (type === 'LoadBalancer' || type === 'NodePort');
  });
}

const SYSTEM: ReadonlySet<string> = new Set(['kube-system', 'kube-public', 'kube-node-lease']);

/** Workloads that take no part in the mesh and may be clients, sorted. */
function outsiders(mesh: MeshView): readonly string[] {
  const pods = mesh.pods.filter(
    (pod) =>
      pod.dataplane === 'none' &&
      !SYSTEM.has(pod.namespace) &&
      pod.namespace !== mesh.rootNamespace &&
      serversOf(pod, mesh).length === 0,
  );
  return [...new Set(pods.map(({ namespace, name }) => `${namespace}/${workloadOf(name)}`))].toSorted();
}

function byHand(names: string, port: number, refs: readonly ReturnType<typeof refOf>[]): Draft {
  return step(
    'configuration',
    `Let the sidecars of the mesh use a port of the gateway that takes mutual TLS (a server with protocol HTTPS and tls.mode ISTIO_MUTUAL): port ${port} of ${names} has clients that are not of the mesh, or is for another protocol than HTTP.`,
    {
      risk: 'Two servers on one port have to speak the same: a port with HTTP and ISTIO_MUTUAL beside each other is refused.',
      confirm: refs.map(showPolicy),
    },
  );
}
