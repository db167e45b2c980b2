import { type GatewayServer, numberOf, serversOf, servicesOf } from '../../causes/gateway-server.ts';
import type { MeshView, Pod, Service } from '../../model/mesh.ts';
import type { Draft } from '../../model/remedy.ts';
import { nameOf } from '../../text/object-ref.ts';
import { textMapOf, valueAt } from '../../text/untyped.ts';
import { createObject, draftOf, refOf } from './change.ts';
import { showPolicy } from './kubectl.ts';
import { freeName, objectName } from './names.ts';
import { step } from './step.ts';

/**
 * The step for clients that have no certificate of the mesh and come to a port of a gateway that asks for one: a server of
 * their own, on a port that nothing serves yet, which clients of the mesh do not use. The port they came to stays as it is, so
 * there is no change that replaying could prove. With the whole object where a Service leads to such a port already.
 */
export function serveOutsiders(pod: Pod, servers: readonly GatewayServer[], mesh: MeshView): Draft {
  const names = [...new Set(servers.map(({ gateway }) => `Gateway ${nameOf(refOf(gateway))}`))].join(' and ');
  const confirm = servers.map(({ gateway }) => showPolicy(refOf(gateway)));
  const free = freePort(pod, mesh);
  const risk =
    'What comes in there is plaintext as far as the gateway, and whoever reaches the gateway may use it. Do not turn the port that takes mutual TLS back to HTTP: clients of the mesh need it.';
  if (free === null) {
    return step(
      'configuration',
      `Give clients outside of the mesh a server of their own on the gateway, beside ${names}: a Gateway on a free port with protocol HTTP (or HTTPS with a certificate), and a Service that leads to that port of the gateway's pods (with the label experimental.istio.io/disable-gateway-port-translation: "true" if another Service of them has the same port).`,
      { risk, confirm },
    );
  }
  const { service, port } = free;
  const selector = textMapOf(valueAt(servers[0]?.gateway.raw, 'spec', 'selector'));
  const planned = createObject({
    apiVersion: servers[0]?.gateway.apiVersion ?? 'networking.istio.io/v1',
    kind: 'Gateway',
    namespace: pod.namespace,
    name: freeName(mesh, 'Gateway', pod.namespace, objectName(service.name)),
    spec: { selector, servers: [{ hosts: ['*'], port: { name: 'http', number: port, protocol: 'HTTP' } }] },
  });
  const draft = draftOf([planned], {
    kind: 'configuration',
    summary: `Let clients outside of the mesh call Service ${nameOf(service)}, which leads to port ${port} of the gateway, and give that port a server: Gateway ${nameOf(planned.change.object)} with protocol HTTP. The routes have to name that Gateway as well (KServe: localGateway, localGatewayService and knativeLocalGatewayService in key ingress of ConfigMap inferenceservice-config).`,
    risk,
    decision: 'It opens a port that takes plaintext from whoever reaches the gateway.',
    verify: confirm,
  });
  return { ...draft, changes: [] };
}

/** The step for a client of the mesh: its sidecar speaks mutual TLS to a gateway only where a DestinationRule says so. */
export function speakMutualTls(): Draft {
  return step(
    'configuration',
    'Let the sidecar of the caller speak mutual TLS to the gateway: a DestinationRule for the host of its Service with tls.mode ISTIO_MUTUAL. The mesh does not choose that by itself for gateways.',
    {
      risk: 'It is for every caller of that host: give it exportTo, or a namespace of its own, if it is meant for one only.',
      confirm: ['kubectl get destinationrules -A -o yaml'],
    },
  );
}

/** A Service that leads to a port of the gateway's pods where no server is. */
function freePort(pod: Pod, mesh: MeshView): { readonly service: Service; readonly port: number } | null {
  const taken = new Set([...serversOf(pod, mesh).map(({ port }) => port), ...pod.ports.map(({ port }) => port)]);
  for (const service of servicesOf(pod, mesh)) {
    for (const { targetPort } of service.ports) {
      const port = numberOf(targetPort, pod);
      if (port !== null && !taken.has(port)) return { service, port };
    }
  }
  return null;
}
