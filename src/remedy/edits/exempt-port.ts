import type { Finding } from '../../model/finding.ts';
import type { KubeObject, MeshView } from '../../model/mesh.ts';
import type { PeerAuthentication } from '../../model/policy.ts';
import type { Draft } from '../../model/remedy.ts';
import { oldest } from '../../policy/ambient/peer-authentication.ts';
import { decodePeerAuthentication } from '../../policy/decode.ts';
import { allOf } from '../../policy/network-match.ts';
import { shellWord } from '../../text/shell.ts';
import { valueAt } from '../../text/untyped.ts';
import { securityApi } from './api-version.ts';
import { callerName } from './caller.ts';
import { createObject, draftOf, type PlannedChange, patchObject } from './change.ts';
import { type Destination, destinationOf } from './destination.ts';
import { enrolCaller, isEnrolled, isOutside } from './enrol.ts';
import { callOf, fromFits, restFits } from './fit.ts';
import type { Edit } from './json-patch.ts';
import { missedException } from './missed-exception.ts';
import { freeName, objectName } from './names.ts';
import { policiesFor, selects } from './policies.ts';
import { workloadSelector } from './selector.ts';
import { step } from './step.ts';
import { watchLogs } from './watch.ts';

/**
 * Drafts for plain text that STRICT refused, best first: bring the caller into the mesh; where that cannot be, except the
 * one port of the destination's pods. Only the oldest PeerAuthentication that selects a pod counts, so that one is
 * extended where there is one; a new one always has a selector. Where somebody excepted the port already, in a way that
 * does not count, that alone is put right: whether plain text may come in there is decided. A caller that is in the
 * mesh needs no exception: its own side has to be put right. Never empty.
 */
export function exemptPort(finding: Finding, mesh: MeshView): readonly Draft[] {
  const enrol = enrolCaller(finding, mesh);
  if (isEnrolled(finding, mesh)) return enrol;
  const exempt = exemption(finding, mesh);
  if (exempt.changes.length > 0 && isExceptedInVain(finding, mesh)) return [exempt];
  // Without pods nobody knows who called: that comes first.
  return isOutside(finding, mesh) && mesh.pods.length > 0 ? [exempt, ...enrol] : [...enrol, exempt];
}

function isExceptedInVain(finding: Finding, mesh: MeshView): boolean {
  const destination = destinationOf(finding, mesh);
  if (destination === null || destination.port === null) return false;
  const { pods, port } = destination;
  return pods.some((pod) => missedException(pod, port, mesh) !== '');
}

function exemption(finding: Finding, mesh: MeshView): Draft {
  const destination = destinationOf(finding, mesh);
  if (destination === null || destination.port === null || destination.labels === null) return exemptByHand(finding);
  const { port } = destination;
  const policies = peerAuthentications(mesh, destination.namespace);
  const labels = destination.labels;
  const own = policies.filter(({ policy }) => isWorkloadLevel(policy) && selects(policy.selector, labels));
  const effective = oldest(own.map(({ policy }) => policy));
  const existing = own.find(({ policy }) => policy === effective);
  if (existing?.policy.portModes.get(port) === 'PERMISSIVE') return exemptAlready(existing.policy, port);
  const planned =
    existing === undefined
      ? newPeerAuthentication(mesh, destination, port)
      : patchObject(existing.object, extension(existing, destination, port, mesh));
  if (planned === null) return exemptByHand(finding);
  const name = `${planned.change.object.namespace}/${planned.change.object.name}`;
  return draftOf([planned], {
    kind: 'policy-change',
    summary: `Let PeerAuthentication ${name} accept plain text on port ${port}, if ${callerName(finding)} cannot be brought into the mesh.`,
    risk: risksOf(finding, mesh, destination, planned),
    decision: 'Plain text proves nobody: whoever reaches the port is let in. Its owner decides whether that may be.',
    verify: watchLogs(finding, mesh, destination),
  });
}

interface Known {
  readonly object: KubeObject;
  readonly policy: PeerAuthentication;
}

function peerAuthentications(mesh: MeshView, namespace: string): readonly Known[] {
  return mesh.objectsOf('PeerAuthentication', namespace).flatMap((object) => {
    const decoded = decodePeerAuthentication(object);
    return decoded.ok ? [{ object, policy: decoded.value }] : [];
  });
}

function isWorkloadLevel({ selector }: PeerAuthentication): boolean {
  return Object.keys(selector?.matchLabels ?? {}).length > 0;
}

function newPeerAuthentication(mesh: MeshView, destination: Destination, port: number): PlannedChange | null {
  const { namespace, workload, service } = destination;
  const matchLabels = workloadSelector(destination, mesh);
  if (matchLabels === null) return null;
  const name = objectName(workload ?? service?.name ?? 'workload', 'plaintext', String(port));
  return createObject({
    apiVersion: securityApi(mesh),
    kind: 'PeerAuthentication',
    namespace,
    name: freeName(mesh, 'PeerAuthentication', namespace, name),
    spec: {
      selector: { matchLabels },
      // Without it the mode is inherited, and under some parents the exception then opens every port.
      mtls: { mode: 'STRICT' },
      portLevelMtls: { [String(port)]: { mode: 'PERMISSIVE' } },
    },
  });
}

/** An exception for the Service's port, which no pod has, is what was meant for the pod's: it is put right. */
function extension(existing: Known, destination: Destination, port: number, mesh: MeshView): readonly Edit[] {
  const { object, policy } = existing;
  const at = (number: number): readonly string[] => ['spec', 'portLevelMtls', String(number)];
  const misplaced = [...policy.portModes.keys()].filter(
    (number) => isServicePortOnly(number, destination, port) && valueAt(object.raw, ...at(number)) !== undefined,
  );
  const strict = policy.mode === 'UNSET' && inheritsStrict(mesh, destination.namespace);
  return [
    ...(strict ? [{ op: 'set' as const, at: ['spec', 'mtls', 'mode'], value: 'STRICT' }] : []),
    ...misplaced.map((number) => ({ op: 'unset' as const, at: at(number) })),
    { op: 'set', at: [...at(port), 'mode'], value: 'PERMISSIVE' },
  ];
}

function isServicePortOnly(number: number, { service, pods }: Destination, port: number): boolean {
  const entry = service?.ports.find((candidate) => candidate.port === number);
  if (entry === undefined || number === port) return false;
  const targets = pods.map(
    ({ ports }) => ports.find(({ name }) => name === entry.targetPort)?.port ?? entry.targetPort,
  );
  const isPodPort = pods.some(({ ports }) => ports.some((candidate) => candidate.port === number));
  return targets.length > 0 && targets.every((target) => target === port) && !isPodPort;
}

/** Whether the namespace, or else the mesh, is STRICT. */
function inheritsStrict(mesh: MeshView, namespace: string): boolean {
  for (const place of [namespace, mesh.rootNamespace]) {
    const wide = peerAuthentications(mesh, place).filter(({ policy }) => !isWorkloadLevel(policy));
    const mode = oldest(wide.map(({ policy }) => policy))?.mode ?? 'UNSET';
    if (mode !== 'UNSET') return mode === 'STRICT';
  }
  return false;
}

function risksOf(finding: Finding, mesh: MeshView, destination: Destination, { change }: PlannedChange): string {
  const parts = [
    `Everybody who reaches port ${destination.port} may use it without encryption and identity; other ports stay as they are.`,
  ];
  if (change.op === 'create' && change.object.namespace === mesh.rootNamespace) {
    parts.push('In the root namespace istiod ignores PeerAuthentications with a selector.');
  }
  const denials = policiesFor(finding, mesh, destination, 'DENY').filter(({ policy }) => {
    const call = { ...callOf(finding, destination.port, policy.ref.namespace), principal: null };
    return policy.rules.some((rule) => allOf([fromFits(rule, call, 'DENY'), restFits(rule, call, 'DENY')]) === true);
  });
  for (const { policy } of denials) {
    parts.push(`AuthorizationPolicy ${policy.ref.namespace}/${policy.ref.name} still denies callers without identity.`);
  }
  return parts.join(' ');
}

function exemptAlready({ ref }: PeerAuthentication, port: number): Draft {
  return step(
    'investigate',
    `PeerAuthentication ${ref.namespace}/${ref.name} accepts plain text on port ${port} already: see whether it is in force, and whether it is the oldest that selects the pod.`,
    {
      confirm: [
        `kubectl -n ${shellWord(ref.namespace)} get peerauthentication -o yaml`,
        'istioctl ztunnel-config policies',
      ],
    },
  );
}

function exemptByHand(finding: Finding): Draft {
  const { namespace, port, workload } = finding.destination;
  const place = namespace === null ? '--all-namespaces' : `-n ${shellWord(namespace)}`;
  const at = port === null ? 'the port' : `port ${port}`;
  return step(
    'policy-change',
    `Only if the caller cannot be brought into the mesh: in the oldest PeerAuthentication that selects the pods of ${workload ?? 'the destination'}, or a new one with a selector and mode STRICT, set portLevelMtls to PERMISSIVE for ${at} (the pod's port, not the Service's).`,
    {
      risk: `Everybody who reaches ${at} may use it without encryption and identity.`,
      confirm: [`kubectl ${place} get peerauthentication -o yaml`, `kubectl ${place} get pods --show-labels`],
    },
  );
}
