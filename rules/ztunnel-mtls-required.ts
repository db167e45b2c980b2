import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Finding, Match, Rule } from '../src/model/finding.ts';
import type { MeshView, ObjectRef } from '../src/model/mesh.ts';
import type { ConnectionRecord } from '../src/model/record.ts';
import type { Draft } from '../src/model/remedy.ts';
import { decideObserved } from '../src/policy/ambient/observed.ts';
import { listPods } from '../src/remedy/commands/kubectl.ts';
import { exemptPort, showPolicy, step } from '../src/remedy/edits/index.ts';
import { missedException } from '../src/remedy/edits/missed-exception.ts';
import { destinationName, destinationPort, sourceName } from '../src/text/ends.ts';
import { nameOf } from '../src/text/object-ref.ts';

const CONVERTED = 'converted_peer_authentication_';

/** Plain text into STRICT: ztunnel names a policy that istiod made of a PeerAuthentication. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-mtls-required',
    category: 'mutual-tls',
    level: 'error',
    title: 'Plain text was refused because mutual TLS is required',
    page: {
      meaning:
        'The caller spoke plain text, and a PeerAuthentication requires mutual TLS for the workload or for that port. The caller is not in the mesh, its pod is not captured, or its traffic goes around ztunnel. The policy that ztunnel names (istio_converted_static_strict, converted_peer_authentication_NAME) is made by istiod and is no object.',
      printedBy:
        'The ztunnel on the node of the destination. The line has no src.identity and no dst.hbone_addr. The caller sees its connection closed at once.',
      confirm: [
        'istioctl ztunnel-config workloads | grep SOURCE_IP # confirmed if the caller is missing, or its PROTOCOL is TCP',
        'kubectl get peerauthentications -A',
        'kubectl get namespace SOURCE_NAMESPACE --show-labels',
      ],
      change:
        'Bring the caller into the mesh. Only if that is impossible: except the one port of the one workload, by a PeerAuthentication with a selector, mode STRICT and portLevelMtls PERMISSIVE for the port of the pod (not of the Service). Extend the PeerAuthentication that selects the workload if there is one: only the oldest counts.',
      never:
        'Do not make the namespace or the mesh PERMISSIVE for one port, do not use portLevelMtls without selector, and do not look for an AuthorizationPolicy: plain text has no identity that one could admit.',
    },
    cites: ['istio 86c9f01f pilot/pkg/serviceregistry/ambient/authorization.go', 'istio/ztunnel 62d82653 src/rbac.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow, mesh) {
    const { record } = flow;
    const error = ztunnelErrorOf(record);
    if (error?.kind !== 'mtls-required' || record.kind !== 'connection') return null;
    const [namespace = '', name = ''] = error.values;
    const named = namedObject(namespace, name);
    const decision = named === null ? decideObserved(record, mesh) : null;
    const policies = named === null ? (decision?.determining ?? []).filter(isPeerAuthentication) : [named];
    const by =
      policies[0] === undefined ? 'a PeerAuthentication in mode STRICT' : `PeerAuthentication ${nameOf(policies[0])}`;
    return {
      certainty: 'certain',
      cause: `${sourceName(record)} spoke plain text to ${destinationName(record)}, where ${by} requires mutual TLS.${whoIs(record.source.workload)}${exceptionRemark(record, mesh)}`,
      enforcedBy: 'ztunnel',
      policies,
      intended: 'unknown',
      unchecked:
        policies.length > 0
          ? []
          : ['which PeerAuthentication makes the workload STRICT: give the policies and pods of the mesh with --mesh'],
      subject: [namespace, name],
    } satisfies Match;
  },
  propose(finding, mesh) {
    return [...exemptPort(finding, mesh), showModes(finding)];
  },
};

/** The object behind `converted_peer_authentication_NAME`; static strict stands for no single one. */
function namedObject(namespace: string, name: string): ObjectRef | null {
  if (!name.startsWith(CONVERTED)) return null;
  return { kind: 'PeerAuthentication', namespace, name: name.slice(CONVERTED.length) };
}

function isPeerAuthentication({ kind }: ObjectRef): boolean {
  return kind === 'PeerAuthentication';
}

function exceptionRemark(record: ConnectionRecord, mesh: MeshView): string {
  const { address } = record.destination;
  const pod = address === null ? null : mesh.podByIp(address);
  const port = destinationPort(record);
  return pod === null || port === null ? '' : missedException(pod, port, mesh);
}

/** ztunnel finds the pod by its address: without one it is a node, a load balancer or something outside the cluster. */
function whoIs(workload: string | null): string {
  if (workload !== null) return ' It is a pod whose traffic is not captured by ztunnel.';
  return ' Its address is of no pod that ztunnel knows: a node, a host-network pod, or something outside the cluster.';
}

function showModes(finding: Finding): Draft {
  return step(
    'investigate',
    'See which PeerAuthentication makes the workload STRICT, and whether the caller is meant to be outside the mesh.',
    {
      confirm: [
        ...finding.policies.map(showPolicy),
        'kubectl get peerauthentications -A',
        listPods(finding.destination.namespace),
      ],
    },
  );
}
