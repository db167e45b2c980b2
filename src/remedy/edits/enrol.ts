import type { Finding } from '../../model/finding.ts';
import type { KubeObject, MeshView, Pod } from '../../model/mesh.ts';
import type { Draft } from '../../model/remedy.ts';
import { shellWord } from '../../text/shell.ts';
import { workloadOf } from '../../text/workload.ts';
import { wordOr } from '../commands/kubectl.ts';
import { callerName, forwardedRemark } from './caller.ts';
import { ownAddresses } from './caller-proof.ts';
import { draftOf, patchObject } from './change.ts';
import { sourcePods } from './destination.ts';
import { isNamespace } from './names.ts';
import { step } from './step.ts';

const SYSTEM = ['kube-system', 'kube-public', 'kube-node-lease'];

/** Pods of one caller that are labelled one by one, where nothing is known that makes them. */
const MAX_PODS = 5;

/**
 * Drafts that give a caller without identity one, the narrowest first: `enrol` where labels can bring its pods into the
 * mesh, those of the workload where it is known, and of all its namespace. Else one step, `investigate`: it is in the mesh by its labels
 * already, or is no pod that can be enrolled (a host, something outside). Never empty.
 */
export function enrolCaller(finding: Finding, mesh: MeshView): readonly Draft[] {
  const pods = sourcePods(finding, mesh);
  const [pod = null] = pods;
  const namespace = pod?.namespace ?? finding.source.namespace;
  if (!isNamespace(namespace) || isOutside(finding, mesh)) return [unenrollable(finding, mesh)];
  if (pod !== null && isEnrolled(finding, mesh)) return [enrolledAlready(pod)];
  const way = wantsAmbient(finding, mesh) ? AMBIENT : INJECTION;
  const labels = mesh.namespaces.find(({ name }) => name === namespace)?.labels ?? {};
  if (pod !== null && labels[way.namespaceLabel[0]] === way.namespaceLabel[1])
    return [...takenBackIn(namespace, pods, way, mesh), leftOut(pod, way)];
  const whole = enrolNamespace(namespace, finding.source.workload, way, identityRemark(pod, mesh), mesh);
  return pod === null ? [whole] : enrolments(namespace, pods, way, whole, mesh);
}

/** Ways to bring pods of one workload into the mesh, the narrowest first; what is no change of a known object goes last. */
function enrolments(
  namespace: string,
  pods: readonly Pod[],
  way: Enrolment,
  whole: Draft,
  mesh: MeshView,
): readonly Draft[] {
  const [pod] = pods;
  if (pod === undefined) return [whole];
  const later = identityRemark(pod, mesh);
  const owner = ownerOf(pod, mesh);
  const narrow = owner === null ? null : enrolWorkload(namespace, owner, way, later);
  if (narrow !== null && narrow.changes.length > 0) return [narrow, whole];
  if (way.ambient) return [enrolPods(namespace, pods.slice(0, MAX_PODS), way, later, mesh), whole];
  return narrow === null ? [whole] : [whole, narrow];
}

/** For a workload that opts out by its own label, in a namespace that is in the mesh. Empty: that is not what keeps it out. */
function takenBackIn(namespace: string, pods: readonly Pod[], way: Enrolment, mesh: MeshView): readonly Draft[] {
  const [key, value] = way.podLabel;
  const out = pods.filter(({ labels }) => labels[key] !== undefined && labels[key] !== value);
  const [pod] = out;
  if (pod === undefined) return [];
  const [narrow] = enrolments(namespace, out, way, leftOut(pod, way), mesh);
  if (narrow === undefined || narrow.changes.length === 0) return [];
  const remark = `It has ${key}=${pod.labels[key]}, so somebody took it out of the mesh: see why.`;
  return [{ ...narrow, risk: narrow.risk === null ? remark : `${remark} ${narrow.risk}` }];
}

/** How pods come into the mesh. */
interface Enrolment {
  readonly ambient: boolean;
  readonly namespaceLabel: readonly [key: string, value: string];
  readonly podLabel: readonly [key: string, value: string];
}

const AMBIENT: Enrolment = {
  ambient: true,
  namespaceLabel: ['istio.io/dataplane-mode', 'ambient'],
  podLabel: ['istio.io/dataplane-mode', 'ambient'],
};
const INJECTION: Enrolment = {
  ambient: false,
  namespaceLabel: ['istio-injection', 'enabled'],
  podLabel: ['sidecar.istio.io/inject', 'true'],
};

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

function identityRemark(pod: Pod | null, mesh: MeshView): string {
  return pod === null ? '' : ` Its identity will be ${mesh.trustDomain}/ns/${pod.namespace}/sa/${pod.serviceAccount}.`;
}

/** The workload that makes a pod; `object` null: it is told by the form of the pod's name only. */
interface Owner {
  readonly kind: string;
  readonly name: string;
  readonly object: KubeObject | null;
}

/** Workloads whose template can be changed, so that new pods have other labels. */
const PATCHABLE_KINDS = ['Deployment', 'StatefulSet', 'DaemonSet'];

/** Known by its manifest, else told by the form of the pod's name; null: neither. */
function ownerOf({ name, namespace }: Pod, mesh: MeshView): Owner | null {
  const owner = workloadOf(name);
  const [known] = PATCHABLE_KINDS.map((kind) => mesh.object({ kind, namespace, name: owner })).filter(
    (object) => object !== null,
  );
  if (known !== undefined) return { kind: known.kind, name: owner, object: known };
  const ending = owner === name ? '' : name.slice(owner.length);
  if (/^-\d+$/.test(ending)) return { kind: 'StatefulSet', name: owner, object: null };
  return /^-[^-]+-[^-]+$/.test(ending) ? { kind: 'Deployment', name: owner, object: null } : null;
}

function enrolWorkload(namespace: string, { kind, name, object }: Owner, way: Enrolment, later: string): Draft {
  const [key, value] = way.podLabel;
  const at = ['spec', 'template', 'metadata', 'labels', key];
  const planned = object === null ? null : patchObject(object, [{ op: 'set', at, value }]);
  const summary = `Bring the caller ${namespace}/${name} into the mesh, so that it has an identity, by the label ${key}=${value} in its pod template.${later}`;
  const risk = `The pods of ${namespace}/${name} are made anew. ${risksOf(namespace, way)}`;
  if (planned !== null)
    return draftOf([planned], { kind: 'enrol', summary, risk, verify: [verifyCommand(namespace, way)] });
  const place = `kubectl -n ${shellWord(namespace)}`;
  const workload = `${kind.toLowerCase()} ${shellWord(name)}`;
  return step('enrol', summary, {
    risk,
    confirm: [
      `${place} get ${workload} -o yaml`,
      `kubectl get namespace ${shellWord(namespace)} --show-labels`,
      `${place} get networkpolicies`,
    ],
    verify: [verifyCommand(namespace, way)],
  });
}

/** Pods that run can be labelled for ambient mode; what makes them is not known, so it has to be told. */
function enrolPods(namespace: string, pods: readonly Pod[], way: Enrolment, later: string, mesh: MeshView): Draft {
  const [key, value] = way.podLabel;
  const planned = pods
    .map(({ name }) => mesh.object({ kind: 'Pod', namespace, name }))
    .map((object) =>
      object === null ? null : patchObject(object, [{ op: 'set', at: ['metadata', 'labels', key], value }]),
    )
    .filter((change) => change !== null);
  const names = pods.map(({ name }) => `${namespace}/${name}`).join(' and ');
  return draftOf(planned, {
    kind: 'enrol',
    summary: `Bring the caller ${names} into the mesh, so that it has an identity, by the label ${key}=${value} on the pod, and in the template that makes it.${later}`,
    risk: `Without the label in the template the next pod is out of the mesh again. ${risksOf(namespace, way)}`,
    verify: [verifyCommand(namespace, way)],
  });
}

function enrolNamespace(
  namespace: string,
  workload: string | null,
  way: Enrolment,
  later: string,
  mesh: MeshView,
): Draft {
  const [key, value] = way.namespaceLabel;
  const summary = `Bring the caller's namespace ${namespace} into the mesh, so that it has an identity, by the label ${key}=${value}.${later}`;
  const risk = `${way.ambient ? `All pods of ${namespace} are captured` : `All pods of ${namespace} get a sidecar when they are restarted`}. ${risksOf(namespace, way)}`;
  const object = mesh.object({ kind: 'Namespace', namespace: '', name: namespace });
  const planned = object === null ? null : patchObject(object, [{ op: 'set', at: ['metadata', 'labels', key], value }]);
  const word = shellWord(namespace);
  const restart = way.ambient ? [] : [`kubectl -n ${word} rollout restart deployment ${wordOr(workload, 'WORKLOAD')}`];
  const verify = [verifyCommand(namespace, way)];
  if (planned !== null) {
    const draft = draftOf([planned], { kind: 'enrol', summary, risk, verify });
    return { ...draft, commands: { ...draft.commands, apply: [...draft.commands.apply, ...restart] } };
  }
  return step('enrol', summary, {
    risk,
    confirm: [`kubectl get namespace ${word} --show-labels`, `kubectl -n ${word} get networkpolicies`],
    apply: [labelNamespace(namespace, way), ...restart],
    verify,
    rollback: [`kubectl label namespace ${word} ${key}-`],
  });
}

function labelNamespace(namespace: string, { namespaceLabel: [key, value] }: Enrolment): string {
  return `kubectl label namespace ${shellWord(namespace)} ${key}=${value}`;
}

function risksOf(namespace: string, { ambient }: Enrolment): string {
  const network = `NetworkPolicies must let TCP 15008 in and out, and policies that refuse plain text apply in ${namespace} too. `;
  return `${ambient ? network : ''}If the call is still refused then, its identity has to be admitted.`;
}

function verifyCommand(namespace: string, { ambient }: Enrolment): string {
  const word = shellWord(namespace);
  return ambient ? `istioctl ztunnel-config workloads --workload-namespace ${word}` : `kubectl -n ${word} get pods`;
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
function leftOut({ namespace, name }: Pod, { namespaceLabel: [label] }: Enrolment): Draft {
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

/** Without pods it is not known whether the caller is one; with them, it is none that could be enrolled. */
function unenrollable(finding: Finding, mesh: MeshView): Draft {
  const [address] = ownAddresses(finding);
  const [label, value] = (wantsAmbient(finding, mesh) ? AMBIENT : INJECTION).namespaceLabel;
  const what =
    mesh.pods.length === 0
      ? `If it is a pod, bring it into the mesh (label ${label}=${value} on its namespace, or its pod template), so that it has an identity; give the pods with --mesh to see which it is.`
      : 'It is no pod that labels would bring into the mesh.';
  return step(
    'investigate',
    `Find out who ${callerName(finding)} is: it came in plain text, so it has no identity that a policy could name. ${forwardedRemark(finding)}${what}`,
    {
      confirm: [
        ...(address === undefined
          ? ['kubectl get pods --all-namespaces -o wide']
          : [`kubectl get pods,nodes --all-namespaces -o wide | grep -F -- ${shellWord(address)}`]),
      ],
    },
  );
}
