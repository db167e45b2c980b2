import type { MeshView } from '../../model/mesh.ts';
import { endOf } from '../../policy/network-match.ts';
import { securityApi } from './api-version.ts';
import { createObject, type PlannedChange } from './change.ts';
import { type Destination, TUNNEL_PORT } from './destination.ts';
import { freeName, nameEndingIn } from './names.ts';
import { isolationOf } from './network-policy.ts';
import { workloadSelector } from './selector.ts';

/** More ports than these are no limit that a reader could check. */
const MAX_PORTS = 8;

/** A new policy that refuses all other ports than those of a workload that NetworkPolicies let anybody reach. */
export interface PortLimit {
  readonly planned: PlannedChange;
  readonly ports: readonly number[];
  /** `namespace/name` of the policy. */
  readonly name: string;
}

/**
 * What NetworkPolicies say about the ports of an ambient workload, said again where the tunnel ends: a DENY for every other
 * port, which ztunnel enforces for whatever it carries. Null: they name no ports, not all by number, or too many; or no
 * label selects the workload.
 */
export function portLimit(destination: Destination, mesh: MeshView): PortLimit | null {
  const [pod] = destination.pods;
  const matchLabels = workloadSelector(destination, mesh);
  if (pod?.dataplane !== 'ambient' || matchLabels === null) return null;
  const ports = portsLetIn(destination, mesh);
  if (ports === null) return null;
  const { namespace, workload } = destination;
  const name = nameEndingIn('ports', 'only', workload ?? pod.serviceAccount);
  const free = freeName(mesh, 'AuthorizationPolicy', namespace, name);
  const planned = createObject({
    apiVersion: securityApi(mesh),
    kind: 'AuthorizationPolicy',
    namespace,
    name: free,
    spec: {
      selector: { matchLabels },
      action: 'DENY',
      rules: [{ to: [{ operation: { notPorts: ports.map(String) } }] }],
    },
  });
  return { planned, ports, name: `${namespace}/${free}` };
}

/** The ports of all ingress rules that isolate the pods, whoever they are for. Null: there is a rule that lists none, or other than numbers. */
function portsLetIn({ pods, port }: Destination, mesh: MeshView): readonly number[] | null {
  const [pod] = pods;
  if (pod === undefined || port === null) return null;
  const end = endOf(pod, mesh);
  const { rules } = isolationOf(mesh, end, end, 'ingress');
  if (rules.some(({ rule }) => rule.ports.length === 0)) return null;
  const numbers = new Set<number>([port]);
  for (const entry of rules.flatMap(({ rule }) => rule.ports)) {
    if (typeof entry.port !== 'number' || entry.endPort !== null) return null;
    if (entry.port !== TUNNEL_PORT) numbers.add(entry.port);
  }
  return numbers.size <= MAX_PORTS ? [...numbers].toSorted((one, other) => one - other) : null;
}
