import type { KubeObject, MeshView } from '../../model/mesh.ts';
import { decodeNetworkPolicy, type NetworkRule } from '../../policy/decode-network-policy.ts';
import {
  anyOf,
  type End,
  type NetworkProbe,
  peerHolds,
  portHolds,
  selectsPod,
  type Truth,
} from '../../policy/network-match.ts';

/** Which way a NetworkPolicy looks from the pods it selects. */
export type Direction = 'ingress' | 'egress';

/** One rule of a NetworkPolicy that isolates a pod in one direction. */
export interface IsolatingRule {
  readonly policy: KubeObject;
  readonly direction: Direction;
  /** Index in `spec.ingress` or `spec.egress`. */
  readonly index: number;
  readonly rule: NetworkRule;
  /** Whether it is for the other end, on whatever port. */
  readonly peer: Truth;
}

/** The NetworkPolicies that isolate a pod in a direction. They add up: what one lets through, no other can stop. */
export interface Isolation {
  readonly policies: readonly KubeObject[];
  readonly rules: readonly IsolatingRule[];
}

/** What isolates one end (`own`, a pod) in a direction, towards the other end. No policies: everything is let through. */
export function isolationOf(mesh: MeshView, own: End, other: End, direction: Direction): Isolation {
  const type = direction === 'ingress' ? 'Ingress' : 'Egress';
  const policies = mesh.objectsOf('NetworkPolicy', own.pod?.namespace ?? '').flatMap((object) => {
    const decoded = decodeNetworkPolicy(object);
    if (!decoded.ok || !decoded.value.policyTypes.includes(type)) return [];
    return selectsPod(decoded.value.podSelector, own) === false ? [] : [{ object, policy: decoded.value }];
  });
  const rules = policies.flatMap(({ object, policy }) =>
    policy[direction].map((rule, index) => {
      const peer =
        rule.peers.length === 0 || anyOf(rule.peers.map((entry) => peerHolds(entry, policy.namespace, other)));
      return { policy: object, direction, index, rule, peer };
    }),
  );
  return { policies: policies.map(({ object }) => object), rules };
}

/** Whether a rule is for the destination's port of a connection. */
export function isForPort({ rule }: IsolatingRule, probe: NetworkProbe): Truth {
  return rule.ports.length === 0 || anyOf(rule.ports.map((port) => portHolds(port, probe)));
}
