import type { KubeObject, MeshView, Pod } from '../../src/model/mesh.ts';
import type { Draft } from '../../src/model/remedy.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { decodeNetworkPolicy, type NetworkPolicy, type NetworkRule } from '../../src/policy/decode-network-policy.ts';
import { enforcersOf, enforcersOfPods } from '../../src/policy/survey/enforcers.ts';
import { podsWith } from '../../src/policy/survey/selection.ts';
import { draftOf, patchObject, refOf } from '../../src/remedy/edits/change.ts';
import { TUNNEL_PORT } from '../../src/remedy/edits/destination.ts';
import { listObjects, showPolicy } from '../../src/remedy/edits/kubectl.ts';
import { step } from '../../src/remedy/edits/step.ts';
import { grouped } from '../../src/text/grouped.ts';
import { hasLabels } from '../../src/text/labels.ts';
import { nameOf, refText } from '../../src/text/object-ref.ts';
import { remembered } from '../../src/text/remembered.ts';

/** Ports outside the mesh: names, and the API server. A rule for these alone is none for pods of the mesh. */
const OUTSIDE: ReadonlySet<number | string | null> = new Set([53, 443, 6443, 'dns', 'dns-tcp', 'https']);

/** A NetworkPolicy that lists ports and leaves out the one that ztunnels use for all of them. */
export const rule: StaticRule = {
  meta: {
    id: 'network-hbone-omitted',
    category: 'network',
    level: 'warning',
    title: 'A NetworkPolicy lists ports without the tunnel port 15008',
    page: {
      meaning:
        "Between pods in ambient mode every connection goes through the tunnel of the ztunnels, to port 15008 of the pod, whatever port was called. A rule that lists the application's ports stops it, at the destination (ingress) or at the caller (egress).",
      printedBy:
        'The ztunnel of the caller, after about ten seconds: connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008. The destination prints nothing.',
      confirm: ['kubectl -n NAMESPACE get networkpolicies -o yaml'],
      change:
        'Add TCP 15008 to the ports of the same rule, so that its peers stay as narrow as they are; do so on both sides.',
      never:
        'Do not open 15008 to everybody and do not delete the policy. The tunnel carries all ports of the pod: which of them a peer may use is then up to an AuthorizationPolicy.',
    },
    cites: ['istio.io docs/ambient/usage/networkpolicy', 'istio/ztunnel 62d82653 src/proxy.rs', 'istio/istio#51034'],
  },
  check: (mesh) =>
    mesh.objectsOf('NetworkPolicy').flatMap((object) => {
      const decoded = decodeNetworkPolicy(object);
      const ztunnel = decoded.ok ? ambientAt(decoded.value, mesh) : false;
      if (!decoded.ok || ztunnel === false) return [];
      return omissionsIn(decoded.value, othersFor(decoded.value, mesh)).map(
        (omission): StaticMatch => ({
          object,
          at: portsOf(omission),
          ...(ztunnel === true ? AMBIENT : NOT_KNOWN),
          cause: causeOf(omission, nameOf(decoded.value), ztunnel),
          drafts: [draftFor(omission, object)],
        }),
      );
    }),
};

const AMBIENT = { certainty: 'likely', level: 'warning', unchecked: [] } as const;
const NOT_KNOWN = {
  certainty: 'possible',
  level: 'note',
  unchecked: ['Whether the pods are in ambient mode: kubectl get pods,namespaces -A -o yaml.'],
} as const;

function causeOf({ direction, index, rule: { ports } }: Omission, name: string, ztunnel: true | null): string {
  const [side, blocked] =
    direction === 'ingress' ? ['Ingress', 'callers in the mesh'] : ['Egress', 'calls to pods in the mesh'];
  const when = ztunnel === true ? 'Its pods are in ambient mode, so' : 'If its pods are in ambient mode,';
  const listed = ports.map(({ port }) => port ?? 'all').join(', ');
  return `${side} rule ${index} of ${name} lists ${listed} and not ${TUNNEL_PORT}. ${when} ${blocked} do not get through.`;
}

function draftFor(omission: Omission, object: KubeObject): Draft {
  const ref = refOf(object);
  const { direction, index, rule: one } = omission;
  const summary = `Add TCP ${TUNNEL_PORT} to the ports of ${direction} rule ${index} of ${refText(ref)}.`;
  const risk = `Port ${TUNNEL_PORT} carries all ports of the pod: which of them these peers may use is then up to AuthorizationPolicies.`;
  const value = { port: TUNNEL_PORT, protocol: 'TCP' };
  const planned = one.peers.length === 0 ? null : patchObject(object, [{ op: 'append', at: portsOf(omission), value }]);
  if (planned !== null)
    return draftOf([planned], { kind: 'network-policy', summary, risk, verify: [listObjects(ref)] });
  const field = direction === 'ingress' ? 'from' : 'to';
  return step('network-policy', `${summary} It has no ${field}: name the peers beside it.`, {
    risk,
    confirm: [showPolicy(ref)],
  });
}

function portsOf({ direction, index }: Omission): readonly (string | number)[] {
  return ['spec', direction, index, 'ports'];
}

/** Whether its pods are in ambient mode; null: not known. */
function ambientAt({ namespace, podSelector }: NetworkPolicy, mesh: MeshView): boolean | null {
  const labels = podSelector.matchLabels ?? {};
  const pods: readonly Pod[] = podsWith(labels, namespace, mesh);
  if (pods.length > 0) return enforcersOfPods(pods).ztunnel;
  return enforcersOf({ ref: { kind: 'NetworkPolicy', namespace, name: '' }, selector: { matchLabels: labels } }, mesh)
    .ztunnel;
}

interface Omission {
  readonly direction: 'ingress' | 'egress';
  readonly index: number;
  readonly rule: NetworkRule;
}

/** Rules with ports and without 15008, unless another rule for the same pods lets it through to the same peers or to everybody. */
function omissionsIn(policy: NetworkPolicy, others: readonly NetworkPolicy[]): readonly Omission[] {
  return (['ingress', 'egress'] as const).flatMap((direction) => {
    const tunnels = [policy, ...others].flatMap((one) => rulesOf(one, direction)).filter(letsTunnel);
    if (tunnels.some(({ peers }) => peers.length === 0)) return [];
    return rulesOf(policy, direction).flatMap((one, index) => {
      const isOutside =
        (one.peers.length > 0 && one.peers.every(({ ipBlock }) => ipBlock !== null)) ||
        (direction === 'egress' && one.ports.every(({ port }) => OUTSIDE.has(port)));
      const isTcp = one.ports.some(({ protocol }) => protocol === 'TCP');
      const isCovered = letsTunnel(one) || tunnels.some((other) => samePeers(other, one));
      return isTcp && !isOutside && !isCovered ? [{ direction, index, rule: one }] : [];
    });
  });
}

function rulesOf(policy: NetworkPolicy, direction: Omission['direction']): readonly NetworkRule[] {
  return policy.policyTypes.includes(direction === 'ingress' ? 'Ingress' : 'Egress') ? policy[direction] : [];
}

const policiesIn = remembered((mesh: MeshView) =>
  grouped(
    mesh.objectsOf('NetworkPolicy').flatMap((object) => {
      const decoded = decodeNetworkPolicy(object);
      return decoded.ok ? [decoded.value] : [];
    }),
    ({ namespace }) => namespace,
  ),
);

/** Other policies that select all pods of this one: what any of them lets in comes in. */
function othersFor({ namespace, name, podSelector }: NetworkPolicy, mesh: MeshView): readonly NetworkPolicy[] {
  return (policiesIn(mesh).get(namespace) ?? []).filter((other) => {
    const { matchLabels, matchExpressions } = other.podSelector;
    const isWider = matchExpressions.length === 0 && hasLabels(podSelector.matchLabels ?? {}, matchLabels ?? {});
    return isWider && other.name !== name;
  });
}

function letsTunnel({ ports }: NetworkRule): boolean {
  if (ports.length === 0) return true;
  return ports.some(({ protocol, port, endPort }) => {
    if (protocol !== 'TCP') return false;
    if (port === null) return true;
    return typeof port === 'number' && port <= TUNNEL_PORT && TUNNEL_PORT <= (endPort ?? port);
  });
}

function samePeers(one: NetworkRule, other: NetworkRule): boolean {
  return JSON.stringify(one.peers) === JSON.stringify(other.peers);
}
