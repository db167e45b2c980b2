import type { KubeObject, MeshView, Pod } from '../../model/mesh.ts';
import type { Draft } from '../../model/remedy.ts';
import { endOf, type NetworkProbe } from '../../policy/network-match.ts';
import { nameOf } from '../../text/object-ref.ts';
import { workloadOf } from '../../text/workload.ts';
import type { BlockedCall, WireSource } from './blocked-call.ts';
import { createObject, draftOf, type PlannedChange, patchObject } from './change.ts';
import { TUNNEL_PORT } from './destination.ts';
import type { Edit } from './json-patch.ts';
import { showPolicy } from './kubectl.ts';
import { freeName, isNamespace, objectName } from './names.ts';
import { type Direction, type IsolatingRule, type Isolation, isForPort, isolationOf } from './network-policy.ts';
import { heldWorkload, reachOf } from './network-reach.ts';
import { workloadSelector } from './selector.ts';
import { step } from './step.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * Drafts that let exactly the caller of a dropped connection reach exactly its port, on each side whose NetworkPolicies stop
 * it: a port for a rule that is for this caller alone, the caller for a rule that is for this port alone, else a rule of its
 * own; in a policy that selects this workload alone, else in a new one. Where the caller is not known, or cannot be named by
 * stable labels, a step that says what is lacking. Never empty.
 */
export function admitPeer(call: BlockedCall, mesh: MeshView): readonly Draft[] {
  const { source, decision, port, assuming } = call;
  const [pod] = call.pods;
  if (source === null) return [...admitOwner(call, mesh), askForCaller(call)];
  const planned = admissions(call, source, null, mesh);
  if (planned.length === 0) return [admitByHand(call)];
  const supposed = assuming === null ? '' : `, ${assuming}`;
  return [
    draftOf(planned, {
      kind: 'network-policy',
      summary: `Let ${wireName(source)} reach TCP ${port} of ${podName(pod)} in ${changedNames(planned)}${supposed}.`,
      risk: risksOf(call),
      decision: isKnown(call, source, mesh)
        ? null
        : `No rule names ${wireName(source)}: the owner of ${podName(pod)} has to say whether it is meant to call.`,
      verify: decision.determining.map(showPolicy),
    }),
  ];
}

/** A rule is for this caller already, on another port; kubelets are for every pod. */
function isKnown({ pods: [pod], decision }: BlockedCall, source: WireSource, mesh: MeshView): boolean {
  if ('ip' in source) return true;
  const [own, other] = [endOf(pod, mesh), endOf(source, mesh)];
  const isByPort = decision.nearMiss.some(({ field }) => field.endsWith('.ports'));
  return isByPort || isolationOf(mesh, own, other, 'ingress').rules.some(({ peer }) => peer === true);
}

/** Nobody knows who called, but whose Service it was: its own namespace may well be meant to. */
function admitOwner(call: BlockedCall, mesh: MeshView): readonly Draft[] {
  const { owner, port, assuming } = call;
  const [pod] = call.pods;
  if (owner === null || !isNamespace(owner)) return [];
  const planned = admissions(call, { ip: '' }, namespacePeer(owner), mesh);
  if (planned.length === 0) return [];
  return [
    draftOf(planned, {
      kind: 'network-policy',
      summary: `If a pod of ${owner} called, let that namespace reach TCP ${port} of ${podName(pod)} in ${changedNames(planned)}, ${assuming}.`,
      risk: `Every pod of namespace ${owner} reaches TCP ${port} of ${podName(pod)}; AuthorizationPolicies decide what it may do there.`,
      decision: `The line does not say which pod called: see that it is one of ${owner}, which owns the Service that was called.`,
      verify: call.decision.determining.map(showPolicy),
    }),
  ];
}

/** The changes of both sides; empty: one that is needed cannot be written. `peer` is the caller where its pod is not known. */
function admissions(
  call: BlockedCall,
  source: WireSource,
  peer: Json | null,
  mesh: MeshView,
): readonly PlannedChange[] {
  const probe: NetworkProbe = { source, destination: call.pods[0], port: call.port, protocol: 'TCP' };
  const sides: readonly Direction[] = ['ingress', 'egress'];
  const found = sides.map((direction) => admission(direction, probe, peer, mesh)).filter((side) => side !== null);
  if (found.includes('impossible')) return [];
  // A workload that calls itself can meet one policy on both sides.
  const patched = new Map<KubeObject, Edit[]>();
  for (const side of found) {
    if (typeof side === 'object' && 'policy' in side)
      patched.set(side.policy, [...(patched.get(side.policy) ?? []), side.edit]);
  }
  const patches = [...patched].map(([policy, edits]) => patchObject(policy, edits)).filter((change) => change !== null);
  return [...patches, ...found.filter((side) => typeof side === 'object' && 'change' in side)];
}

function changedNames(planned: readonly PlannedChange[]): string {
  return planned.map(({ change }) => `NetworkPolicy ${nameOf(change.object)}`).join(' and ');
}

/** Why a connection is dropped, as a sentence. */
export function blockedBecause({ source, pods: [pod], port, decision, assuming }: BlockedCall): string {
  const names = decision.determining.map((ref) => `NetworkPolicy ${nameOf(ref)}`).join(' and ');
  const verb = decision.determining.length === 1 ? 'isolates' : 'isolate';
  if (source === null) {
    const supposed = assuming === null ? '' : `, ${assuming}`;
    return `${names} ${verb} ${podName(pod)}${supposed}: no rule lets everybody in on TCP ${port}.`;
  }
  const supposed = assuming === null ? '' : ` ${assuming}`;
  return `It is dropped${supposed}: ${decision.because}.`;
}

/** A caller as people name it: `namespace/workload`, or the address. */
export function wireName(source: WireSource): string {
  return 'ip' in source ? source.ip : podName(source);
}

function podName(pod: Pod): string {
  return `${pod.namespace}/${workloadOf(pod.name)}`;
}

/** An edit of a policy that is there. */
interface PolicyEdit {
  readonly policy: KubeObject;
  readonly edit: Edit;
}

/** The change of one side; null: none is needed; `impossible`: one is, and cannot be written. */
function admission(
  direction: Direction,
  probe: NetworkProbe,
  named: Json | null,
  mesh: MeshView,
): PolicyEdit | PlannedChange | 'impossible' | null {
  const { source, destination, port } = probe;
  const [own, other] = direction === 'ingress' ? [destination, source] : [source, destination];
  if ('ip' in own) return null;
  const isolation = isolationOf(mesh, endOf(own, mesh), endOf(other, mesh), direction);
  const isOpen = isolation.rules.some((rule) => rule.peer === true && isForPort(rule, probe) === true);
  if (isolation.policies.length === 0 || isOpen) return null;
  const peer = named ?? peerOf(other, own.namespace, mesh);
  if (peer === null) return 'impossible';
  const entry = { protocol: 'TCP', port };
  const peers = direction === 'ingress' ? 'from' : 'to';
  return (
    intoRule(isolation, direction, probe, other, peer, mesh) ??
    intoPolicy(isolation, direction, { [peers]: [peer], ports: [entry] }, mesh) ??
    newPolicy(own, direction, { [peers]: [peer], ports: [entry] }, mesh) ??
    'impossible'
  );
}

/** A rule that is for this caller alone gets the port; one that is for this port alone gets the caller. */
function intoRule(
  { rules }: Isolation,
  direction: Direction,
  probe: NetworkProbe,
  other: WireSource,
  peer: Json,
  mesh: MeshView,
): PolicyEdit | null {
  const narrow = rules.filter(({ policy }) => reachOf(policy, mesh) <= 1);
  const forCaller = narrow.find((rule) => isForCallerAlone(rule, other, mesh) && isForPort(rule, probe) === false);
  if (forCaller !== undefined) {
    const at = ['spec', direction, forCaller.index, 'ports'];
    return { policy: forCaller.policy, edit: { op: 'append', at, value: { protocol: 'TCP', port: probe.port } } };
  }
  const forPort = narrow.find(
    ({ rule, peer: holds }) =>
      holds === false &&
      rule.ports.length === 1 &&
      rule.ports[0]?.port === probe.port &&
      rule.ports[0].endPort === null,
  );
  if (forPort === undefined) return null;
  const at = ['spec', direction, forPort.index, direction === 'ingress' ? 'from' : 'to'];
  return { policy: forPort.policy, edit: { op: 'append', at, value: peer } };
}

/** The peers of a rule are pods of the caller's workload, and nobody else that is known. */
function isForCallerAlone({ rule, policy, peer }: IsolatingRule, other: WireSource, mesh: MeshView): boolean {
  if (peer !== true || 'ip' in other || rule.peers.length === 0 || rule.ports.length === 0) return false;
  const isByLabels = rule.peers.every(({ ipBlock }) => ipBlock === null);
  return isByLabels && heldWorkload(rule.peers, policy.metadata.namespace, mesh) === podName(other);
}

/** A rule of its own in a policy that selects this workload alone. */
function intoPolicy({ policies }: Isolation, direction: Direction, rule: Json, mesh: MeshView): PolicyEdit | null {
  const home = policies.find((policy) => reachOf(policy, mesh) <= 1);
  return home === undefined ? null : { policy: home, edit: { op: 'append', at: ['spec', direction], value: rule } };
}

/** Policies that select many workloads stay as they are: a rule in them would open the port at all of those. */
function newPolicy(own: Pod, direction: Direction, rule: Json, mesh: MeshView): PlannedChange | null {
  const { namespace } = own;
  const matchLabels = labelsOf(own, mesh);
  if (matchLabels === null) return null;
  const name = objectName(workloadOf(own.name), direction === 'ingress' ? 'admits' : 'may-call');
  return createObject({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    namespace,
    name: freeName(mesh, 'NetworkPolicy', namespace, name),
    spec: {
      podSelector: { matchLabels },
      policyTypes: [direction === 'ingress' ? 'Ingress' : 'Egress'],
      [direction]: [rule],
    },
  });
}

/** One end as a peer in a policy of `namespace`; null: it has no labels that stay. */
export function peerOf(other: WireSource, namespace: string, mesh: MeshView): Json | null {
  if ('ip' in other) return { ipBlock: { cidr: `${other.ip}/${other.ip.includes(':') ? 128 : 32}` } };
  const matchLabels = labelsOf(other, mesh);
  if (matchLabels === null) return null;
  const podSelector = { matchLabels };
  if (other.namespace === namespace) return { podSelector };
  return { ...namespacePeer(other.namespace), podSelector };
}

/** The API server puts this label on every namespace. */
function namespacePeer(namespace: string): Json {
  return { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } };
}

function labelsOf(pod: Pod, mesh: MeshView): Readonly<Record<string, string>> | null {
  const { namespace, labels, name } = pod;
  const labelled = Object.keys(labels).length > 0;
  const own = { namespace, labels, workload: workloadOf(name), pods: [pod], service: null, port: null };
  return labelled ? workloadSelector(own, mesh) : null;
}

function risksOf({ source, pods: [pod], port }: BlockedCall): string {
  if (source === null || 'ip' in source) {
    return `Whoever has the address ${source?.ip ?? 'of the caller'} reaches TCP ${port} of ${podName(pod)}.`;
  }
  const reaches = `Every pod of ${podName(source)} reaches TCP ${port} of ${podName(pod)}`;
  return port === TUNNEL_PORT
    ? `${reaches}, which carries all ports of the pod: which of them it may use is then up to AuthorizationPolicies.`
    : `${reaches}; AuthorizationPolicies decide what it may do there.`;
}

function askForCaller({ pods: [pod], port, decision, assuming }: BlockedCall): Draft {
  const names = decision.determining.map((ref) => `NetworkPolicy ${nameOf(ref)}`).join(' and ');
  const supposed = assuming === null ? '' : ` (${assuming})`;
  return step(
    'network-policy',
    `Find out which pod called. To ${podName(pod)}${supposed} ${names} lets in on TCP ${port} only whom a rule names: if the caller is none of them, append a rule with a namespaceSelector for its namespace, a podSelector for its labels, and this one port.`,
    {
      risk: 'A rule without peers, or with an empty namespaceSelector, opens the port to every pod of the cluster.',
      confirm: [...decision.determining.map(showPolicy), 'kubectl get pods -A -o wide --show-labels'],
    },
  );
}

function admitByHand({ source, pods: [pod], port, decision }: BlockedCall): Draft {
  return step(
    'network-policy',
    `Give ${source === null ? 'the caller' : wireName(source)} and ${podName(pod)} a label of their own, and append a rule for it with TCP ${port} to ${decision.determining.map((ref) => `NetworkPolicy ${nameOf(ref)}`).join(' and ')}.`,
    { confirm: decision.determining.map(showPolicy) },
  );
}
