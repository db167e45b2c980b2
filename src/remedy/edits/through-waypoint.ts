import { waypointSign } from '../../causes/waypoint.ts';
import type { Finding } from '../../model/finding.ts';
import type { MeshView } from '../../model/mesh.ts';
import type { Draft } from '../../model/remedy.ts';
import { shellWord } from '../../text/shell.ts';
import { securityApi } from './api-version.ts';
import { callerName } from './caller.ts';
import { createObject, draftOf, patchObject } from './change.ts';
import { destinationOf, sourcePods } from './destination.ts';
import { isLayer4 } from './fit.ts';
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
  const destination = destinationOf(finding, mesh);
  const principal = usablePrincipal(finding.source.principal);
  if (destination === null || principal === null || destination.service === null) return [moveStep(finding)];
  const { service, namespace } = destination;
  const policies = policiesFor(finding, mesh, destination, 'ALLOW');
  const [first] = policies;
  const labels = first === undefined ? null : selectedLabels(first.object);
  const movable = policies.every((applied) => isMovable(applied, namespace));
  if (labels === null || !movable || namespace !== service.namespace) return [moveStep(finding)];
  const targetRefs = [{ group: '', kind: 'Service', name: service.name }];
  const moved = policies.map(({ object }) =>
    patchObject(object, [
      { op: 'unset', at: ['spec', 'selector'] },
      { op: 'set', at: ['spec', 'targetRefs'], value: targetRefs },
    ]),
  );
  const name = objectName(destination.workload ?? service.name, 'only-waypoint');
  const guard = createObject({
    apiVersion: securityApi(mesh),
    kind: 'AuthorizationPolicy',
    namespace,
    name: freeName(mesh, 'AuthorizationPolicy', namespace, name),
    spec: {
      selector: { matchLabels: labels },
      action: 'ALLOW',
      rules: [{ from: [{ source: { principals: [principal] } }] }],
    },
  });
  return [
    draftOf([guard, ...moved.filter((planned) => planned !== null)], {
      kind: 'policy-change',
      summary: `Let the waypoint of ${service.hostname} decide about its clients, and the pods admit the waypoint only.`,
      risk: 'Clients that call the pods without the waypoint are refused, also those that were admitted so far.',
      verify: [`istioctl ztunnel-config services --service-namespace ${shellWord(namespace)}`],
    }),
  ];
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
