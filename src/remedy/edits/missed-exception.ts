import type { MeshView, Pod } from '../../model/mesh.ts';
import type { PeerAuthentication } from '../../model/policy.ts';
import { oldest } from '../../policy/ambient/peer-authentication.ts';
import { decodePeerAuthentication } from '../../policy/decode.ts';
import { hasLabels } from '../../text/labels.ts';
import { nameOf } from '../../text/object-ref.ts';

/**
 * Why an exception from mutual TLS that somebody wrote for a port of a pod is none, as sentences with a blank before: it
 * stands in an object that is not the oldest, is for the Service's port, or has a mode that ztunnel does not heed there.
 * Empty: nobody wrote one.
 */
export function missedException(pod: Pod, port: number, mesh: MeshView): string {
  const own = mesh
    .objectsOf('PeerAuthentication', pod.namespace)
    .map(decodePeerAuthentication)
    .flatMap((decoded) => (decoded.ok && selectsPod(decoded.value, pod) ? [decoded.value] : []));
  const effective = oldest(own);
  if (effective === null) return '';
  const remarks = [
    ...own
      .filter((policy) => policy !== effective && isOpen(policy, port))
      .map((late) => ignored(late, effective, port)),
    ...unheeded(effective, port, pod),
    ...misplaced(effective, port, pod, mesh),
  ];
  return remarks.map((remark) => ` ${remark}`).join('');
}

function selectsPod({ selector }: PeerAuthentication, { labels }: Pod): boolean {
  const wanted = selector?.matchLabels ?? {};
  return Object.keys(wanted).length > 0 && hasLabels(labels, wanted);
}

function isOpen({ portModes }: PeerAuthentication, port: number): boolean {
  const mode = portModes.get(port);
  return mode === 'PERMISSIVE' || mode === 'DISABLE';
}

/** istio 86c9f01f pilot/pkg/model/authentication.go, pilot/pkg/serviceregistry/ambient/policies.go. */
function ignored(late: PeerAuthentication, effective: PeerAuthentication, port: number): string {
  return `PeerAuthentication ${nameOf(late.ref)} excepts port ${port}, but only the oldest that selects a pod counts, and that is ${nameOf(effective.ref)}.`;
}

/** Where the object leaves its own mode to a STRICT parent, istiod makes exceptions of PERMISSIVE ports only. */
function unheeded({ ref, mode, portModes }: PeerAuthentication, port: number, pod: Pod): readonly string[] {
  if (pod.dataplane !== 'ambient' || mode !== 'UNSET' || portModes.get(port) !== 'DISABLE') return [];
  return [
    `PeerAuthentication ${nameOf(ref)} sets port ${port} to DISABLE, which ztunnel does not know: without a mtls.mode of its own only PERMISSIVE makes an exception.`,
  ];
}

function misplaced({ ref, portModes }: PeerAuthentication, port: number, pod: Pod, mesh: MeshView): readonly string[] {
  const podPort = (target: number | string): number | string =>
    pod.ports.find(({ name }) => name === target)?.port ?? target;
  const servicePorts = mesh.services
    .filter(
      ({ namespace, selector }) => namespace === pod.namespace && selector !== null && hasLabels(pod.labels, selector),
    )
    .flatMap(({ ports }) => ports.filter(({ targetPort }) => podPort(targetPort) === port));
  return [...portModes.keys()]
    .filter((number) => number !== port && servicePorts.some((entry) => entry.port === number))
    .map(
      (number) =>
        `PeerAuthentication ${nameOf(ref)} excepts port ${number}, which is the Service's: the pod listens on ${port}, and that is what counts.`,
    );
}
