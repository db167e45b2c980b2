import type { MeshView, ObjectRef, Pod, Service } from '../../model/mesh.ts';
import { nameOf } from '../../text/object-ref.ts';
import { valueAt } from '../../text/untyped.ts';
import type { Transport } from '../envoy/request.ts';
import type { DestinationCase, SourceCase } from './cases.ts';
import { autoMtls, type ClientTls, destinationRuleTls } from './client-tls.ts';
import { hiddenFrom, type Unknown } from './egress.ts';
import { isHeadless, serviceOf } from './endpoints.ts';
import type { MeshEngines } from './engines.ts';

/** How bytes get from one pod to the next. */
export interface Leg {
  /** `hbone`: mutual TLS in a tunnel to port 15008. */
  readonly wire: Transport | 'hbone';
  /** The port that NetworkPolicies see. */
  readonly port: number;
  readonly because: string;
  readonly by: readonly ObjectRef[];
  /** SNI; null: none, or not known. */
  readonly serverName: string | null;
  /** True: the caller's own proxy refuses the call, so that nothing leaves it. */
  readonly isBlocked: boolean;
}

/** ztunnel's and every waypoint's port for the tunnel. */
export const HBONE_PORT = 15_008;
const TUNNEL_LABEL = 'networking.istio.io/tunnel';

/** How a source reaches a pod directly: what its own proxy, if it has one, makes of the connection. */
export function legTo(source: SourceCase, destination: DestinationCase, engines: MeshEngines): Leg {
  const { dataplane, tls } = source;
  if (dataplane === 'none') {
    const because = tls ? 'the client itself speaks TLS' : 'no proxy of the mesh: plaintext';
    return direct(destination.port, tls ? 'tls' : 'plaintext', because);
  }
  if (takesHbone(destination, engines.mesh)) {
    return {
      wire: 'hbone',
      port: HBONE_PORT,
      because: `HBONE to ${nameOf(destination.pod)}`,
      by: [],
      serverName: null,
      isBlocked: false,
    };
  }
  if (dataplane === 'ambient') {
    const because = `${nameOf(destination.pod)} takes no HBONE: ztunnel sends plaintext`;
    return direct(destination.port, 'plaintext', because);
  }
  return fromEnvoy(source, destination, engines);
}

/** Whether both can be at once: a certificate that is known to arrive does not come from where no proxy would send one. */
export function isPossible(source: SourceCase, destination: DestinationCase, { mesh }: MeshEngines): boolean {
  const { pod, identity, dataplane } = source;
  return pod !== null || identity === null || dataplane !== 'ambient' || takesHbone(destination, mesh);
}

function direct(port: number, wire: Transport, because: string): Leg {
  return { wire, port, because, by: [], serverName: null, isBlocked: false };
}

/** Ambient pods do, and those whose sidecar or gateway says so (istio 86c9f01f pilot/pkg/model/network.go, SupportsTunnel). */
function takesHbone({ pod, dataplane, role }: DestinationCase, mesh: MeshView): boolean {
  if (dataplane !== 'sidecar') return dataplane === 'ambient';
  const label = pod.labels[TUNNEL_LABEL];
  if (label !== undefined) return label.split(',').includes('http');
  const metadata = valueAt(mesh.config, 'defaultConfig', 'proxyMetadata', 'ISTIO_META_ENABLE_HBONE');
  return role === 'application' && metadata === 'true';
}

/**
 * A pod's own address is in no cluster of a sidecar, which then passes the bytes on as they are. Who names a pod that a
 * Service leads to most likely means the traffic through that Service, so that is what is looked at.
 */
function fromEnvoy(source: SourceCase, destination: DestinationCase, engines: MeshEngines): Leg {
  const via = destination.via ?? serviceOf(destination.pod, destination.port, engines);
  if (via === null) {
    return direct(
      destination.port,
      'plaintext',
      'no Service leads to this port: the sidecar passes the bytes on as they are',
    );
  }
  const { service, port } = via;
  const client = { namespace: source.namespace ?? '', labels: source.labels };
  const hidden = source.role === 'application' ? hiddenFrom(client, service, port, engines.mesh) : null;
  if (hidden !== null) return passedOn(destination.port, service, hidden);
  const chosen: ClientTls = destinationRuleTls(client, service, port, engines.mesh) ?? auto(destination, via, engines);
  const mtls = chosen.transport === 'mtls';
  return {
    wire: chosen.transport,
    port: destination.port,
    because: `${chosen.because}: ${WORDS[chosen.transport]} to Service ${nameOf(service)}`,
    by: chosen.by,
    serverName: mtls ? `outbound_.${port}_._.${service.hostname}` : null,
    isBlocked: false,
  };
}

/** What a sidecar makes of a call to a Service that it does not know. */
function passedOn(port: number, service: Service, { sidecar, isBlocked }: Unknown): Leg {
  const { namespace, name } = sidecar.metadata;
  const what = isBlocked ? 'is not called, as it is not registered' : 'gets plaintext';
  const because = `Sidecar ${namespace}/${name} does not let the caller's proxy know Service ${nameOf(service)}, which ${what}`;
  return { ...direct(port, 'plaintext', because), by: [{ kind: 'Sidecar', namespace, name }], isBlocked };
}

const WORDS: Readonly<Record<Transport, string>> = {
  mtls: 'mutual TLS',
  tls: 'TLS with other certificates than those of the mesh',
  plaintext: 'plaintext',
};

function auto(destination: DestinationCase, via: NonNullable<DestinationCase['via']>, engines: MeshEngines): ClientTls {
  const { pod, port, dataplane, role } = destination;
  const { service } = via;
  const headless = isHeadless(service, engines.mesh);
  return autoMtls(
    {
      pod,
      takesMtls: dataplane === 'sidecar' && takesMtls(pod, role),
      mode: engines.envoyOf(pod, 'sidecar', null).modeOf(port).mode,
      namespaceMode: engines.namespaceMode(service.namespace),
      allTakeMtls: !headless || (engines.selectedBy(service) ?? []).every((one) => takesMtls(one, engines.roleOf(one))),
    },
    engines.mesh,
  );
}

/** The label that injection puts on pods with a sidecar; gateways have none. A manifest without it is about to get it. */
function takesMtls(pod: Pod, role: DestinationCase['role']): boolean {
  const mode = pod.labels['security.istio.io/tlsMode'];
  return mode === undefined
    ? pod.dataplane !== 'ambient' && pod.dataplane !== 'none' && role === 'application'
    : mode === 'istio';
}
