import { destinationRuleOf, tlsName } from '../../causes/destination-tls.ts';
import { isInbound, parseClusterName } from '../../causes/envoy-record.ts';
import type { MeshView, ObjectRef, Pod, Service } from '../../model/mesh.ts';
import type { ConnectionRecord, LogRecord, RequestRecord } from '../../model/record.ts';
import type { Draft } from '../../model/remedy.ts';
import { autoMtlsIsOff } from '../../policy/way/client-tls.ts';
import { hiddenFrom } from '../../policy/way/egress.ts';
import { roleOf } from '../../policy/way/role.ts';
import { parseHostPort } from '../../text/address.ts';
import { hasLabels } from '../../text/labels.ts';
import { nameOf } from '../../text/object-ref.ts';
import { refOf } from './change.ts';
import { changeDestinationTls, demandMutualTls } from './destination-rule.ts';
import { letKnow } from './known-service.ts';

/** What makes the sidecar of a caller speak plaintext to a Service, or not call it. */
export interface OwnSide {
  /** A sentence. Untrusted text. */
  readonly because: string;
  /** The objects that say so. */
  readonly policies: readonly ObjectRef[];
  readonly repair: Draft;
}

/** A Service and its own port. */
export interface Called {
  readonly service: Service;
  readonly port: number;
}

/**
 * Why a call that came, or may have come, in plaintext did so although its caller has a sidecar: a Sidecar keeps the Service
 * from it, a DestinationRule says so, or the mesh leaves mutual TLS to DestinationRules and none asks for it. Null: the
 * caller is no such pod, or its own side speaks mutual TLS as far as the mesh shows.
 */
export function ownSideOf(record: LogRecord, mesh: MeshView): OwnSide | null {
  if (record.kind === 'diagnostic' || hasProvenIdentity(record)) return null;
  const caller = callerOf(record, mesh);
  return caller === null ? null : ownSideBetween(caller, calledBy(record, mesh), mesh);
}

/** The same for a pod and the Services that it may have called: one, where it is known which. */
export function ownSideBetween(caller: Pod, called: readonly Called[], mesh: MeshView): OwnSide | null {
  const [first] = called;
  if (first === undefined || caller.dataplane !== 'sidecar') return null;
  return hidden(caller, called, mesh) ?? untold(caller, first, mesh);
}

/** Istio's clients name themselves in the SNI of mutual TLS. */
function hasProvenIdentity({ source, envoy }: ConnectionRecord | RequestRecord): boolean {
  return source.identity !== null || envoy?.serverName?.startsWith('outbound_.') === true;
}

/** The pod whose sidecar made the call; a gateway has other reasons. */
function callerOf({ source }: ConnectionRecord | RequestRecord, mesh: MeshView): Pod | null {
  // With X-Forwarded-For an Envoy prints the forwarded address and port 0: not that of the peer.
  const pod = source.address === null || source.port === 0 ? null : mesh.podByIp(source.address);
  return pod?.dataplane === 'sidecar' && roleOf(pod, mesh) === 'application' ? pod : null;
}

/** The Services that may have been called, with their own ports: one, where the line names it. */
function calledBy(record: ConnectionRecord | RequestRecord, mesh: MeshView): readonly Called[] {
  const authority = record.kind === 'request' ? parseHostPort(record.authority) : null;
  const asked = mesh.serviceByHost(authority?.host ?? (record.kind === 'request' ? record.authority : null) ?? '');
  const local = parseHostPort(record.envoy?.downstreamLocal ?? null);
  const isDialled = local !== null && mesh.serviceByIp(local.host) !== null;
  if (isDialled || (isInbound(record) === false && record.envoy?.cluster !== null)) return dialled(record, asked, mesh);
  const pod = local === null ? null : mesh.podByIp(local.host);
  if (pod === null || local?.port == null) return [];
  const leading = leadingTo(pod, local.port, mesh);
  const named = leading.filter(({ service }) => service === asked);
  return named.length > 0 ? named : leading;
}

function dialled(
  { envoy }: ConnectionRecord | RequestRecord,
  asked: Service | null,
  mesh: MeshView,
): readonly Called[] {
  const cluster = parseClusterName(envoy?.cluster ?? null);
  const address = parseHostPort(envoy?.upstreamHost ?? envoy?.downstreamLocal ?? null);
  const byHost = cluster?.host == null ? asked : mesh.serviceByHost(cluster.host);
  const service = byHost ?? (address === null ? null : mesh.serviceByIp(address.host));
  const port = cluster?.port ?? address?.port ?? null;
  return service === null || port === null ? [] : [{ service, port }];
}

function leadingTo(pod: Pod, port: number, mesh: MeshView): readonly Called[] {
  const podPort = (target: number | string): number | string =>
    pod.ports.find(({ name }) => name === target)?.port ?? target;
  return mesh.services
    .filter(({ namespace, selector }) => namespace === pod.namespace && hasLabels(pod.labels, selector ?? { '': '' }))
    .flatMap((service) =>
      service.ports
        .filter(({ targetPort }) => podPort(targetPort) === port)
        .map((entry) => ({ service, port: entry.port })),
    );
}

/** A pod is reached through any Service that leads there: what hides only some of them is no explanation. */
function hidden(caller: Pod, called: readonly Called[], mesh: MeshView): OwnSide | null {
  const found = called.map(({ service, port }) => ({ service, port, by: hiddenFrom(caller, service, port, mesh) }));
  const [first] = found;
  if (first?.by == null || found.some(({ by }) => by === null)) return null;
  const { sidecar, isBlocked } = first.by;
  const then = isBlocked ? 'lets no call to it out' : 'passes calls on in plaintext and without identity';
  return {
    because: `Sidecar ${nameOf(refOf(sidecar))} (spec.egress.hosts) does not let the proxy of ${nameOf(caller)} know Service ${nameOf(first.service)}, so that it ${then}.`,
    policies: [refOf(sidecar)],
    repair: letKnow(sidecar, caller, first.service, first.port, mesh),
  };
}

function untold(caller: Pod, { service, port }: Called, mesh: MeshView): OwnSide | null {
  const found = destinationRuleOf({ host: service.hostname, port, subset: null }, caller.namespace, mesh);
  const policies = found === null ? [] : [refOf(found.rule)];
  if (found?.tls?.mode === 'DISABLE') {
    const because = `${tlsName(found.tls)} makes the sidecar of ${nameOf(caller)} speak plaintext.`;
    return { because, policies, repair: changeDestinationTls(found.tls, true) };
  }
  if (!autoMtlsIsOff(mesh) || found?.tls != null) return null;
  return {
    because: `MeshConfig has enableAutoMtls false, and no DestinationRule asks for mutual TLS with Service ${nameOf(service)}, so that the sidecar of ${nameOf(caller)} speaks plaintext.`,
    policies,
    repair: demandMutualTls(service, found?.rule ?? null, mesh),
  };
}
