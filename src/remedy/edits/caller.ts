import type { Finding } from '../../model/finding.ts';
import type { MeshView, Pod } from '../../model/mesh.ts';
import type { Draft } from '../../model/remedy.ts';
import { shellWord } from '../../text/shell.ts';
import { workloadOf } from '../../text/workload.ts';
import { sourcePods } from './destination.ts';
import { isNamespace, principalParts, usablePrincipal } from './names.ts';
import { step } from './step.ts';

/** How the caller is called in a sentence. */
export function callerName(finding: Finding): string {
  const { principal, workload, namespace, addresses } = finding.source;
  if (principal !== null) return principal;
  if (workload !== null) return namespace === null ? workload : `${namespace}/${workload}`;
  return addresses[0] ?? 'the caller';
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

/** A gateway calls for its clients: what it may do, they may, unless it decides about them itself. */
function forOthers(finding: Finding, mesh: MeshView): string {
  const isGateway = sourcePods(finding, mesh).some(({ labels }) =>
    GATEWAY_LABELS.some((label) => labels[label] !== undefined),
  );
  return isGateway ? ' The caller is a gateway: whoever it lets through is admitted.' : '';
}

const SYSTEM = ['kube-system', 'kube-public', 'kube-node-lease'];

/**
 * The step that gives a caller without identity one. `enrol` where labels can bring its pods into the mesh; else
 * `investigate`: it is in the mesh by its labels already, or is no pod that can be enrolled (a host, something outside).
 */
export function enrolCaller(finding: Finding, mesh: MeshView): Draft {
  const [pod = null] = sourcePods(finding, mesh);
  const namespace = pod?.namespace ?? finding.source.namespace;
  if (!isNamespace(namespace) || isOutside(finding, mesh)) return unenrollable(finding);
  if (pod !== null && isEnrolled(finding, mesh)) return enrolledAlready(pod);
  const [label, value] = wantsAmbient(finding, mesh) ? AMBIENT : INJECTION;
  const labels = mesh.namespaces.find(({ name }) => name === namespace)?.labels ?? {};
  if (pod !== null && labels[label] === value) return leftOut(pod, label);
  return enrolStep(namespace, label, value, pod, mesh);
}

const AMBIENT = ['istio.io/dataplane-mode', 'ambient'] as const;
const INJECTION = ['istio-injection', 'enabled'] as const;

/** True for a caller that is a pod in the mesh, as its labels, annotations and containers show. */
export function isEnrolled(finding: Finding, mesh: MeshView): boolean {
  const [pod = null] = sourcePods(finding, mesh);
  return pod?.dataplane === 'ambient' || pod?.dataplane === 'sidecar';
}

/** True for a caller that labels cannot bring into the mesh: no pod, one in its node's network, or a part of the cluster. */
export function isOutside(finding: Finding, mesh: MeshView): boolean {
  const [pod = null] = sourcePods(finding, mesh);
  const namespace = pod?.namespace ?? finding.source.namespace;
  const isSystem = namespace === mesh.rootNamespace || SYSTEM.includes(namespace ?? '');
  return !isNamespace(namespace) || isSystem || pod?.hostNetwork === true;
}

/** Where no proxy is named: as the destination takes part, and ambient if that is not known either. */
function wantsAmbient(finding: Finding, mesh: MeshView): boolean {
  if (finding.enforcedBy === 'ztunnel' || finding.enforcedBy === 'waypoint') return true;
  if (finding.enforcedBy !== null) return false;
  const { address } = finding.destination;
  return address === null || mesh.podByIp(address)?.dataplane !== 'sidecar';
}

function enrolStep(namespace: string, label: string, value: string, pod: Pod | null, mesh: MeshView): Draft {
  const ambient = value === 'ambient';
  const word = shellWord(namespace);
  const later =
    pod === null ? '' : ` Its identity will be ${mesh.trustDomain}/ns/${namespace}/sa/${pod.serviceAccount}.`;
  return step('enrol', `Bring the caller's namespace ${namespace} into the mesh, so that it has an identity.${later}`, {
    risk: ambient
      ? `All pods of ${namespace} are captured. NetworkPolicies must let TCP 15008 in and out, and policies that refuse plain text apply to ${namespace} too. If it is still refused then, its identity has to be admitted.`
      : `Pods of ${namespace} get a sidecar when they are restarted. If the call is still refused then, its identity has to be admitted.`,
    confirm: [`kubectl get namespace ${word} --show-labels`, `kubectl -n ${word} get networkpolicies`],
    apply: [
      `kubectl label namespace ${word} ${label}=${value}`,
      ...(ambient ? [] : [`kubectl -n ${word} rollout restart deployment`]),
    ],
    verify: [
      ambient ? `istioctl ztunnel-config workloads --workload-namespace ${word}` : `kubectl -n ${word} get pods`,
    ],
    rollback: [`kubectl label namespace ${word} ${label}-`],
  });
}

function enrolledAlready(pod: Pod): Draft {
  const { namespace, name, dataplane } = pod;
  const place = `kubectl -n ${shellWord(namespace)}`;
  return step(
    'investigate',
    `The caller ${namespace}/${name} is in the mesh, yet no identity was seen: find out why it came in plain text (a DestinationRule, an address that is no Service), or what stands between.`,
    {
      confirm: [
        `${place} get pod ${shellWord(name)} -o yaml`,
        dataplane === 'ambient'
          ? `istioctl ztunnel-config workloads --workload-namespace ${shellWord(namespace)}`
          : 'kubectl get destinationrules --all-namespaces -o yaml',
      ],
    },
  );
}

/** Its namespace is in the mesh, but the pod is not: it opts out, or it was made before its namespace was labelled. */
function leftOut({ namespace, name }: Pod, label: string): Draft {
  const pod = `${shellWord(namespace)} get pod ${shellWord(name)}`;
  return step(
    'enrol',
    `Namespace ${namespace} is in the mesh, but the caller ${name} is not: take out the label or annotation by which its workload opts out, or restart it.`,
    {
      confirm: [`kubectl -n ${pod} -o yaml`, `kubectl get namespace ${shellWord(namespace)} -L ${label}`],
      verify: [`kubectl -n ${pod} -o yaml`],
    },
  );
}

function unenrollable(finding: Finding): Draft {
  const [address] = finding.source.addresses;
  return step(
    'investigate',
    `Find out who ${callerName(finding)} is: it has no identity and is no pod that labels would bring into the mesh, so no policy can name it.`,
    {
      confirm:
        address === undefined
          ? []
          : [`kubectl get pods,nodes --all-namespaces -o wide | grep -F -- ${shellWord(address)}`],
    },
  );
}
