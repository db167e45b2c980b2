import { waypointSign } from '../../causes/waypoint.ts';
import type { Finding } from '../../model/finding.ts';
import type { MeshView, Service } from '../../model/mesh.ts';
import type { Draft } from '../../model/remedy.ts';
import { shellWord } from '../../text/shell.ts';
import { recordOf } from '../../text/untyped.ts';
import { securityApi } from './api-version.ts';
import { callerName } from './caller.ts';
import { createObject, draftOf, type PlannedChange, patchObject } from './change.ts';
import { type Destination, destinationOf, sourcePods } from './destination.ts';
import { isLayer4 } from './fit.ts';
import { asksOfHttp } from './http-at-ztunnel.ts';
import type { Edit } from './json-patch.ts';
import { freeName, objectName, usablePrincipal } from './names.ts';
import { type AppliedPolicy, policiesFor, selectedLabels, waypointOf } from './policies.ts';
import { step } from './step.ts';

/** True if the caller that ztunnel saw is a waypoint, which hides the client behind it. */
export function isBehindWaypoint(finding: Finding, mesh: MeshView): boolean {
  if (!isLayer4(finding)) return false;
  if (waypointSign(finding.source.identity, mesh) !== null) return true;
  const destination = destinationOf(finding, mesh);
  const waypoint = destination === null ? null : waypointOf(destination, mesh);
  return sourcePods(finding, mesh).some(
    ({ namespace, labels }) =>
      labels['gateway.networking.k8s.io/gateway-name'] === waypoint?.name && namespace === waypoint?.namespace,
  );
}

/**
 * For calls through a waypoint: the rule that names the clients moves to the waypoint, and ztunnel admits the waypoint
 * only. Both at once: the waypoint's identity beside the clients would let in whoever the waypoint serves, and the move
 * alone whoever avoids the waypoint (istio.io ambient/usage/l4-policy; waypoints do not impersonate their clients).
 */
export function throughWaypoint(finding: Finding, mesh: MeshView): readonly Draft[] {
  return move(finding, 'ALLOW', mesh);
}

/**
 * The same for DENY policies that ask about HTTP: ztunnel leaves that out and denies more than they say, and the waypoint
 * sees it. Empty: none that applies does so.
 */
export function denyAtWaypoint(finding: Finding, mesh: MeshView): readonly Draft[] {
  const destination = destinationOf(finding, mesh);
  const policies = destination === null ? [] : policiesFor(finding, mesh, destination, 'DENY');
  const isMeant = ({ policy }: AppliedPolicy): boolean => policy.rules.every((rule) => asksOfHttp(rule).length > 0);
  return policies.length > 0 && policies.every(isMeant) ? move(finding, 'DENY', mesh) : [];
}

function move(finding: Finding, action: 'ALLOW' | 'DENY', mesh: MeshView): readonly Draft[] {
  const destination = destinationOf(finding, mesh);
  const principal = usablePrincipal(finding.source.principal);
  if (destination === null || principal === null || destination.service === null) return [moveStep(finding)];
  const { service, namespace } = destination;
  const policies = policiesFor(finding, mesh, destination, action);
  const [first] = policies;
  const labels = first === undefined ? null : selectedLabels(first.object);
  const edits = policies.map((applied) => (isMovable(applied, namespace) ? portEdits(applied, destination) : null));
  if (labels === null || edits.includes(null) || namespace !== service.namespace) return [moveStep(finding)];
  const targetRefs = [{ group: '', kind: 'Service', name: service.name }];
  const moved = policies.map(({ object }, index) =>
    patchObject(object, [
      { op: 'unset', at: ['spec', 'selector'] },
      { op: 'set', at: ['spec', 'targetRefs'], value: targetRefs },
      ...(edits[index] ?? []),
    ]),
  );
  const planned =
    action === 'ALLOW'
      ? inTwoSteps(policies, moved, principal, mesh)
      : [waypointOnly(destination, service, labels, principal, mesh), ...moved];
  return [
    draftOf(
      planned.filter((change) => change !== null),
      {
        kind: 'policy-change',
        summary: `Let the waypoint of ${service.hostname} decide about its clients, and the pods admit the waypoint only.`,
        risk: 'Clients that call the pods without the waypoint are refused, also those that were admitted so far.',
        verify: [`istioctl ztunnel-config services --service-namespace ${shellWord(namespace)}`],
      },
    ),
  ];
}

/**
 * First what the policies say is said at the waypoint as well, then the pods admit the waypoint alone: in no moment between the two is anybody
 * let in whom the policies do not name.
 */
function inTwoSteps(
  policies: readonly AppliedPolicy[],
  moved: readonly (PlannedChange | null)[],
  principal: string,
  mesh: MeshView,
): readonly (PlannedChange | null)[] {
  const copies = policies.map(({ object, policy }, index) => {
    const { namespace, name } = policy.ref;
    return createObject({
      apiVersion: object.apiVersion,
      kind: object.kind,
      namespace,
      name: freeName(mesh, object.kind, namespace, objectName(name, 'waypoint')),
      spec: recordOf(moved[index]?.change.after?.['spec']),
    });
  });
  const guards = policies.map(({ object, policy }) => {
    const ports = [...new Set(policy.rules.flatMap(({ to }) => to.flatMap((operation) => operation?.ports ?? [])))];
    const to = ports.length > 0 ? { to: [{ operation: { ports } }] } : {};
    const value = [{ from: [{ source: { principals: [principal] } }], ...to }];
    return patchObject(object, [{ op: 'set', at: ['spec', 'rules'], value }]);
  });
  return [...copies, ...guards];
}

/** The policy at the pods that admits the waypoint alone. */
function waypointOnly(
  { namespace, workload }: Destination,
  service: Service,
  matchLabels: Readonly<Record<string, string>>,
  principal: string,
  mesh: MeshView,
): PlannedChange {
  const name = objectName(workload ?? service.name, 'only-waypoint');
  return createObject({
    apiVersion: securityApi(mesh),
    kind: 'AuthorizationPolicy',
    namespace,
    name: freeName(mesh, 'AuthorizationPolicy', namespace, name),
    spec: {
      selector: { matchLabels },
      action: 'ALLOW',
      rules: [{ from: [{ source: { principals: [principal] } }] }],
    },
  });
}

/** The step for a caller that went past the waypoint, which alone the policies at the pods admit. */
export function callThroughWaypoint(finding: Finding): Draft {
  const { namespace } = finding.destination;
  const place = namespace === null ? '--all-namespaces' : `-n ${shellWord(namespace)}`;
  return step(
    'configuration',
    'Let the caller use the Service, whose waypoint it then passes, instead of the address of a pod: the policy at the pods admits the waypoint only.',
    {
      risk: `Do not add ${callerName(finding)} beside the waypoint: it would get past the policies that the waypoint enforces.`,
      confirm: [
        'istioctl ztunnel-config services',
        `kubectl ${place} get services --show-labels`,
        `kubectl ${place} get authorizationpolicy -o yaml`,
      ],
    },
  );
}

/** Bound to this workload by labels, so that nothing else loses it when it moves. */
function isMovable({ object, policy, reach }: AppliedPolicy, namespace: string): boolean {
  return (
    reach === 1 && policy.ref.namespace === namespace && policy.rules.length > 0 && selectedLabels(object) !== null
  );
}

/** At a waypoint ports are the Service's, where they were the pod's. Null: a policy speaks of them otherwise. */
function portEdits({ policy }: AppliedPolicy, { service, pods, port }: Destination): readonly Edit[] | null {
  const speaksOtherwise = policy.rules.some(
    ({ to, when }) =>
      to.some(
        (operation) => (operation?.notPorts.length ?? 0) > 0 || operation?.ports.some((p) => p !== String(port)),
      ) || when.some(({ key }) => key === 'destination.port'),
  );
  if (speaksOtherwise) return null;
  const leads = (target: number | string): boolean =>
    target === port || pods.some(({ ports }) => ports.some((entry) => entry.name === target && entry.port === port));
  const own = service?.ports.filter(({ targetPort }) => leads(targetPort)).map((entry) => String(entry.port)) ?? [];
  const asked = policy.rules.flatMap(({ to }, rule) =>
    to.flatMap((operation, index) => (operation === null || operation.ports.length === 0 ? [] : [{ rule, index }])),
  );
  if (asked.length > 0 && own.length === 0) return null;
  return asked.map(({ rule, index }) => ({
    op: 'set',
    at: ['spec', 'rules', rule, 'to', index, 'operation', 'ports'],
    value: own,
  }));
}

function moveStep(finding: Finding): Draft {
  const { namespace } = finding.destination;
  const place = namespace === null ? '--all-namespaces' : `-n ${shellWord(namespace)}`;
  return step(
    'policy-change',
    `Move the rule that names the clients to a policy with targetRefs to the Service, and let the policy at the pods admit the waypoint ${callerName(finding)} only.`,
    {
      risk: 'Both changes belong together: the waypoint beside the clients would admit whoever it serves, the move alone whoever avoids it.',
      confirm: [`kubectl ${place} get authorizationpolicy -o yaml`, `kubectl ${place} get service --show-labels`],
    },
  );
}
