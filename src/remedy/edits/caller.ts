import type { Finding } from '../../model/finding.ts';
import type { MeshView } from '../../model/mesh.ts';
import type { Draft } from '../../model/remedy.ts';
import { isPrivateAddress } from '../../text/private-address.ts';
import { shellWord } from '../../text/shell.ts';
import { workloadOf } from '../../text/workload.ts';
import { inRoot } from '../commands/kubectl.ts';
import { hasProven, isForwarded, ownAddresses } from './caller-proof.ts';
import { sourcePods } from './destination.ts';
import { principalParts, usablePrincipal } from './names.ts';
import { platformFlowOf } from './platform-call.ts';
import { step } from './step.ts';

/** How the caller is called in a sentence. */
export function callerName(finding: Finding): string {
  const { principal, workload, namespace, addresses } = finding.source;
  if (principal !== null) return principal;
  if (workload !== null) return namespace === null ? workload : `${namespace}/${workload}`;
  const [address] = addresses;
  if (address === undefined) return 'the caller';
  return isForwarded(finding) ? `the caller that forwards for ${address}` : address;
}

/** The identity a policy can name, and a remark on who shares it; null: the caller has none, or none that can be named. */
export function callerIdentity(finding: Finding, mesh: MeshView): { principal: string; shared: string } | null {
  const principal = usablePrincipal(finding.source.principal);
  return principal === null ? null : { principal, shared: sharedBy(principal, mesh) + forOthers(finding, mesh) };
}

/** Every pod that runs as the service account has the identity, so an edit admits them all. */
function sharedBy(principal: string, mesh: MeshView): string {
  const parts = principalParts(principal);
  const runs = mesh.pods.filter(
    (pod) => pod.namespace === parts?.namespace && pod.serviceAccount === parts.serviceAccount,
  );
  const workloads = [...new Set(runs.map((pod) => workloadOf(pod.name)))].toSorted();
  if (workloads.length > 1) {
    return ` ${workloads.length} workloads run as ${principal}: ${workloads.slice(0, 5).join(', ')}.`;
  }
  return parts?.serviceAccount === 'default'
    ? ` The service account default is shared by all pods of ${parts.namespace} that have none of their own.`
    : '';
}

const GATEWAY_LABELS = ['gateway.networking.k8s.io/gateway-name', 'istio'];

/** A gateway calls for its clients: what it may do, they may, unless it decides about them itself. So do others. */
function forOthers(finding: Finding, mesh: MeshView): string {
  const forwards = platformFlowOf(finding, mesh)?.flow.forwards ?? null;
  if (forwards !== null) return ` ${forwards}`;
  const isGateway = sourcePods(finding, mesh).some(({ labels }) =>
    GATEWAY_LABELS.some((label) => labels[label] !== undefined),
  );
  return isGateway ? ' The caller is a gateway: whoever it lets through is admitted.' : '';
}

/**
 * The step that finds out an identity which the line does not print. `then` says what it is for: a sentence about the
 * change that can be made with it.
 */
export function findIdentity(finding: Finding, mesh: MeshView, then: string): Draft {
  const [address] = ownAddresses(finding);
  const operator =
    finding.enforcedBy === 'waypoint' ? '%FILTER_STATE(io.istio.peer_principal:PLAIN)%' : '%DOWNSTREAM_PEER_URI_SAN%';
  const proven = hasProven(finding) ? 'The caller proved its identity, but it' : 'The identity of the caller, if any,';
  const isPod = address !== undefined && isPrivateAddress(address);
  const podsHelp = isPod ? `${withPods(finding, mesh)}, or ` : '';
  return step(
    'investigate',
    `${proven} is not in this line: ${podsHelp}add ${operator} to accessLogFormat. ${forwardedRemark(finding)}${then}`,
    {
      confirm: [
        ...(isPod
          ? [
              `kubectl get pods --all-namespaces -o wide | grep -F -- ${shellWord(address)}`,
              'kubectl get pods -A -o json',
            ]
          : []),
        inRoot(mesh, 'get configmap istio -o yaml'),
      ],
    },
  );
}

function withPods(finding: Finding, mesh: MeshView): string {
  const lacking = mesh.pods.length > 0 ? `; none of those given has the address ${callerName(finding)}` : '';
  return `give the pods with --mesh (the output of kubectl get pods -A -o json${lacking})`;
}

/** What to know of an address that is not the caller's own, as a sentence with a blank behind; empty: it is its own. */
export function forwardedRemark(finding: Finding): string {
  const [address] = finding.source.addresses;
  return isForwarded(finding) && address !== undefined
    ? `The address ${address} (port 0) is from X-Forwarded-For: it is that of a client before the caller, not the caller's own. `
    : '';
}
