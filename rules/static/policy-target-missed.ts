import type { MeshView } from '../../src/model/mesh.ts';
import type { TargetRef } from '../../src/model/policy.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { labelsByNamespace } from '../../src/policy/survey/enforcers.ts';
import { authorizationPolicies, requestAuthentications, type Written } from '../../src/policy/survey/policies.ts';
import type { Scoped } from '../../src/policy/survey/selection.ts';
import { gatewayClassOf, isGatewayApi } from '../../src/policy/way/role.ts';
import { waypointOfService } from '../../src/policy/way/waypoint.ts';
import { step } from '../../src/remedy/edits/index.ts';
import { counted } from '../../src/text/counted.ts';
import { nearNames } from '../../src/text/near.ts';
import { refText } from '../../src/text/object-ref.ts';
import { shellWord } from '../../src/text/shell.ts';

/** A policy bound to something that does not exist, or that no waypoint serves. */
export const rule: StaticRule = {
  meta: {
    id: 'policy-target-missed',
    category: 'authorization',
    level: 'warning',
    title: 'The target of a policy does not exist or has no waypoint',
    page: {
      meaning:
        'A policy with targetRefs is enforced by the gateway or waypoint it names, or by the waypoint of the Service it names, and nowhere else: no sidecar and no ztunnel looks at it. Without that proxy it is in force nowhere.',
      printedBy:
        'Nobody: requests pass as if the policy were not there. istiod writes condition WaypointAccepted (TargetNotFound, AncestorNotBound) on the policy.',
      confirm: [
        'kubectl -n NAMESPACE get authorizationpolicy NAME -o jsonpath={.status.conditions}',
        'kubectl -n NAMESPACE get gateways.gateway.networking.k8s.io,services --show-labels',
      ],
      change:
        'Name what exists, in the namespace of the policy; deploy a waypoint and put label istio.io/use-waypoint on the Service or its namespace.',
      never: 'Do not turn targetRefs into a selector for ztunnel: it does not see HTTP, and drops such rules.',
    },
    cites: [
      'istio 86c9f01f pilot/pkg/model/policyattachment.go',
      'istio 86c9f01f pilot/pkg/serviceregistry/ambient/waypoints.go',
    ],
  },
  check: (mesh) =>
    boundPolicies(mesh).flatMap(({ object, policy }) =>
      (policy.targetRefs ?? []).flatMap((target, index): readonly StaticMatch[] => {
        const fault = faultOf(target, policy, mesh);
        if (fault === null) return [];
        const { cause, change } = fault;
        return [
          {
            object,
            at: ['spec', 'targetRefs', index],
            certainty: 'likely',
            cause: `${refText(policy.ref)} is bound to ${target.kind} ${target.name}. ${cause} It is in force nowhere by that reference.`,
            drafts: [
              step('policy-change', change, {
                confirm: [
                  `kubectl -n ${shellWord(policy.ref.namespace)} get gateways.gateway.networking.k8s.io,services --show-labels`,
                ],
              }),
            ],
          },
        ];
      }),
    ),
  gaps: (mesh) => {
    const open = boundPolicies(mesh).filter(({ policy }) =>
      (policy.targetRefs ?? []).some(({ kind }) => kind !== 'GatewayClass' && namesKnown(kind, policy, mesh) === null),
    );
    return open.length === 0
      ? []
      : [
          `whether the targets of ${counted(open.length, 'policy', 'policies')} with targetRefs exist: their namespaces' Services or Gateways are not known (kubectl get services,gateways.gateway.networking.k8s.io -A -o yaml)`,
        ];
  },
};

function boundPolicies(mesh: MeshView): readonly Written<Scoped>[] {
  const all: readonly Written<Scoped>[] = [...authorizationPolicies(mesh), ...requestAuthentications(mesh)];
  return all.filter(({ policy }) => (policy.targetRefs ?? []).length > 0);
}

/** Names of a kind in the namespace of the policy; null: none of them is known, so that nothing can be concluded. */
function namesKnown(kind: string, { ref }: Scoped, mesh: MeshView): readonly string[] | null {
  const objects = mesh
    .objectsOf(kind, ref.namespace)
    .filter(({ apiVersion }) => kind !== 'Gateway' || isGatewayApi(apiVersion));
  return objects.length === 0 ? null : objects.map(({ metadata }) => metadata.name).sort();
}

/** What is wrong with a reference, and what to change. */
interface Fault {
  readonly cause: string;
  readonly change: string;
}

/** Null: nothing that is known. */
function faultOf(target: TargetRef, policy: Scoped, mesh: MeshView): Fault | null {
  if (target.kind === 'GatewayClass') return null;
  const { namespace } = policy.ref;
  const names = namesKnown(target.kind, policy, mesh);
  if (names === null || names.includes(target.name)) {
    return target.kind === 'Service' ? waypointFault(target.name, namespace, mesh) : null;
  }
  const [near] = nearNames(target.name, names);
  const hint = near === undefined ? '' : ` ${near} does.`;
  return {
    cause: `In ${namespace} no such ${target.kind} exists.${hint}`,
    change: `Name a ${target.kind} of namespace ${namespace} that exists in targetRefs.${hint}`,
  };
}

/** Only where the labels of the namespace are known: they may name a waypoint for all its Services. */
function waypointFault(name: string, namespace: string, mesh: MeshView): Fault | null {
  const service = mesh.serviceByHost(`${name}.${namespace}`);
  const labels = labelsByNamespace(mesh).get(namespace);
  if (service === null || labels === undefined || waypointOfService(service, mesh).kind !== 'none') return null;
  const asked = service.labels[USE] ?? labels[USE] ?? 'none';
  const exists = gatewayClassOf(namespace, asked, mesh) !== null;
  const lacking = `Its waypoint ${asked} ${exists ? 'does not take its traffic' : 'does not exist'}.`;
  return {
    cause: asked === 'none' ? 'That Service has no waypoint.' : lacking,
    change: `Give Service ${namespace}/${name} a waypoint (istioctl waypoint apply -n ${shellWord(namespace)}) and label it ${USE}.`,
  };
}

const USE = 'istio.io/use-waypoint';
