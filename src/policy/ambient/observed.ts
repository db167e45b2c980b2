import type { KubeObject, MeshView, Pod } from '../../model/mesh.ts';
import type { Decision } from '../../model/policy.ts';
import type { ConnectionRecord } from '../../model/record.ts';
import { parseHostPort } from '../../text/address.ts';
import { destinationPort } from '../../text/ends.ts';
import { remembered } from '../../text/remembered.ts';
import { decodeAuthorizationPolicy, decodePeerAuthentication } from '../decode.ts';
import { validateObject } from '../validate.ts';
import { compileZtunnel, type ZtunnelPolicies } from './decide.ts';
import { explainZtunnel } from './explain.ts';

/**
 * What the destination's ztunnel decides about a connection that a ztunnel logged, by the policies of the mesh that istiod
 * admits. Null: no mesh is known, or not the destination's pod, or the line does not tell enough. Never throws.
 */
export function decideObserved(record: ConnectionRecord, mesh: MeshView): Decision | null {
  const pod = mesh.known ? destinationPod(record, mesh) : null;
  const port = destinationPort(record);
  const [destinationIp] = pod?.ips ?? [];
  if (pod === null || port === null || record.source.address === null || destinationIp === undefined) return null;
  const workload = policiesOf(mesh).forWorkload({ namespace: pod.namespace, labels: pod.labels });
  return explainZtunnel(workload, {
    sourceIp: record.source.address,
    identity: record.hboneAddress === null ? null : record.source.identity,
    destinationIp,
    destinationPort: port,
  });
}

/** The pod behind the address asked for in the tunnel; a virtual one (a Service via its waypoint) is no pod. */
function destinationPod(record: ConnectionRecord, mesh: MeshView): Pod | null {
  const { address, namespace, workload } = record.destination;
  const asked = parseHostPort(record.hboneAddress)?.host ?? address;
  const byIp = asked === null ? null : mesh.podByIp(asked);
  if (byIp !== null || record.reporter === 'source') return byIp;
  return namespace === null || workload === null ? null : mesh.podByName(namespace, workload);
}

/** Compiled once per mesh; a view never changes. */
const policiesOf = remembered((mesh: MeshView): ZtunnelPolicies => {
  const admitted = (kind: string): readonly KubeObject[] =>
    mesh.objectsOf(kind).filter((object) => validateObject(object).valid);
  const decoded = [
    ...admitted('AuthorizationPolicy').map(decodeAuthorizationPolicy),
    ...admitted('PeerAuthentication').map(decodePeerAuthentication),
  ];
  const policies = decoded.flatMap((result) => (result.ok ? [result.value] : []));
  const { rootNamespace, istioVersion } = mesh;
  return compileZtunnel(policies, { rootNamespace, revision: null, istioVersion });
});
