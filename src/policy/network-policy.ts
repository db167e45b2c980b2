import type { NearMiss } from '../model/finding.ts';
import type { KubeObject, MeshView, ObjectRef } from '../model/mesh.ts';
import type { Decision } from '../model/policy.ts';
import { decodeNetworkPolicy, type NetworkPolicy, type NetworkRule } from './decode-network-policy.ts';
import {
  allOf,
  anyOf,
  type End,
  endOf,
  type NetworkProbe,
  peerHolds,
  portHolds,
  selectsPod,
  type Truth,
} from './network-match.ts';

export type { NetworkProbe } from './network-match.ts';

type Direction = 'ingress' | 'egress';

/** What the policies of one side say. */
interface SideDecision {
  readonly outcome: Decision['outcome'];
  readonly because: string;
  readonly determining: readonly ObjectRef[];
  readonly nearMiss: readonly NearMiss[];
}

/**
 * Would the Kubernetes NetworkPolicies (networking.k8s.io/v1) let this connection through? Both ends are asked: egress of
 * the source, ingress of the destination. A pod that no policy selects is open; one that is selected takes only what a
 * rule allows. Policies that an API server would refuse count as absent. `unknown` where labels of a namespace, container
 * ports or the network of a node decide and are not known. Enforcement by the CNI is taken for granted. Never throws.
 */
export function decideNetwork(policies: readonly KubeObject[], mesh: MeshView, probe: NetworkProbe): Decision {
  const decoded = policies.flatMap((object) => {
    const policy = decodeNetworkPolicy(object);
    return policy.ok ? [policy.value] : [];
  });
  const source = endOf(probe.source, mesh);
  const destination = endOf(probe.destination, mesh);
  const egress = decideSide(decoded, 'egress', source, destination, probe);
  const ingress = decideSide(decoded, 'ingress', destination, source, probe);
  return { ...joined(egress, ingress), error: null };
}

/** A deny of either side wins over what is not known, that over an allow. */
function joined(egress: SideDecision, ingress: SideDecision): SideDecision {
  for (const outcome of ['deny', 'unknown'] as const) {
    if (egress.outcome === outcome) return egress;
    if (ingress.outcome === outcome) return ingress;
  }
  return {
    outcome: 'allow',
    because: `${egress.because}; ${ingress.because}`,
    determining: [...egress.determining, ...ingress.determining],
    nearMiss: [],
  };
}

/** Asks the policies that isolate one end (`own`) in one direction about the other end (`other`). */
function decideSide(
  policies: readonly NetworkPolicy[],
  direction: Direction,
  own: End,
  other: End,
  probe: NetworkProbe,
): SideDecision {
  const type = direction === 'ingress' ? 'Ingress' : 'Egress';
  const candidates = policies
    .filter((policy) => policy.policyTypes.includes(type) && policy.namespace === own.pod?.namespace)
    .map((policy) => ({ policy, selects: selectsPod(policy.podSelector, own) }))
    .filter(({ selects }) => selects !== false);
  if (candidates.length === 0) {
    return side('allow', `no NetworkPolicy restricts ${direction} of ${own.name}`, []);
  }
  const judged = candidates.map(({ policy, selects }) => {
    const rules = policy[direction].map((rule) => judgeRule(rule, policy, other, probe));
    return { policy, selects, rules, allows: allOf([selects, anyOf(rules.map(({ allows }) => allows))]) };
  });
  const allowing = judged.filter(({ allows }) => allows === true);
  if (allowing.length > 0) {
    const names = allowing.map(({ policy }) => refOf(policy));
    return side('allow', `${listed(names)} allows ${direction} of ${own.name}`, names);
  }
  const names = judged.map(({ policy }) => refOf(policy));
  if (judged.some(({ selects, allows }) => selects === null || allows === null)) {
    return side('unknown', `${listed(names)} may or may not allow ${direction} of ${own.name}`, names);
  }
  const because = `${listed(names)} restricts ${direction} of ${own.name}, and no rule allows ${other.name} on port ${probe.port}`;
  const near = judged.flatMap(({ policy, rules }) =>
    rules.flatMap((rule, index) => nearMissOf(policy, direction, index, rule, other, probe)),
  );
  return { outcome: 'deny', because, determining: names, nearMiss: near };
}

interface JudgedRule {
  readonly rule: NetworkRule;
  readonly peers: Truth;
  readonly ports: Truth;
  readonly allows: Truth;
}

/** No peers are all peers, no ports all ports; otherwise one of each must hold. */
function judgeRule(rule: NetworkRule, policy: NetworkPolicy, other: End, probe: NetworkProbe): JudgedRule {
  const peers = rule.peers.length === 0 || anyOf(rule.peers.map((peer) => peerHolds(peer, policy.namespace, other)));
  const ports = rule.ports.length === 0 || anyOf(rule.ports.map((port) => portHolds(port, probe)));
  return { rule, peers, ports, allows: allOf([peers, ports]) };
}

/** A rule is near if only its peers or only its ports fail. */
function nearMissOf(
  policy: NetworkPolicy,
  direction: Direction,
  index: number,
  judged: JudgedRule,
  other: End,
  probe: NetworkProbe,
): readonly NearMiss[] {
  const base = { policy: refOf(policy), rule: index };
  const { rule } = judged;
  if (judged.peers === true) {
    const wanted = rule.ports.map((port) => `${port.port ?? 'any'}${port.endPort === null ? '' : `-${port.endPort}`}`);
    return [{ ...base, field: `${direction}[${index}].ports`, wanted: wanted.join(', '), seen: String(probe.port) }];
  }
  if (judged.ports !== true) return [];
  const field = `${direction}[${index}].${direction === 'ingress' ? 'from' : 'to'}`;
  return [
    { ...base, field, wanted: rule.peers.map((peer) => JSON.stringify(written(peer))).join(', '), seen: other.name },
  ];
}

/** A peer as it was written: without what is absent. */
function written(peer: NetworkRule['peers'][number]): object {
  return Object.fromEntries(Object.entries(peer).filter(([, value]) => value !== null));
}

function side(outcome: Decision['outcome'], because: string, determining: readonly ObjectRef[]): SideDecision {
  return { outcome, because, determining, nearMiss: [] };
}

function refOf({ namespace, name }: NetworkPolicy): ObjectRef {
  return { kind: 'NetworkPolicy', namespace, name };
}

function listed(refs: readonly ObjectRef[]): string {
  return refs.map(({ namespace, name }) => `NetworkPolicy ${namespace}/${name}`).join(', ');
}
